//! The rows of users, and the claims on their names.

use stoa_kit::{Result, Tx, View, Wanted};
use stoa_users_v1::User;

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
