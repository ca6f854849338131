-- Commits, as the tree has them: `entry` is the contract's Entry, without its leaf, and `time` and
-- `method` are those of it.
CREATE TABLE audit_entry (
    tenant TEXT NOT NULL,
    leaf_index BIGINT NOT NULL,
    time BIGINT NOT NULL,
    method TEXT NOT NULL,
    entry BYTEA NOT NULL,
    PRIMARY KEY (tenant, leaf_index)
);

-- What entries name, by its identifier: who asked, and what was touched. What is redacted is not here.
CREATE TABLE audit_about (
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    leaf_index BIGINT NOT NULL,
    PRIMARY KEY (tenant, subject, leaf_index)
);

-- The nodes of the tree, 256 of a level in a row, one behind the other: at level 0 the leaves, at each
-- further one the roots of full rows below.
CREATE TABLE audit_tile (
    tenant TEXT NOT NULL,
    level BIGINT NOT NULL,
    tile BIGINT NOT NULL,
    hashes BYTEA NOT NULL,
    PRIMARY KEY (tenant, level, tile)
);

-- The head of the tree: one row. `requests` counts the entries that somebody's request made, `told` those
-- of them of which a head was told, at `told_time`. Of the entries before `kept_from` only those are left that
-- were held when they would have been forgotten; `look_from` says where to look for more.
CREATE TABLE audit_head (
    tenant TEXT NOT NULL,
    size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    time BIGINT NOT NULL,
    signature BYTEA NOT NULL,
    requests BIGINT NOT NULL,
    told BIGINT NOT NULL,
    told_time BIGINT NOT NULL,
    kept_from BIGINT NOT NULL,
    look_from BIGINT NOT NULL,
    PRIMARY KEY (tenant)
);

-- What is kept as it is.
CREATE TABLE audit_hold (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    about TEXT NOT NULL,
    reason TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);

-- Those who were erased. What names them is redacted: from the entry `next` on while it is `due`; `held`
-- where a hold keeps some of it; `done`, and whatever comes later is kept without.
CREATE TABLE audit_erased (
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    state TEXT NOT NULL,
    next BIGINT NOT NULL,
    PRIMARY KEY (tenant, subject)
);
CREATE INDEX audit_erased_state ON audit_erased (tenant, state, subject);
