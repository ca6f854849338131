-- Other providers, with whose accounts people sign in here. The secret is sealed with the key of the tenant.
CREATE TABLE oidc_provider (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    issuer TEXT NOT NULL,
    client_id TEXT NOT NULL,
    scopes TEXT NOT NULL,
    trusts_email BOOLEAN NOT NULL,
    creates_accounts BOOLEAN NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    client_secret BYTEA NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX oidc_provider_issuer ON oidc_provider (tenant, issuer);
CREATE INDEX oidc_provider_name ON oidc_provider (tenant, display_name, id);

-- What they say of themselves, and their keys.
CREATE TABLE oidc_discovered (
    tenant TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    authorization_endpoint TEXT NOT NULL,
    token_endpoint TEXT NOT NULL,
    userinfo_endpoint TEXT NOT NULL,
    jwks_uri TEXT NOT NULL,
    secret_in_form BOOLEAN NOT NULL,
    says_issuer BOOLEAN NOT NULL,
    discover_time BIGINT,
    jwks TEXT NOT NULL,
    jwks_time BIGINT,
    PRIMARY KEY (tenant, provider_id)
);

-- Whose the accounts there are, by the fingerprint of what they are called there.
CREATE TABLE oidc_identity (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    subject BYTEA NOT NULL,
    email BYTEA NOT NULL,
    create_time BIGINT NOT NULL,
    subject_key BYTEA NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX oidc_identity_subject ON oidc_identity (tenant, provider_id, subject_key);
CREATE INDEX oidc_identity_user ON oidc_identity (tenant, user_id, id);

-- Who was sent there and has not come back.
CREATE TABLE oidc_sign_in (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    return_path TEXT NOT NULL,
    expire_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX oidc_sign_in_provider ON oidc_sign_in (tenant, provider_id, id);
CREATE INDEX oidc_sign_in_user ON oidc_sign_in (tenant, user_id, id);
CREATE INDEX oidc_sign_in_expire ON oidc_sign_in (tenant, expire_time);
