-- Pictures. `file` names the blob with their bytes, and is sealed like those.
CREATE TABLE album_picture (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    title TEXT NOT NULL,
    file BYTEA NOT NULL,
    frame TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX album_picture_owner ON album_picture (tenant, owner_id, id);
