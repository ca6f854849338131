-- What codes of a program follow from, sealed; `confirmed` says whether they are asked for.
CREATE TABLE auth_totp (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    secret BYTEA NOT NULL,
    pending BYTEA NOT NULL,
    confirmed BOOLEAN NOT NULL,
    last_step BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, user_id)
);

-- Recovery codes that were not used, by their hash.
CREATE TABLE auth_recovery_code (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (tenant, user_id, hash)
);

-- Passkeys: the public halves. The label is sealed.
CREATE TABLE auth_passkey (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    id TEXT NOT NULL,
    label BYTEA NOT NULL,
    backup_eligible BOOLEAN NOT NULL,
    backed_up BOOLEAN NOT NULL,
    create_time BIGINT NOT NULL,
    last_use_time BIGINT,
    credential_id BYTEA NOT NULL,
    public_key BYTEA NOT NULL,
    sign_count BIGINT NOT NULL,
    PRIMARY KEY (tenant, user_id, id)
);
CREATE UNIQUE INDEX auth_passkey_credential ON auth_passkey (tenant, credential_id);

-- What is good once, for five minutes, by its hash: tickets of who proved a first factor, and challenges of
-- passkeys. `about` is the first factor of a ticket, and of a challenge the session or ticket it is for.
CREATE TABLE auth_ticket (
    tenant TEXT NOT NULL,
    hash BYTEA NOT NULL,
    purpose TEXT NOT NULL,
    user_id TEXT NOT NULL,
    about TEXT NOT NULL,
    expire_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, hash)
);
CREATE INDEX auth_ticket_user ON auth_ticket (tenant, user_id, hash);
CREATE INDEX auth_ticket_expire ON auth_ticket (tenant, expire_time);

-- Links that were asked for and not sent yet; whom for is sealed with the key of the tenant, for there may be
-- nobody.
CREATE TABLE auth_link (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    purpose BIGINT NOT NULL,
    account BYTEA NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX auth_link_time ON auth_link (tenant, create_time);

-- Addresses that their users have shown to be theirs, by fingerprint.
CREATE TABLE auth_email (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    address BYTEA NOT NULL,
    time BIGINT NOT NULL,
    PRIMARY KEY (tenant, user_id)
);
