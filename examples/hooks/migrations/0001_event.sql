-- The events that were taken in.
CREATE TABLE hooks_event (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    body BYTEA NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
