-- One row {{an entity}}.
CREATE TABLE {{service}}_{{entity}} (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX {{service}}_{{entity}}_name ON {{service}}_{{entity}} (tenant, name);
CREATE INDEX {{service}}_{{entity}}_owner ON {{service}}_{{entity}} (tenant, owner, name);
