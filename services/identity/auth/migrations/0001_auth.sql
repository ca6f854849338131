-- Set-up of the first administrator: open until `user_id` says who that is.
CREATE TABLE auth_setup (
    tenant TEXT NOT NULL,
    code_hash BYTEA NOT NULL,
    user_id TEXT,
    PRIMARY KEY (tenant)
);

-- Passwords, as PHC strings of Argon2id.
CREATE TABLE auth_password (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    hash TEXT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, user_id)
);

-- Failed attempts, by account and by the fingerprint of a network, since the first one of their window.
CREATE TABLE auth_attempt (
    tenant TEXT NOT NULL,
    bucket TEXT NOT NULL,
    since BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    PRIMARY KEY (tenant, bucket)
);
CREATE INDEX auth_attempt_since ON auth_attempt (tenant, since);

-- Networks that users signed in from, by their fingerprint.
CREATE TABLE auth_network (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    network TEXT NOT NULL,
    time BIGINT NOT NULL,
    PRIMARY KEY (tenant, user_id, network)
);
CREATE INDEX auth_network_time ON auth_network (tenant, time);

-- Sessions that can still be used, by the hash of their token: that of the one whose token is shown is read by
-- its key. What is BYTEA besides is sealed.
CREATE TABLE auth_session (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    token_hash BYTEA NOT NULL,
    label BYTEA NOT NULL,
    address BYTEA NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, token_hash)
);
CREATE UNIQUE INDEX auth_session_id ON auth_session (tenant, id);
CREATE INDEX auth_session_user ON auth_session (tenant, user_id, id);
CREATE INDEX auth_session_expire ON auth_session (tenant, expire_time);

-- API keys that can still be used, by the hash of their token.
CREATE TABLE auth_api_key (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    permissions TEXT NOT NULL,
    token_hash BYTEA NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, token_hash)
);
CREATE UNIQUE INDEX auth_api_key_id ON auth_api_key (tenant, id);
CREATE INDEX auth_api_key_owner ON auth_api_key (tenant, owner, id);
CREATE INDEX auth_api_key_expire ON auth_api_key (tenant, expire_time);

-- When a session or a key was last used.
CREATE TABLE auth_use (
    tenant TEXT NOT NULL,
    credential_id TEXT NOT NULL,
    time BIGINT NOT NULL,
    PRIMARY KEY (tenant, credential_id)
);

-- Names that programs act under.
CREATE TABLE auth_service_account (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX auth_service_account_name ON auth_service_account (tenant, name);

-- Names for permissions.
CREATE TABLE auth_role (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    permissions TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);

-- Who has which role.
CREATE TABLE auth_role_grant (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    role TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, user_id, role)
);
CREATE INDEX auth_role_grant_role ON auth_role_grant (tenant, role, user_id);
