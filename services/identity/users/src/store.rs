//! The rows of users, and the claims on their names.

use stoa_kit::{Micros, Result, Tx, View};
use stoa_users_v1::{User, UserState};

use crate::model;

type Row = (String, String, String, String, String, String, String, bool, i64, i64, i64);

/// The start of every statement that reads users, as a literal.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT u.id, u.handle, u.email, u.display_name, u.locale, u.time_zone, \
             u.preferences, d.user_id IS NOT NULL, u.version, u.create_time, u.update_time \
             FROM users_user u LEFT JOIN users_disabled d \
             ON d.tenant = u.tenant AND d.user_id = u.id WHERE u.tenant = :tenant ",
            $rest
        )
    };
}

fn read(row: Row) -> Result<User> {
    let (id, handle, email, display_name, locale, time_zone, preferences, disabled, ..) = row;
    let (version, created, updated) = (row.8, row.9, row.10);
    let state = if disabled { UserState::Disabled } else { UserState::Active };
    let mut user = User {
        id,
        handle,
        email,
        display_name,
        locale,
        time_zone,
        state: state.into(),
        etag: version.to_string(),
        create_time: Micros(created).timestamp(),
        update_time: Micros(updated).timestamp(),
        ..User::default()
    };
    model::read_preferences(&mut user, &preferences)?;
    Ok(user)
}

/// A user by their identifier.
pub(crate) fn user(view: &View<'_>, id: &str) -> Result<Option<User>> {
    view.row::<Row>(select!("AND u.id = $1"), (id,))?.map(read).transpose()
}

/// The identifier of the user whose handle or address this is, normalised.
pub(crate) fn owner(view: &View<'_>, key: &str) -> Result<Option<String>> {
    let row = view.row::<(String,)>(
        "SELECT user_id FROM users_login WHERE tenant = :tenant AND key = $1",
        (key,),
    )?;
    Ok(row.map(|(id,)| id))
}

/// Users in the order of their handles, after one of them.
pub(crate) fn list(
    view: &View<'_>,
    (from, to): (&str, &str),
    disabled: Option<bool>,
    after: &str,
    limit: i64,
) -> Result<Vec<User>> {
    let rows = view.rows::<Row>(
        select!(
            "AND u.handle_key > $1 AND u.handle_key >= $2 AND u.handle_key < $3 \
             AND ($4 IS NULL OR (d.user_id IS NOT NULL) = $4) ORDER BY u.handle_key LIMIT $5"
        ),
        (after, from, to, disabled, limit),
    )?;
    rows.into_iter().map(read).collect()
}

/// Claims a normalised handle or address; false if somebody else has it.
pub(crate) fn claim(tx: &mut Tx<'_>, key: &str, user: &str) -> Result<bool> {
    let claimed = tx.execute(
        "INSERT INTO users_login (tenant, key, user_id) VALUES (:tenant, $1, $2) \
         ON CONFLICT (tenant, key) DO NOTHING",
        (key, user),
    )?;
    Ok(claimed == 1)
}

/// Gives a normalised handle or address back.
pub(crate) fn release(tx: &mut Tx<'_>, key: &str) -> Result<()> {
    tx.execute("DELETE FROM users_login WHERE tenant = :tenant AND key = $1", (key,))?;
    Ok(())
}

/// Writes a new user.
pub(crate) fn insert(tx: &mut Tx<'_>, user: &User) -> Result<()> {
    write(
        tx,
        "INSERT INTO users_user (tenant, id, handle, handle_key, email, email_key, display_name, \
         locale, time_zone, preferences, version, create_time, update_time) \
         VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $10)",
        user,
    )
}

/// Writes a user as changed.
pub(crate) fn update(tx: &mut Tx<'_>, user: &User) -> Result<()> {
    write(
        tx,
        "UPDATE users_user SET handle = $2, handle_key = $3, email = $4, email_key = $5, \
         display_name = $6, locale = $7, time_zone = $8, preferences = $9, \
         version = version + 1, update_time = $10 WHERE tenant = :tenant AND id = $1",
        user,
    )
}

fn write(tx: &mut Tx<'_>, sql: &'static str, user: &User) -> Result<()> {
    let params = (
        &user.id,
        &user.handle,
        model::normal(&user.handle),
        &user.email,
        model::normal(&user.email),
        &user.display_name,
        &user.locale,
        &user.time_zone,
        model::write_preferences(user)?,
        tx.now().0,
    );
    tx.execute(sql, params)?;
    Ok(())
}

/// Disables a user; false if they are disabled already.
pub(crate) fn disable(tx: &mut Tx<'_>, id: &str) -> Result<bool> {
    let changed = tx.execute(
        "INSERT INTO users_disabled (tenant, user_id, time) VALUES (:tenant, $1, $2) \
         ON CONFLICT (tenant, user_id) DO NOTHING",
        (id, tx.now().0),
    )?;
    Ok(changed == 1)
}

/// Enables a user; false if they are not disabled.
pub(crate) fn enable(tx: &mut Tx<'_>, id: &str) -> Result<bool> {
    let changed =
        tx.execute("DELETE FROM users_disabled WHERE tenant = :tenant AND user_id = $1", (id,))?;
    Ok(changed == 1)
}

/// Notes that a user administers, which they may do already.
pub(crate) fn appoint(tx: &mut Tx<'_>, id: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO users_administrator (tenant, user_id) VALUES (:tenant, $1) \
         ON CONFLICT (tenant, user_id) DO NOTHING",
        (id,),
    )?;
    Ok(())
}

/// Notes that a user does not administer any more.
pub(crate) fn dismiss(tx: &mut Tx<'_>, id: &str) -> Result<()> {
    tx.execute("DELETE FROM users_administrator WHERE tenant = :tenant AND user_id = $1", (id,))?;
    Ok(())
}

/// Whether a user is the one administrator who is active.
pub(crate) fn is_last_administrator(view: &View<'_>, id: &str) -> Result<bool> {
    let active = view.rows::<(String,)>(
        "SELECT a.user_id FROM users_administrator a LEFT JOIN users_disabled d \
         ON d.tenant = a.tenant AND d.user_id = a.user_id \
         WHERE a.tenant = :tenant AND d.user_id IS NULL ORDER BY a.user_id LIMIT 2",
        (),
    )?;
    Ok(matches!(active.as_slice(), [(only,)] if only == id))
}

/// Counts a change of state as a change of the user.
pub(crate) fn bump(tx: &mut Tx<'_>, id: &str) -> Result<()> {
    tx.execute(
        "UPDATE users_user SET version = version + 1, update_time = $2 \
         WHERE tenant = :tenant AND id = $1",
        (id, tx.now().0),
    )?;
    Ok(())
}
