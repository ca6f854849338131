-- What each user was told, by time-ordered identifiers. `email_state` is empty, `queued`,
-- `sent`, `kept` or `failed`. What is BYTEA is sealed.
CREATE TABLE notify_notification (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    id TEXT NOT NULL,
    template TEXT NOT NULL,
    subject BYTEA NOT NULL,
    body BYTEA NOT NULL,
    read BOOLEAN NOT NULL,
    email_state TEXT NOT NULL,
    email_error TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, user_id, id)
);

-- The local mailbox: the mail of a node without a mail server.
CREATE TABLE notify_mail (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    address BYTEA NOT NULL,
    subject BYTEA NOT NULL,
    body BYTEA NOT NULL,
    create_time BIGINT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX notify_mail_user ON notify_mail (tenant, user_id, id);
