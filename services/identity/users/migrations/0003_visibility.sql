-- Who sees which parts of a profile; nobody, where there is no row.
CREATE TABLE users_visibility (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    handle TEXT NOT NULL,
    email TEXT NOT NULL,
    display_name TEXT NOT NULL,
    locale TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    PRIMARY KEY (tenant, user_id)
);

-- Who finds a user by their handle: the same as in `users_visibility`, for lists.
ALTER TABLE users_user ADD COLUMN handle_audience TEXT NOT NULL DEFAULT 'nobody';
CREATE INDEX users_user_audience ON users_user (tenant, handle_audience, handle_key);

-- Who belongs to which organization, as `organizations` says.
CREATE TABLE users_affiliation (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    administrator BOOLEAN NOT NULL,
    PRIMARY KEY (tenant, user_id, organization_id)
);
CREATE INDEX users_affiliation_organization
    ON users_affiliation (tenant, organization_id, user_id);
