-- What preferences there are.
CREATE TABLE users_preference_definition (
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    schema TEXT NOT NULL,
    fallback TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, key)
);

-- What users set. The value is sealed.
CREATE TABLE users_preference (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    key TEXT NOT NULL,
    value BYTEA NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, user_id, key)
);
CREATE INDEX users_preference_key ON users_preference (tenant, key, user_id);

-- What was set for organizations, and for everybody.
CREATE TABLE users_shared_preference (
    tenant TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, organization_id, key)
);
CREATE INDEX users_shared_preference_key ON users_shared_preference (tenant, key, organization_id);
