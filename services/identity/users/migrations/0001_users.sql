-- One row a person. `handle_key` is the normalised form of the handle. What is BYTEA is sealed.
CREATE TABLE users_user (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    handle TEXT NOT NULL,
    handle_key TEXT NOT NULL,
    email BYTEA NOT NULL,
    display_name BYTEA NOT NULL,
    locale BYTEA NOT NULL,
    time_zone BYTEA NOT NULL,
    preferences BYTEA NOT NULL,
    state TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX users_user_handle ON users_user (tenant, handle_key);

-- Whose a handle or an e-mail address is, by its fingerprint. A claim is an insert, on a change as on creation, so
-- that two who want the same name meet in this key and nowhere else. The two kinds cannot be
-- confused: an address has an `@`, a handle has none.
CREATE TABLE users_login (
    tenant TEXT NOT NULL,
    key BYTEA NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (tenant, key)
);

-- Who administers, as `auth` says: of them, one stays active.
CREATE TABLE users_administrator (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (tenant, user_id)
);
