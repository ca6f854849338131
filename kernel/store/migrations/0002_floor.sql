-- Up to where the log has been swept: whoever follows from below has missed something.
CREATE TABLE stoa_floor (
    tenant TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (tenant)
);
