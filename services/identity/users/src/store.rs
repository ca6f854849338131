//! The rows of users, and the claims on their names.

use stoa_kit::{Result, Tx, View, tagged};
use stoa_users_v1::{User, UserState};

/// What handles and addresses are known by.
const LOGIN: &str = "login";

/// The start of every statement that reads users, as a literal.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT {u}, d.user_id IS NOT NULL FROM users_user u LEFT JOIN users_disabled d \
             ON d.tenant = u.tenant AND d.user_id = u.id WHERE u.tenant = :tenant ",
            $rest
        )
    };
}

fn with_state((user, (disabled,)): (User, (bool,))) -> User {
    let state = if disabled { UserState::Disabled } else { UserState::Active };
    tagged(User { state: state.into(), ..user })
}

/// A user by their identifier.
pub(crate) fn user(view: &View, id: &str) -> Result<Option<User>> {
    let rows = view.select_with(select!("AND u.id = $1"), id)?;
    Ok(rows.into_iter().next().map(with_state))
}

/// Users by their identifiers, in no particular order.
pub(crate) fn users(view: &View, ids: &[String]) -> Result<Vec<User>> {
    let rows = view.select_with(select!("AND u.id = ANY ($1)"), (ids,))?;
    Ok(rows.into_iter().map(with_state).collect())
}

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
    view: &View, (from, to): (&str, &str), disabled: Option<bool>, after: &str, limit: i64,
) -> Result<Vec<User>> {
    let rows = view.select_with(
        select!(
            "AND u.handle_key > $1 AND u.handle_key >= $2 AND u.handle_key < $3 \
             AND ($4 IS NULL OR (d.user_id IS NOT NULL) = $4) ORDER BY u.handle_key LIMIT $5"
        ),
        (after, from, to, disabled, limit),
    )?;
    Ok(rows.into_iter().map(with_state).collect())
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

/// Disables a user; false if they are disabled already.
pub(crate) fn disable(tx: &mut Tx, id: &str) -> Result<bool> {
    let changed = tx.execute(
        "INSERT INTO users_disabled (tenant, user_id, time) VALUES (:tenant, $1, $2) \
         ON CONFLICT (tenant, user_id) DO NOTHING",
        (id, tx.now().0),
    )?;
    Ok(changed == 1)
}

/// Enables a user; false if they are not disabled.
pub(crate) fn enable(tx: &mut Tx, id: &str) -> Result<bool> {
    let changed =
        tx.execute("DELETE FROM users_disabled WHERE tenant = :tenant AND user_id = $1", (id,))?;
    Ok(changed == 1)
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

/// Whether a user is the one administrator who is active.
pub(crate) fn is_last_administrator(view: &View, id: &str) -> Result<bool> {
    let active = view.rows::<(String,)>(
        "SELECT a.user_id FROM users_administrator a LEFT JOIN users_disabled d \
         ON d.tenant = a.tenant AND d.user_id = a.user_id \
         WHERE a.tenant = :tenant AND d.user_id IS NULL ORDER BY a.user_id LIMIT 2 \
         /* whole: few administer */",
        (),
    )?;
    Ok(matches!(active.as_slice(), [(only,)] if only == id))
}
