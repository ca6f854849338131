-- People as a directory keeps them. What is said of them is sealed; the names by which it asks for them are
-- fingerprints.
CREATE TABLE scim_person (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    document BYTEA NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    user_name BYTEA NOT NULL,
    external_id BYTEA,
    PRIMARY KEY (tenant, user_id)
);
CREATE UNIQUE INDEX scim_person_user_name ON scim_person (tenant, user_name);
CREATE INDEX scim_person_external_id ON scim_person (tenant, external_id, user_id);

-- Groups, which are teams of one organization.
CREATE TABLE scim_group (
    tenant TEXT NOT NULL,
    team_id TEXT NOT NULL,
    document TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, team_id)
);
