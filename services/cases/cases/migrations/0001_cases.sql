-- One row a case.
CREATE TABLE cases_case (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    person TEXT NOT NULL,
    last_seq BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX cases_case_time ON cases_case (tenant, update_time, id);
CREATE INDEX cases_case_person ON cases_case (tenant, person, update_time, id);
-- One row an event. Its digest tells whether one that comes again is the same.
CREATE TABLE cases_event (
    tenant TEXT NOT NULL,
    case_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    id TEXT NOT NULL,
    source TEXT NOT NULL,
    type TEXT NOT NULL,
    time BIGINT,
    schema_id TEXT NOT NULL,
    person TEXT NOT NULL,
    data BYTEA NOT NULL,
    batch_first_seq BIGINT NOT NULL,
    batch_last_seq BIGINT NOT NULL,
    caller TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    PRIMARY KEY (tenant, case_id, seq)
);
-- An event is there once, in whichever case.
CREATE UNIQUE INDEX cases_event_id ON cases_event (tenant, source, id);
CREATE INDEX cases_event_person ON cases_event (tenant, person, case_id, seq);
-- One row an event that was refused.
CREATE TABLE cases_rejected (
    tenant TEXT NOT NULL,
    source TEXT NOT NULL,
    event_id TEXT NOT NULL,
    case_id TEXT NOT NULL,
    type TEXT NOT NULL,
    schema_id TEXT NOT NULL,
    violations TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    caller TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, source, event_id)
);
CREATE INDEX cases_rejected_time ON cases_rejected (tenant, update_time, source, event_id);
CREATE INDEX cases_rejected_case ON cases_rejected (tenant, case_id, update_time, source, event_id);
CREATE INDEX cases_rejected_expire ON cases_rejected (tenant, expire_time);
