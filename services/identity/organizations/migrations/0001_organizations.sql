-- One row an organization.
CREATE TABLE organizations_organization (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);

-- Who belongs to it, and as what.
CREATE TABLE organizations_member (
    tenant TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    role TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, organization_id, user_id)
);
CREATE INDEX organizations_member_user ON organizations_member (tenant, user_id, organization_id);
CREATE INDEX organizations_member_role ON organizations_member (tenant, organization_id, role, user_id);

-- Who may come to it: one for an address, whose fingerprint is `address`. The address itself is sealed.
CREATE TABLE organizations_invitation (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    email BYTEA NOT NULL,
    address BYTEA NOT NULL,
    role TEXT NOT NULL,
    inviter_id TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX organizations_invitation_address
    ON organizations_invitation (tenant, organization_id, address);
CREATE INDEX organizations_invitation_list ON organizations_invitation (tenant, organization_id, id);
CREATE INDEX organizations_invitation_inviter ON organizations_invitation (tenant, inviter_id, id);
CREATE INDEX organizations_invitation_invited ON organizations_invitation (tenant, address, id);

-- Teams of an organization.
CREATE TABLE organizations_team (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX organizations_team_list ON organizations_team (tenant, organization_id, id);

-- Who is in a team. By the organization, all are found who leave it.
CREATE TABLE organizations_team_member (
    tenant TEXT NOT NULL,
    team_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (tenant, team_id, user_id)
);
CREATE INDEX organizations_team_member_user
    ON organizations_team_member (tenant, organization_id, user_id, team_id);
