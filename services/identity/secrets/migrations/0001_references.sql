-- What stands for values.
CREATE TABLE secrets_reference (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    owner TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    purposes TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX secrets_reference_owner ON secrets_reference (tenant, owner, id);
CREATE INDEX secrets_reference_subject ON secrets_reference (tenant, subject, id);
CREATE INDEX secrets_reference_fingerprint ON secrets_reference (tenant, fingerprint, id);
CREATE INDEX secrets_reference_expire ON secrets_reference (tenant, expire_time);

-- The values, sealed. The key of a row is part of what a value is sealed for: its kind and its reference.
CREATE TABLE secrets_content (
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    reference_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    value BYTEA NOT NULL,
    expire_time BIGINT,
    PRIMARY KEY (tenant, kind, reference_id)
);
CREATE INDEX secrets_content_subject ON secrets_content (tenant, subject, kind, reference_id);
CREATE INDEX secrets_content_expire ON secrets_content (tenant, expire_time);
