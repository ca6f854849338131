-- What is allowed and denied beside relations. `object_type` is the type of the objects that it is about: a
-- decision takes those of a type and a relation.
CREATE TABLE access_rule (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    effect TEXT NOT NULL,
    priority BIGINT NOT NULL,
    subject TEXT NOT NULL,
    role TEXT NOT NULL,
    holder TEXT NOT NULL,
    relation TEXT NOT NULL,
    object TEXT NOT NULL,
    condition TEXT NOT NULL,
    object_type TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);
CREATE INDEX access_rule_asked ON access_rule (tenant, object_type, relation, name);
CREATE INDEX access_rule_type ON access_rule (tenant, object_type, name);
