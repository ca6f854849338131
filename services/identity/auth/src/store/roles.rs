//! The rows of roles, and of who has them.

use stoa_auth_v1::{Role, RoleGrant};
use stoa_kit::{Micros, Result, Tx, View};

use crate::model;

type RoleRow = (String, String, String, i64, i64, i64);

fn read_role(row: RoleRow) -> Role {
    let (name, description, permissions, version, created, updated) = row;
    Role {
        built_in: name == model::ADMINISTRATOR,
        name,
        description,
        permissions: model::split(&permissions),
        etag: version.to_string(),
        create_time: Micros(created).timestamp(),
        update_time: Micros(updated).timestamp(),
    }
}

/// A role by its name.
pub(crate) fn role(view: &View<'_>, name: &str) -> Result<Option<Role>> {
    let row = view.row::<RoleRow>(
        "SELECT name, description, permissions, version, create_time, update_time \
         FROM auth_role WHERE tenant = :tenant AND name = $1",
        (name,),
    )?;
    Ok(row.map(read_role))
}

/// Roles in the order of their names.
pub(crate) fn roles(view: &View<'_>, after: &str, limit: i64) -> Result<Vec<Role>> {
    let rows = view.rows::<RoleRow>(
        "SELECT name, description, permissions, version, create_time, update_time \
         FROM auth_role WHERE tenant = :tenant AND name > $1 ORDER BY name LIMIT $2",
        (after, limit),
    )?;
    Ok(rows.into_iter().map(read_role).collect())
}

/// Keeps a new role; none if the name is taken.
pub(crate) fn insert_role(
    tx: &mut Tx<'_>,
    name: &str,
    description: &str,
    permissions: &[String],
) -> Result<Option<Role>> {
    let row = tx.row::<RoleRow>(
        "INSERT INTO auth_role (tenant, name, description, permissions, version, create_time, \
         update_time) VALUES (:tenant, $1, $2, $3, 1, $4, $4) \
         ON CONFLICT (tenant, name) DO NOTHING \
         RETURNING name, description, permissions, version, create_time, update_time",
        (name, description, model::join(permissions), tx.now().0),
    )?;
    Ok(row.map(read_role))
}

/// Replaces what a role grants.
pub(crate) fn update_role(
    tx: &mut Tx<'_>,
    name: &str,
    description: &str,
    permissions: &[String],
) -> Result<Option<Role>> {
    let row = tx.row::<RoleRow>(
        "UPDATE auth_role SET description = $2, permissions = $3, version = version + 1, \
         update_time = $4 WHERE tenant = :tenant AND name = $1 \
         RETURNING name, description, permissions, version, create_time, update_time",
        (name, description, model::join(permissions), tx.now().0),
    )?;
    Ok(row.map(read_role))
}

/// Deletes a role and takes it from everybody.
pub(crate) fn delete_role(tx: &mut Tx<'_>, name: &str) -> Result<()> {
    tx.execute("DELETE FROM auth_role_grant WHERE tenant = :tenant AND role = $1", (name,))?;
    tx.execute("DELETE FROM auth_role WHERE tenant = :tenant AND name = $1", (name,))?;
    Ok(())
}

/// Everything that a user's roles grant.
pub(crate) fn permissions(view: &View<'_>, user_id: &str) -> Result<Vec<String>> {
    let rows = view.rows::<(String,)>(
        "SELECT r.permissions FROM auth_role_grant g \
         JOIN auth_role r ON r.tenant = g.tenant AND r.name = g.role \
         WHERE g.tenant = :tenant AND g.user_id = $1 ORDER BY r.name",
        (user_id,),
    )?;
    let mut all: Vec<String> = rows.iter().flat_map(|(text,)| model::split(text)).collect();
    all.sort();
    all.dedup();
    Ok(all)
}

type GrantRow = (String, String, i64);

fn read_grant((role, user_id, created): GrantRow) -> RoleGrant {
    RoleGrant { role, user_id, create_time: Micros(created).timestamp() }
}

/// A user's grant of a role.
pub(crate) fn grant(view: &View<'_>, user_id: &str, role: &str) -> Result<Option<RoleGrant>> {
    let row = view.row::<GrantRow>(
        "SELECT role, user_id, create_time FROM auth_role_grant \
         WHERE tenant = :tenant AND user_id = $1 AND role = $2",
        (user_id, role),
    )?;
    Ok(row.map(read_grant))
}

/// Grants a role to a user, who may have it already.
pub(crate) fn insert_grant(tx: &mut Tx<'_>, user_id: &str, role: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO auth_role_grant (tenant, user_id, role, create_time) \
         VALUES (:tenant, $1, $2, $3) ON CONFLICT (tenant, user_id, role) DO NOTHING",
        (user_id, role, tx.now().0),
    )?;
    Ok(())
}

/// Takes a role from a user; false if they did not have it.
pub(crate) fn delete_grant(tx: &mut Tx<'_>, user_id: &str, role: &str) -> Result<bool> {
    let deleted = tx.execute(
        "DELETE FROM auth_role_grant WHERE tenant = :tenant AND user_id = $1 AND role = $2",
        (user_id, role),
    )?;
    Ok(deleted == 1)
}

/// Who has which role, by user and role, after a user and role.
pub(crate) fn grants(
    view: &View<'_>,
    user_id: Option<&str>,
    role: Option<&str>,
    (after_user, after_role): (&str, &str),
    limit: i64,
) -> Result<Vec<RoleGrant>> {
    const OF_USER: &str = "SELECT role, user_id, create_time FROM auth_role_grant \
         WHERE tenant = :tenant AND user_id = $4 AND (user_id > $1 OR (user_id = $1 AND role > $2)) \
         AND ($5 IS NULL OR role = $5) ORDER BY user_id, role LIMIT $3";
    const OF_ROLE: &str = "SELECT role, user_id, create_time FROM auth_role_grant \
         WHERE tenant = :tenant AND role = $4 AND (user_id > $1 OR (user_id = $1 AND role > $2)) \
         ORDER BY user_id LIMIT $3";
    const ALL: &str = "SELECT role, user_id, create_time FROM auth_role_grant \
         WHERE tenant = :tenant AND (user_id > $1 OR (user_id = $1 AND role > $2)) \
         ORDER BY user_id, role LIMIT $3";
    let rows = match (user_id, role) {
        (Some(user), role) => {
            view.rows::<GrantRow>(OF_USER, (after_user, after_role, limit, user, role))?
        }
        (None, Some(role)) => {
            view.rows::<GrantRow>(OF_ROLE, (after_user, after_role, limit, role))?
        }
        (None, None) => view.rows::<GrantRow>(ALL, (after_user, after_role, limit))?,
    };
    Ok(rows.into_iter().map(read_grant).collect())
}
