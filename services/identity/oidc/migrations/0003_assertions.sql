-- Public keys by which applications prove that they are themselves.
ALTER TABLE oidc_client ADD COLUMN jwks TEXT NOT NULL DEFAULT '';

-- What they signed and may not send again.
CREATE TABLE oidc_assertion (
    tenant TEXT NOT NULL,
    client_id TEXT NOT NULL,
    hash BYTEA NOT NULL,
    expire_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, client_id, hash)
);
CREATE INDEX oidc_assertion_expire ON oidc_assertion (tenant, expire_time);
