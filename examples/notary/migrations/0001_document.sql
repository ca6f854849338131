-- The documents that were seen, by the SHA-256 of what they say.
CREATE TABLE notary_document (
    tenant TEXT NOT NULL,
    hash TEXT NOT NULL,
    size BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, hash)
);
