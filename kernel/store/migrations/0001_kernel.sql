-- What the kernel keeps beside the services' rows, in the same commits.

-- Who shares the cell. The main tenant is there from the first start; what is 0 is not limited.
CREATE TABLE stoa_tenant (
    tenant TEXT NOT NULL,
    state TEXT NOT NULL,
    display_name TEXT NOT NULL,
    commits_per_second BIGINT NOT NULL,
    jobs_max BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant)
);

-- The hosts that mean a tenant; none means two.
CREATE TABLE stoa_host (
    tenant TEXT NOT NULL,
    host TEXT NOT NULL,
    PRIMARY KEY (tenant, host)
);
CREATE UNIQUE INDEX stoa_host_name ON stoa_host (host);

-- One row a commit: why, who, what. `tables` is `ledger_transfer:1 ledger_entry:2`.
CREATE TABLE stoa_commit (
    tenant TEXT NOT NULL,
    position BIGINT NOT NULL,
    time BIGINT NOT NULL,
    cause TEXT NOT NULL,
    caller TEXT NOT NULL,
    method TEXT NOT NULL,
    trace TEXT NOT NULL,
    tables TEXT NOT NULL,
    touched TEXT NOT NULL,
    duration_us BIGINT NOT NULL,
    PRIMARY KEY (tenant, position)
);

-- Replies remembered under their idempotency key.
CREATE TABLE stoa_key (
    tenant TEXT NOT NULL,
    hash BYTEA NOT NULL,
    fingerprint BYTEA NOT NULL,
    position BIGINT NOT NULL,
    reply BYTEA NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (tenant, hash)
);
CREATE INDEX stoa_key_expires ON stoa_key (expires, tenant, hash);

-- Keys of effects that are at work, until when nobody else may begin, and who has begun.
CREATE TABLE stoa_claim (
    tenant TEXT NOT NULL,
    hash BYTEA NOT NULL,
    fingerprint BYTEA NOT NULL,
    holder BYTEA NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (tenant, hash)
);
CREATE INDEX stoa_claim_expires ON stoa_claim (expires, tenant, hash);

-- The log: a delivery queue, not the store of record. `depth` counts the reactions in a row that
-- led to an event.
CREATE TABLE stoa_event (
    tenant TEXT NOT NULL,
    position BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    topic TEXT NOT NULL,
    message TEXT NOT NULL,
    subject TEXT NOT NULL,
    depth BIGINT NOT NULL,
    payload BYTEA NOT NULL,
    PRIMARY KEY (tenant, position, ordinal)
);

-- How far each partition of each subscription has come, and which node handles it. State: empty,
-- `lost` where the log was swept past it, `retired` where no node subscribes any more. Where the
-- number of partitions changes, a new generation goes on, and the one before stays as `replaced`
-- until nobody needs to know any more what it has handled. `fill` is `page:` and the token of the
-- page that is filled next, and empty once events are delivered.
CREATE TABLE stoa_cursor (
    tenant TEXT NOT NULL,
    subscription TEXT NOT NULL,
    generation BIGINT NOT NULL,
    partition BIGINT NOT NULL,
    position BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    state TEXT NOT NULL,
    fill TEXT NOT NULL,
    holder TEXT NOT NULL,
    PRIMARY KEY (tenant, subscription, generation, partition)
);

-- Events that could not be handled, and those of the same subject behind them. `attempts` is 0
-- for one that only waits, and -1 for one that was released.
CREATE TABLE stoa_parked (
    tenant TEXT NOT NULL,
    subscription TEXT NOT NULL,
    subject TEXT NOT NULL,
    position BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    topic TEXT NOT NULL,
    message TEXT NOT NULL,
    depth BIGINT NOT NULL,
    payload BYTEA NOT NULL,
    attempts BIGINT NOT NULL,
    error TEXT NOT NULL,
    time BIGINT NOT NULL,
    PRIMARY KEY (tenant, subscription, subject, position, ordinal)
);
CREATE INDEX stoa_parked_released ON stoa_parked
    (attempts, tenant, subscription, subject, position, ordinal);

-- Jobs: `ready`, `leased`, `done` or `dead`. They run on somebody's behalf, and belong to the trace that
-- led to them. `run_at` is when a ready job is due, when a lease
-- ends, or when a job ended; it was decided at `time`. Each state has an index of its own, so that
-- to find what waits costs the same however much was done, and however many tenants have nothing.
CREATE TABLE stoa_job (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    method TEXT NOT NULL,
    request BYTEA NOT NULL,
    state TEXT NOT NULL,
    position BIGINT NOT NULL,
    run_at BIGINT NOT NULL,
    priority BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    lease BIGINT NOT NULL,
    dedupe TEXT,
    lane TEXT,
    behalf TEXT NOT NULL,
    credential TEXT NOT NULL,
    trace TEXT NOT NULL,
    depth BIGINT NOT NULL,
    error TEXT NOT NULL,
    time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX stoa_job_ready ON stoa_job (tenant, method, priority, run_at, id)
    WHERE state = 'ready';
CREATE INDEX stoa_job_due ON stoa_job (run_at, tenant, method, priority, id)
    WHERE state = 'ready';
CREATE INDEX stoa_job_leased ON stoa_job (run_at, tenant, id) WHERE state = 'leased';
CREATE INDEX stoa_job_lane ON stoa_job (tenant, lane, run_at)
    WHERE state = 'leased' AND lane IS NOT NULL;
CREATE INDEX stoa_job_done ON stoa_job (run_at, tenant, id) WHERE state = 'done';
CREATE INDEX stoa_job_dead ON stoa_job (tenant, method, id) WHERE state = 'dead';
CREATE UNIQUE INDEX stoa_job_dedupe ON stoa_job (tenant, method, dedupe)
    WHERE dedupe IS NOT NULL;
CREATE INDEX stoa_job_position ON stoa_job (tenant, position);

-- When each timer fires next if it goes by the clock, and how often it was moved, under the empty
-- tenant; in what round it fired last for a tenant, and when, under that.
CREATE TABLE stoa_timer (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    round BIGINT NOT NULL,
    last BIGINT NOT NULL,
    next BIGINT NOT NULL,
    schedule TEXT NOT NULL,
    PRIMARY KEY (tenant, name)
);

-- Rows granted one by one: of a type of resources, to a user or a service account, as what.
CREATE TABLE stoa_grant (
    tenant TEXT NOT NULL,
    type TEXT NOT NULL,
    id TEXT NOT NULL,
    grantee TEXT NOT NULL,
    relation TEXT NOT NULL,
    PRIMARY KEY (tenant, type, id, grantee, relation)
);
CREATE INDEX stoa_grant_grantee ON stoa_grant (tenant, grantee, type, id);

-- Keys of people, wrapped by the key of their tenant. One that was destroyed is empty, and stays so.
CREATE TABLE stoa_subject (
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    key BYTEA NOT NULL,
    erase_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, subject)
);

-- Settings that somebody set, as JSON; those that are secret are sealed with the key of the tenant.
CREATE TABLE stoa_setting (
    tenant TEXT NOT NULL,
    service TEXT NOT NULL,
    name TEXT NOT NULL,
    value BYTEA NOT NULL,
    source TEXT NOT NULL,
    time BIGINT NOT NULL,
    PRIMARY KEY (tenant, service, name)
);

-- The secret of the cell and the keys of its tenants, wrapped by the root key, which is in no row;
-- under the empty tenant.
CREATE TABLE stoa_secret (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    value BYTEA NOT NULL,
    PRIMARY KEY (tenant, name)
);
