-- Bytes that lie elsewhere, each from before the first of them is written until after the last is gone:
-- `coming`, `staged` once all of them are durable, `kept` once a row holds them, `going` once none does.
-- `key` opens them, wrapped by the key of `subject`, or of the tenant where that is empty. `place` says
-- which column holds them, `holder` of which row, as a hash. `time` is when the state was taken.
CREATE TABLE stoa_blob (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    state TEXT NOT NULL,
    uploader TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    key BYTEA NOT NULL,
    subject TEXT NOT NULL,
    place TEXT NOT NULL,
    holder BYTEA,
    time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX stoa_blob_holder ON stoa_blob (tenant, holder) WHERE state = 'kept';
CREATE INDEX stoa_blob_subject ON stoa_blob (tenant, subject) WHERE subject <> '';
CREATE INDEX stoa_blob_uploader ON stoa_blob (tenant, uploader) WHERE state IN ('coming', 'staged');
CREATE INDEX stoa_blob_past ON stoa_blob (time, tenant, id) WHERE state <> 'kept';

-- What each tenant has of what is counted.
CREATE TABLE stoa_usage (
    tenant TEXT NOT NULL,
    blob_bytes BIGINT NOT NULL,
    PRIMARY KEY (tenant)
);

-- Bytes of blobs that a tenant may have; 0 for no limit.
ALTER TABLE stoa_tenant ADD COLUMN blob_bytes_max BIGINT NOT NULL DEFAULT 0;
