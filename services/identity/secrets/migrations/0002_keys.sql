-- Keys: what they allow, and the public keys of their versions as JSON.
CREATE TABLE secrets_key (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    derived BOOLEAN NOT NULL,
    convergent_encryption BOOLEAN NOT NULL,
    exportable BOOLEAN NOT NULL,
    deletion_allowed BOOLEAN NOT NULL,
    latest_version BIGINT NOT NULL,
    min_decryption_version BIGINT NOT NULL,
    min_encryption_version BIGINT NOT NULL,
    versions TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);

-- What each version follows from, sealed with the key of the tenant.
CREATE TABLE secrets_key_version (
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    version BIGINT NOT NULL,
    secret BYTEA NOT NULL,
    PRIMARY KEY (tenant, key, version)
);
