-- Locks, while somebody holds them or waits, and for an hour after.
CREATE TABLE sync_lock (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    permits BIGINT NOT NULL,
    held BIGINT NOT NULL,
    waiting BIGINT NOT NULL,
    number BIGINT NOT NULL,
    expire_time BIGINT,
    PRIMARY KEY (tenant, name)
);
CREATE INDEX sync_lock_expire ON sync_lock (tenant, expire_time);
-- One row for each that holds or waits.
CREATE TABLE sync_lease (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    owner TEXT NOT NULL,
    lock TEXT NOT NULL,
    state TEXT NOT NULL,
    permits BIGINT NOT NULL,
    place BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    lease_seconds BIGINT NOT NULL,
    wait_seconds BIGINT NOT NULL,
    note TEXT NOT NULL,
    expire_time BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
-- Who is next, and who holds.
CREATE INDEX sync_lease_line ON sync_lease (tenant, lock, state, place);
CREATE INDEX sync_lease_fence ON sync_lease (tenant, lock, fence);
CREATE INDEX sync_lease_over ON sync_lease (tenant, lock, expire_time);
CREATE INDEX sync_lease_expire ON sync_lease (tenant, expire_time);
CREATE INDEX sync_lease_place ON sync_lease (tenant, place, id);
CREATE INDEX sync_lease_lock ON sync_lease (tenant, lock, place, id);
CREATE INDEX sync_lease_owner ON sync_lease (tenant, owner, place, id);
CREATE INDEX sync_lease_own ON sync_lease (tenant, owner, lock, place, id);
-- Barriers, while somebody waits there, and for an hour after.
CREATE TABLE sync_barrier (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    parties BIGINT NOT NULL,
    arrived BIGINT NOT NULL,
    round BIGINT NOT NULL,
    expire_time BIGINT,
    PRIMARY KEY (tenant, name)
);
CREATE INDEX sync_barrier_expire ON sync_barrier (tenant, expire_time);
-- One row for each that waits at a barrier.
CREATE TABLE sync_party (
    tenant TEXT NOT NULL,
    barrier TEXT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    expire_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, barrier, owner, name)
);
CREATE INDEX sync_party_over ON sync_party (tenant, barrier, expire_time);
CREATE INDEX sync_party_expire ON sync_party (tenant, expire_time);
CREATE INDEX sync_party_owner ON sync_party (tenant, owner);
