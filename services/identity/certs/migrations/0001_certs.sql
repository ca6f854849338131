-- Authorities.
CREATE TABLE certs_authority (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    trust_domain TEXT,
    life_max_seconds BIGINT NOT NULL,
    acme_open BOOLEAN NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX certs_authority_name ON certs_authority (tenant, name);
CREATE UNIQUE INDEX certs_authority_domain ON certs_authority (tenant, trust_domain);

-- Roots; their private keys are sealed with the key of the tenant. `follow_time` is when the next one is to be
-- made, and nothing once it was. `crl` is the list of what is revoked as it was last signed, `crl_due_time` when
-- it is to be signed again: at once, if something was revoked since.
CREATE TABLE certs_root (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    authority_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    certificate TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    active_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL,
    retire_time BIGINT,
    follow_time BIGINT,
    private_key BYTEA NOT NULL,
    crl BYTEA NOT NULL,
    crl_number BIGINT NOT NULL,
    crl_due_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX certs_root_number ON certs_root (tenant, authority_id, number);
CREATE INDEX certs_root_active ON certs_root (tenant, authority_id, active_time, number);
CREATE INDEX certs_root_retire ON certs_root (tenant, retire_time);
CREATE INDEX certs_root_follow ON certs_root (tenant, follow_time);
CREATE INDEX certs_root_due ON certs_root (tenant, crl_due_time, id);

-- Certificates. One that is over stays until it has been on a list that was signed after that (RFC 5280, 3.3).
CREATE TABLE certs_certificate (
    tenant TEXT NOT NULL,
    serial_number TEXT NOT NULL,
    authority_id TEXT NOT NULL,
    root_id TEXT NOT NULL,
    workload_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    names TEXT NOT NULL,
    certificate TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL,
    revoke_time BIGINT,
    revocation_reason TEXT NOT NULL,
    forget_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, serial_number)
);
CREATE INDEX certs_certificate_time ON certs_certificate (tenant, create_time, serial_number);
CREATE INDEX certs_certificate_authority ON certs_certificate (tenant, authority_id, create_time, serial_number);
CREATE INDEX certs_certificate_workload ON certs_certificate (tenant, workload_id, create_time, serial_number);
CREATE INDEX certs_certificate_revoked ON certs_certificate (tenant, root_id, revoke_time, serial_number);
CREATE INDEX certs_certificate_forget ON certs_certificate (tenant, forget_time);

-- Who has which SPIFFE ID.
CREATE TABLE certs_workload (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    authority_id TEXT NOT NULL,
    spiffe_id TEXT NOT NULL,
    selectors TEXT NOT NULL,
    life_seconds BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX certs_workload_spiffe ON certs_workload (tenant, spiffe_id);
CREATE INDEX certs_workload_authority ON certs_workload (tenant, authority_id, spiffe_id);

-- Accounts of ACME: keys.
CREATE TABLE certs_account (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    authority_id TEXT NOT NULL,
    thumbprint TEXT NOT NULL,
    public_jwk TEXT NOT NULL,
    state TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX certs_account_key ON certs_account (tenant, authority_id, thumbprint);

-- What accounts ordered.
CREATE TABLE certs_order (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    authority_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    state TEXT NOT NULL,
    names TEXT NOT NULL,
    authorization_ids TEXT NOT NULL,
    serial_number TEXT NOT NULL,
    problem TEXT NOT NULL,
    expire_time BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX certs_order_account ON certs_order (tenant, account_id, id);
CREATE INDEX certs_order_open ON certs_order (tenant, account_id, state, id);
CREATE INDEX certs_order_expire ON certs_order (tenant, expire_time);

-- What accounts have to prove.
CREATE TABLE certs_authorization (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    token TEXT NOT NULL,
    problem TEXT NOT NULL,
    validate_time BIGINT,
    expire_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX certs_authorization_order ON certs_authorization (tenant, order_id, id);
CREATE INDEX certs_authorization_account ON certs_authorization (tenant, account_id, name, id);
CREATE INDEX certs_authorization_expire ON certs_authorization (tenant, expire_time);

-- Nonces that were used, for as long as they would be good.
CREATE TABLE certs_spent_nonce (
    tenant TEXT NOT NULL,
    nonce TEXT NOT NULL,
    expire_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, nonce)
);
CREATE INDEX certs_spent_nonce_expire ON certs_spent_nonce (tenant, expire_time);
