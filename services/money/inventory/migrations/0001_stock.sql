-- What is there, by SKU in upper case and location. Who takes from a row guards it in the same
-- statement.
CREATE TABLE inventory_stock (
    tenant TEXT NOT NULL,
    sku TEXT NOT NULL,
    location TEXT NOT NULL,
    available BIGINT NOT NULL,
    reserved BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, sku, location)
);

-- What is put aside: `held`, `committed`, `released` or `expired`. `lines` is the contract's
-- StockLine as JSON: they are read and written with their reservation, and never by themselves.
CREATE TABLE inventory_reservation (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    state TEXT NOT NULL,
    location TEXT NOT NULL,
    lines TEXT NOT NULL,
    expire_time BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX inventory_reservation_due ON inventory_reservation (tenant, state, expire_time);
