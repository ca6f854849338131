-- Claims, as long as they are remembered. A result is sealed with its owner's key.
CREATE TABLE idempotence_claim (
    tenant TEXT NOT NULL,
    owner TEXT NOT NULL,
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    fence BIGINT NOT NULL,
    state TEXT NOT NULL,
    lease_expire_time BIGINT NOT NULL,
    ttl_seconds BIGINT NOT NULL,
    expire_time BIGINT NOT NULL,
    result BYTEA NOT NULL,
    PRIMARY KEY (tenant, owner, scope, key)
);
CREATE INDEX idempotence_claim_expire ON idempotence_claim (tenant, expire_time);
