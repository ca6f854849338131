-- One row a schedule.
CREATE TABLE scheduler_schedule (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    cron TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    every BIGINT,
    at BIGINT,
    method TEXT NOT NULL,
    request BYTEA NOT NULL,
    misfire TEXT NOT NULL,
    overlap TEXT NOT NULL,
    state TEXT NOT NULL,
    pause_reason TEXT NOT NULL,
    subject TEXT NOT NULL,
    key_id TEXT NOT NULL,
    next_time BIGINT,
    last_time BIGINT,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX scheduler_schedule_owner ON scheduler_schedule (tenant, owner, name);
CREATE INDEX scheduler_schedule_name ON scheduler_schedule (tenant, name, id);
CREATE INDEX scheduler_schedule_state ON scheduler_schedule (tenant, state, name, id);
CREATE INDEX scheduler_schedule_names ON scheduler_schedule (tenant, owner, name, id);
CREATE INDEX scheduler_schedule_next ON scheduler_schedule (tenant, next_time)
    WHERE next_time IS NOT NULL;
-- One row an occurrence.
CREATE TABLE scheduler_occurrence (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    schedule_id TEXT NOT NULL,
    planned_time BIGINT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    end_time BIGINT,
    expire_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
-- A time of a schedule comes once.
CREATE UNIQUE INDEX scheduler_occurrence_planned
    ON scheduler_occurrence (tenant, schedule_id, planned_time);
CREATE INDEX scheduler_occurrence_waiting ON scheduler_occurrence (tenant, schedule_id)
    WHERE state = 'waiting';
CREATE INDEX scheduler_occurrence_expire ON scheduler_occurrence (tenant, expire_time);
