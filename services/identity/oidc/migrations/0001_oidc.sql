-- Applications. Of a secret only the hash is kept.
CREATE TABLE oidc_client (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    redirect_uris TEXT NOT NULL,
    post_logout_redirect_uris TEXT NOT NULL,
    backchannel_logout_uri TEXT NOT NULL,
    grant_types TEXT NOT NULL,
    scopes TEXT NOT NULL,
    id_token_algorithm TEXT NOT NULL,
    first_party BOOLEAN NOT NULL,
    introspects_all BOOLEAN NOT NULL,
    registered BOOLEAN NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    secret_hash BYTEA NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX oidc_client_name ON oidc_client (tenant, name, id);

-- Keys that sign; the private ones are sealed with the key of the tenant. `follow_time` is when the next one
-- is to be made, and nothing once it was.
CREATE TABLE oidc_signing_key (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    public_jwk TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    active_time BIGINT NOT NULL,
    retire_time BIGINT,
    follow_time BIGINT,
    private_key BYTEA NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX oidc_signing_key_algorithm ON oidc_signing_key (tenant, algorithm, active_time, id);
CREATE INDEX oidc_signing_key_retire ON oidc_signing_key (tenant, retire_time);
CREATE INDEX oidc_signing_key_follow ON oidc_signing_key (tenant, follow_time);

-- What people granted to applications.
CREATE TABLE oidc_grant (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    scopes TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX oidc_grant_user ON oidc_grant (tenant, user_id, client_id);
CREATE INDEX oidc_grant_owner ON oidc_grant (tenant, user_id, id);
CREATE INDEX oidc_grant_client ON oidc_grant (tenant, client_id, id);

-- What comes of one sign-in to one application. No code and no token is here: each follows from the
-- identifier, a number, and the key of the tenant.
CREATE TABLE oidc_family (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    state TEXT NOT NULL,
    scopes TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    nonce TEXT NOT NULL,
    code_challenge TEXT NOT NULL,
    session_id TEXT NOT NULL,
    generation BIGINT NOT NULL,
    rotate_time BIGINT,
    auth_time BIGINT,
    methods TEXT NOT NULL,
    expire_time BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX oidc_family_user ON oidc_family (tenant, user_id, client_id, id);
CREATE INDEX oidc_family_client ON oidc_family (tenant, client_id, id);
CREATE INDEX oidc_family_session ON oidc_family (tenant, session_id, id);
CREATE INDEX oidc_family_expire ON oidc_family (tenant, expire_time);

-- Devices that wait to be let in. `user_code` is the fingerprint of what people type.
CREATE TABLE oidc_device (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    scopes TEXT NOT NULL,
    state TEXT NOT NULL,
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    auth_time BIGINT,
    methods TEXT NOT NULL,
    poll_time BIGINT,
    expire_time BIGINT NOT NULL,
    user_code BYTEA NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX oidc_device_code ON oidc_device (tenant, user_code);
CREATE INDEX oidc_device_client ON oidc_device (tenant, client_id, id);
CREATE INDEX oidc_device_user ON oidc_device (tenant, user_id, id);
CREATE INDEX oidc_device_expire ON oidc_device (tenant, expire_time);

-- Who typed codes of devices that there are none of.
CREATE TABLE oidc_guess (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    count BIGINT NOT NULL,
    forget_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, user_id)
);

-- Which applications were told of which sessions.
CREATE TABLE oidc_login (
    tenant TEXT NOT NULL,
    session_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    check_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, session_id, client_id)
);
CREATE INDEX oidc_login_user ON oidc_login (tenant, user_id, session_id, client_id);
CREATE INDEX oidc_login_client ON oidc_login (tenant, client_id, session_id);
CREATE INDEX oidc_login_check ON oidc_login (tenant, check_time, session_id, client_id);
