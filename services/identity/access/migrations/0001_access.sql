-- Models, as text. The newest counts.
CREATE TABLE access_model (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    definition TEXT NOT NULL,
    number BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX access_model_number ON access_model (tenant, number);

-- Who has which relation to what. Through `many`, the few users that stand for many are found without
-- those who stand for themselves.
CREATE TABLE access_relation (
    tenant TEXT NOT NULL,
    object TEXT NOT NULL,
    relation TEXT NOT NULL,
    subject TEXT NOT NULL,
    many BOOLEAN NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, object, relation, subject)
);
CREATE INDEX access_relation_many ON access_relation (tenant, object, relation, many, subject);
CREATE INDEX access_relation_subject ON access_relation (tenant, subject, relation, object);
