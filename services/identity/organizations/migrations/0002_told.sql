-- Whether `users` knows of a member; it does not of those from before.
ALTER TABLE organizations_member ADD COLUMN told BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX organizations_member_told
    ON organizations_member (tenant, told, organization_id, user_id);
