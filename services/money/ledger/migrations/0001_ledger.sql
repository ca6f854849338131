-- Accounts. Nothing here changes with a transfer, so that transfers read it without conflict.
CREATE TABLE ledger_account (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    code TEXT,
    owner_id TEXT,
    currency TEXT NOT NULL,
    kind TEXT NOT NULL,
    floor BIGINT,
    metadata TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    close_time BIGINT,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX ledger_account_code ON ledger_account (tenant, code);
CREATE INDEX ledger_account_owner ON ledger_account (tenant, owner_id, id);

-- The balance of an account with a floor: one row, and the guard stands in its UPDATE.
CREATE TABLE ledger_balance (
    tenant TEXT NOT NULL,
    account TEXT NOT NULL,
    balance BIGINT NOT NULL,
    held BIGINT NOT NULL,
    PRIMARY KEY (tenant, account)
);

-- The balance of an account without one: a delta, so that many can move it at once.
CREATE TABLE ledger_total (
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (tenant, key)
);
CREATE TABLE ledger_total_tail (
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    id TEXT NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (tenant, key, id)
);

-- Transfers. `legs` is the contract's Leg as JSON, accounts by their identifiers.
CREATE TABLE ledger_transfer (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    currency TEXT NOT NULL,
    legs TEXT NOT NULL,
    state TEXT NOT NULL,
    description TEXT NOT NULL,
    reference TEXT NOT NULL,
    metadata TEXT NOT NULL,
    effective_time BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT,
    settle_time BIGINT,
    reverses TEXT,
    reversed_by TEXT,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX ledger_transfer_due ON ledger_transfer (tenant, expire_time) WHERE state = 'pending';

-- What each posted transfer did to each account. Written once, never changed.
CREATE TABLE ledger_entry (
    tenant TEXT NOT NULL,
    account TEXT NOT NULL,
    effective_time BIGINT NOT NULL,
    transfer TEXT NOT NULL,
    debit BIGINT NOT NULL,
    credit BIGINT NOT NULL,
    PRIMARY KEY (tenant, account, effective_time, transfer)
);

-- The accounts of transfers that are not posted: pending ones and those that never were.
CREATE TABLE ledger_hold (
    tenant TEXT NOT NULL,
    account TEXT NOT NULL,
    effective_time BIGINT NOT NULL,
    transfer TEXT NOT NULL,
    PRIMARY KEY (tenant, account, effective_time, transfer)
);
