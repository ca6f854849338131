//! The rows of users, and the claims on their names.

use buffa::EnumValue;
use stoa_kit::{Result, Tx, View, Wanted};
use stoa_users_v1::{
    Audience, PreferenceDefinition, SharedPreference, User, UserPreference, Visibility,
};

/// What handles and addresses are known by.
const LOGIN: &str = "login";

/// The identifier of the user whose handle or address this is, normalised.
pub(crate) fn owner(view: &View, key: &str) -> Result<Option<String>> {
    let row = view.row::<(String,)>(
        "SELECT user_id FROM users_login WHERE tenant = :tenant AND key = $1",
        (view.fingerprint(LOGIN, key)?,),
    )?;
    Ok(row.map(|(id,)| id))
}

/// The users of identifiers.
pub(crate) fn some(view: &View, ids: &[String]) -> Result<Vec<User>> {
    view.all("id = ANY ($1)", (ids,))
}

/// Users in the order of their handles, after one of them.
pub(crate) fn list(
    view: &View, (from, to): (&str, &str), state: impl Wanted, after: &str, limit: i64,
) -> Result<Vec<User>> {
    view.all(
        "handle_key > $1 AND handle_key >= $2 AND handle_key < $3 \
         AND ($4 = '' OR state = $4) ORDER BY handle_key LIMIT $5",
        (after, from, to, state, limit),
    )
}

/// Claims a normalised handle or address; false if somebody else has it.
pub(crate) fn claim(tx: &mut Tx, key: &str, user: &str) -> Result<bool> {
    let claimed = tx.execute(
        "INSERT INTO users_login (tenant, key, user_id) VALUES (:tenant, $1, $2) \
         ON CONFLICT (tenant, key) DO NOTHING",
        (tx.fingerprint(LOGIN, key)?, user),
    )?;
    Ok(claimed == 1)
}

/// Gives a normalised handle or address back.
pub(crate) fn release(tx: &mut Tx, key: &str) -> Result<()> {
    let key = tx.fingerprint(LOGIN, key)?;
    tx.execute("DELETE FROM users_login WHERE tenant = :tenant AND key = $1", (key,))?;
    Ok(())
}

/// Notes that a user administers, which they may do already.
pub(crate) fn appoint(tx: &mut Tx, id: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO users_administrator (tenant, user_id) VALUES (:tenant, $1) \
         ON CONFLICT (tenant, user_id) DO NOTHING",
        (id,),
    )?;
    Ok(())
}

/// Notes that a user does not administer any more.
pub(crate) fn dismiss(tx: &mut Tx, id: &str) -> Result<()> {
    tx.execute("DELETE FROM users_administrator WHERE tenant = :tenant AND user_id = $1", (id,))?;
    Ok(())
}

/// Whether a user administers.
pub(crate) fn administers(view: &View, id: &str) -> Result<bool> {
    let row = view.row::<(String,)>(
        "SELECT user_id FROM users_administrator WHERE tenant = :tenant AND user_id = $1",
        (id,),
    )?;
    Ok(row.is_some())
}

/// Whether a user is the one administrator who is active.
pub(crate) fn is_last_administrator(view: &View, id: &str) -> Result<bool> {
    let active = view.rows::<(String,)>(
        "SELECT a.user_id FROM users_administrator a JOIN users_user u \
         ON u.tenant = a.tenant AND u.id = a.user_id \
         WHERE a.tenant = :tenant AND u.state = 'active' ORDER BY a.user_id LIMIT 2 \
         /* whole: few administer */",
        (),
    )?;
    Ok(matches!(active.as_slice(), [(only,)] if only == id))
}

/// Preferences of a tenant.
pub(crate) const DEFINITIONS_MAX: usize = 200;
/// Values that are looked at when a preference is defined otherwise, of users and of others.
pub(crate) const VALUES_MAX: usize = 10_000;

/// What preferences there are.
pub(crate) fn definitions(view: &View) -> Result<Vec<PreferenceDefinition>> {
    view.all("key > '' ORDER BY key LIMIT $1", (DEFINITIONS_MAX as i64,))
}

/// What a user set.
pub(crate) fn of_user(view: &View, user: &str) -> Result<Vec<UserPreference>> {
    view.all("user_id = $1 ORDER BY key LIMIT $2", (user, VALUES_MAX as i64))
}

/// What was set for an organization, or for everybody.
pub(crate) fn of_organization(view: &View, organization: &str) -> Result<Vec<SharedPreference>> {
    view.all("organization_id = $1 ORDER BY key LIMIT $2", (organization, VALUES_MAX as i64))
}

/// What users set a preference to.
pub(crate) fn of_key(view: &View, key: &str) -> Result<Vec<UserPreference>> {
    view.all("key = $1 ORDER BY user_id LIMIT $2", (key, VALUES_MAX as i64))
}

/// What a preference was set to for organizations and for everybody.
pub(crate) fn shared_of_key(view: &View, key: &str) -> Result<Vec<SharedPreference>> {
    view.all("key = $1 ORDER BY organization_id LIMIT $2", (key, VALUES_MAX as i64))
}

/// Whether a user administers an organization; nothing where they do not belong to it.
pub(crate) fn affiliation(view: &View, user: &str, organization: &str) -> Result<Option<bool>> {
    let row = view.row::<(bool,)>(
        "SELECT administrator FROM users_affiliation WHERE tenant = :tenant AND user_id = $1 \
         AND organization_id = $2",
        (user, organization),
    )?;
    Ok(row.map(|(administrator,)| administrator))
}

/// Whether anybody belongs to an organization.
pub(crate) fn is_affiliated(view: &View, organization: &str) -> Result<bool> {
    let row = view.row::<(String,)>(
        "SELECT user_id FROM users_affiliation WHERE tenant = :tenant AND organization_id = $1 \
         ORDER BY user_id LIMIT 1",
        (organization,),
    )?;
    Ok(row.is_some())
}

/// Notes that a user belongs to an organization.
pub(crate) fn affiliate(
    tx: &mut Tx, user: &str, organization: &str, administrator: bool,
) -> Result<()> {
    tx.execute(
        "INSERT INTO users_affiliation (tenant, user_id, organization_id, administrator) \
         VALUES (:tenant, $1, $2, $3) \
         ON CONFLICT (tenant, user_id, organization_id) DO UPDATE SET administrator = $3",
        (user, organization, administrator),
    )?;
    Ok(())
}

/// Notes that a user belongs to an organization no longer.
pub(crate) fn part(tx: &mut Tx, user: &str, organization: &str) -> Result<()> {
    tx.execute(
        "DELETE FROM users_affiliation WHERE tenant = :tenant AND user_id = $1 \
         AND organization_id = $2",
        (user, organization),
    )?;
    Ok(())
}

/// Notes that an organization is no more.
pub(crate) fn dissolve(tx: &mut Tx, organization: &str) -> Result<()> {
    const ALL: [&str; 2] = [
        "DELETE FROM users_affiliation WHERE tenant = :tenant AND organization_id = $1",
        "DELETE FROM users_shared_preference WHERE tenant = :tenant AND organization_id = $1",
    ];
    for sql in ALL {
        tx.execute(sql, (organization,))?;
    }
    Ok(())
}

/// Forgets all that is kept beside the row of a user.
pub(crate) fn forget(tx: &mut Tx, user: &str) -> Result<()> {
    const ALL: [&str; 3] = [
        "DELETE FROM users_affiliation WHERE tenant = :tenant AND user_id = $1",
        "DELETE FROM users_preference WHERE tenant = :tenant AND user_id = $1",
        "DELETE FROM users_visibility WHERE tenant = :tenant AND user_id = $1",
    ];
    for sql in ALL {
        tx.execute(sql, (user,))?;
    }
    Ok(())
}

/// What some users said of who sees them.
pub(crate) fn visibility_of(view: &View, users: &[String]) -> Result<Vec<Visibility>> {
    view.all("user_id = ANY ($1)", (users,))
}

/// Those of some users who belong to an organization that this one belongs to.
pub(crate) fn among_own(view: &View, user: &str, users: &[String]) -> Result<Vec<String>> {
    let found = view.rows::<(String,)>(
        "SELECT DISTINCT b.user_id FROM users_affiliation a JOIN users_affiliation b \
         ON b.tenant = a.tenant AND b.organization_id = a.organization_id \
         WHERE a.tenant = :tenant AND a.user_id = $1 AND b.user_id = ANY ($2)",
        (user, users),
    )?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// Keeps beside a user who finds them by their handle.
pub(crate) fn show_handle(tx: &mut Tx, user: &str, to: EnumValue<Audience>) -> Result<()> {
    tx.execute(
        "UPDATE users_user SET handle_audience = $2 WHERE tenant = :tenant AND id = $1",
        (user, to),
    )?;
    Ok(())
}

/// Users who show their handle to everybody, in the order of handles.
pub(crate) fn open(
    view: &View, (from, to): (&str, &str), after: &str, limit: i64,
) -> Result<Vec<User>> {
    view.all(
        "handle_audience = 'everybody' AND handle_key > $1 AND handle_key >= $2 \
         AND handle_key < $3 ORDER BY handle_key LIMIT $4",
        (after, from, to, limit),
    )
}

/// Users who show their handle to those of their organizations, of which this one is in some.
pub(crate) fn near(
    view: &View, user: &str, (from, to): (&str, &str), after: &str, limit: i64,
) -> Result<Vec<User>> {
    view.select::<User>(
        "SELECT {u} FROM users_user u WHERE u.tenant = :tenant AND u.id IN \
         (SELECT b.user_id FROM users_affiliation a JOIN users_affiliation b \
          ON b.tenant = a.tenant AND b.organization_id = a.organization_id \
          WHERE a.tenant = :tenant AND a.user_id = $1) \
         AND u.handle_audience = 'organizations' AND u.handle_key > $2 AND u.handle_key >= $3 \
         AND u.handle_key < $4 ORDER BY u.handle_key LIMIT $5",
        (user, after, from, to, limit),
    )
}
