-- What is sold.
CREATE TABLE catalog_product (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    archived BOOLEAN NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX catalog_product_sold ON catalog_product (tenant, id) WHERE archived = FALSE;

-- The forms in which it is sold, by SKU in upper case.
CREATE TABLE catalog_variant (
    tenant TEXT NOT NULL,
    sku TEXT NOT NULL,
    product_id TEXT NOT NULL,
    title TEXT NOT NULL,
    PRIMARY KEY (tenant, sku)
);
CREATE INDEX catalog_variant_product ON catalog_variant (tenant, product_id, sku);

-- What those cost, in minor units.
CREATE TABLE catalog_price (
    tenant TEXT NOT NULL,
    sku TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL,
    PRIMARY KEY (tenant, sku, currency)
);
