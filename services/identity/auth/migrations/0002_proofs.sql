-- How whoever opened a session proved who they are, and when they last did.
ALTER TABLE auth_session ADD COLUMN methods TEXT NOT NULL DEFAULT '';
ALTER TABLE auth_session ADD COLUMN auth_time BIGINT NOT NULL DEFAULT 0;
