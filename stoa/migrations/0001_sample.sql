-- The shop that was loaded, if one was.
CREATE TABLE sample_shop (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    purchases BIGINT NOT NULL,
    loaded BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    finish_time BIGINT,
    PRIMARY KEY (tenant, id)
);
