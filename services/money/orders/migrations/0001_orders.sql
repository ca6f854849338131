-- Purchases: `placed` or `cancelled`. `lines` is the contract's OrderLine as JSON: they are read
-- and written with their order, and never by themselves.
CREATE TABLE orders_order (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    state TEXT NOT NULL,
    lines TEXT NOT NULL,
    total_amount BIGINT NOT NULL,
    total_currency TEXT NOT NULL,
    location TEXT NOT NULL,
    transfer_id TEXT NOT NULL,
    reversal_id TEXT NOT NULL,
    effective_time BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX orders_order_time ON orders_order (tenant, create_time, id);
CREATE INDEX orders_order_customer ON orders_order (tenant, customer_id, create_time, id);
-- Nearly every order is placed and few are cancelled, so only those are worth an index.
CREATE INDEX orders_order_cancelled ON orders_order (tenant, create_time, id)
    WHERE state = 'cancelled';
