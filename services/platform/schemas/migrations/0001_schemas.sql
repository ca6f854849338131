-- One row a schema: a text, by whichever subject.
CREATE TABLE schemas_schema (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    schema TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
);
-- One text has one identifier.
CREATE UNIQUE INDEX schemas_schema_hash ON schemas_schema (tenant, hash);
CREATE INDEX schemas_schema_time ON schemas_schema (tenant, create_time, id);
-- The last identifier that was given.
CREATE TABLE schemas_counter (
    tenant TEXT NOT NULL,
    last BIGINT NOT NULL,
    PRIMARY KEY (tenant)
);
-- One row a subject, also when all of its versions are gone: their numbers never come again.
CREATE TABLE schemas_subject (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    last_version BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);
CREATE INDEX schemas_subject_state ON schemas_subject (tenant, state, name);
-- One row a version.
CREATE TABLE schemas_version (
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    version BIGINT NOT NULL,
    schema_id TEXT NOT NULL,
    state TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, subject, version)
);
CREATE INDEX schemas_version_state
    ON schemas_version (tenant, state, create_time, subject, version);
CREATE INDEX schemas_version_subject
    ON schemas_version (tenant, subject, state, create_time, version);
CREATE INDEX schemas_version_schema
    ON schemas_version (tenant, schema_id, state, create_time, subject, version);
CREATE INDEX schemas_version_both
    ON schemas_version (tenant, subject, schema_id, state, create_time, version);
-- What subjects promise; the empty one stands for all of which nothing else is said.
CREATE TABLE schemas_compatibility (
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    compatibility TEXT NOT NULL,
    policy TEXT NOT NULL,
    PRIMARY KEY (tenant, subject)
);
