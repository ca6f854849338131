-- Tokens that were not spent, by the fingerprint of their secret. A payload is sealed.
CREATE TABLE tokens_token (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    owner TEXT NOT NULL,
    purpose TEXT NOT NULL,
    subject TEXT NOT NULL,
    audience TEXT NOT NULL,
    payload BYTEA NOT NULL,
    guesses_left BIGINT NOT NULL,
    fingerprint BYTEA NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX tokens_token_fingerprint ON tokens_token (tenant, fingerprint);
CREATE INDEX tokens_token_owner ON tokens_token (tenant, owner, id);
CREATE INDEX tokens_token_subject ON tokens_token (tenant, subject, id);
CREATE INDEX tokens_token_expire ON tokens_token (tenant, expire_time);
