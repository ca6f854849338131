//! The rows of roles, and of who has them.

use stoa_auth_v1::{Role, RoleGrant};
use stoa_kit::{Result, Tx, View};

/// Deletes a role and takes it from everybody.
pub(crate) fn delete_role(tx: &mut Tx, name: &str) -> Result<()> {
    tx.execute("DELETE FROM auth_role_grant WHERE tenant = :tenant AND role = $1", name)?;
    tx.delete::<Role>(name)?;
    Ok(())
}

/// Everything that a user's roles grant.
pub(crate) fn permissions(view: &View, user_id: &str) -> Result<Vec<String>> {
    let roles: Vec<Role> = view.select(
        "SELECT {r} FROM auth_role_grant g JOIN auth_role r ON r.tenant = g.tenant AND r.name = g.role \
         WHERE g.tenant = :tenant AND g.user_id = $1",
        user_id,
    )?;
    let mut all: Vec<String> = roles.into_iter().flat_map(|role| role.permissions).collect();
    all.sort();
    all.dedup();
    Ok(all)
}

/// Grants a role to a user, who may have it already.
pub(crate) fn insert_grant(tx: &mut Tx, user_id: &str, role: &str) -> Result<()> {
    let (user_id, role) = (user_id.to_owned(), role.to_owned());
    tx.add_new(RoleGrant { user_id, role, ..RoleGrant::default() }, "user_id, role")?;
    Ok(())
}
