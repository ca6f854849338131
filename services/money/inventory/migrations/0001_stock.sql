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

-- What is put aside: `held`, `committed`, `released` or `expired`.
CREATE TABLE inventory_reservation (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    state TEXT NOT NULL,
    location TEXT NOT NULL,
    expire_time BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX inventory_reservation_due ON inventory_reservation (tenant, state, expire_time);

CREATE TABLE inventory_reservation_line (
    tenant TEXT NOT NULL,
    reservation_id TEXT NOT NULL,
    sku TEXT NOT NULL,
    quantity BIGINT NOT NULL,
    PRIMARY KEY (tenant, reservation_id, sku)
);
