//! The rows of users, and the claims on their names.

use stoa_identity::users::{User, UserState};
use stoa_kit::{Micros, Result, Tx, View};

use crate::model;

/// The columns that [`read`] reads, as a literal.
macro_rules! columns {
    () => {
        "id, handle, email, display_name, locale, time_zone, preferences, state, version, \
         create_time, update_time"
    };
}

type Row = (String, String, String, String, String, String, String, String, i64, i64, i64);

fn read(row: Row) -> Result<User> {
    let (id, handle, email, display_name, locale, time_zone, preferences, state, ..) = row;
    let (version, created, updated) = (row.8, row.9, row.10);
    let mut user = User {
        id,
        handle,
        email,
        display_name,
        locale,
        time_zone,
        state: read_state(&state).into(),
        etag: version.to_string(),
        create_time: Micros(created).timestamp(),
        update_time: Micros(updated).timestamp(),
        ..User::default()
    };
    model::read_preferences(&mut user, &preferences)?;
    Ok(user)
}

fn read_state(state: &str) -> UserState {
    match state {
        "active" => UserState::Active,
        _ => UserState::Disabled,
    }
}

/// A state as its column keeps it; none for no state in particular.
fn write_state(state: UserState) -> Option<&'static str> {
    match state {
        UserState::USER_STATE_UNSPECIFIED => None,
        UserState::USER_STATE_ACTIVE => Some("active"),
        UserState::USER_STATE_DISABLED => Some("disabled"),
    }
}

/// A user by their identifier.
pub(crate) fn user(view: &View<'_>, id: &str) -> Result<Option<User>> {
    const SQL: &str =
        concat!("SELECT ", columns!(), " FROM users_user WHERE tenant = :tenant AND id = $1");
    view.row::<Row>(SQL, (id,))?.map(read).transpose()
}

/// The identifier of the user whose handle or address this is, normalised.
pub(crate) fn owner(view: &View<'_>, key: &str) -> Result<Option<String>> {
    let row = view.row::<(String,)>(
        "SELECT user_id FROM users_login WHERE tenant = :tenant AND key = $1",
        (key,),
    )?;
    Ok(row.map(|(id,)| id))
}

/// What a list shows.
pub(crate) struct Filter<'a> {
    pub(crate) state: UserState,
    pub(crate) handle_prefix: &'a str,
    /// The one user who may be shown; none for no such limit.
    pub(crate) only: Option<&'a str>,
}

/// Users in the order of their handles, after one of them.
pub(crate) fn list(
    view: &View<'_>,
    filter: &Filter<'_>,
    after: &str,
    limit: i64,
) -> Result<Vec<User>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM users_user WHERE tenant = :tenant AND handle_key > $1 AND handle_key >= $2 \
         AND handle_key < $3 AND ($4 IS NULL OR state = $4) AND ($5 IS NULL OR id = $5) \
         ORDER BY handle_key LIMIT $6"
    );
    let (from, to) = model::range(filter.handle_prefix);
    let state = write_state(filter.state);
    let rows = view.rows::<Row>(SQL, (after, from, to, state, filter.only, limit))?;
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
pub(crate) fn insert(tx: &mut Tx<'_>, user: &User) -> Result<User> {
    const SQL: &str = concat!(
        "INSERT INTO users_user (tenant, id, handle, handle_key, email, email_key, display_name, \
         locale, time_zone, preferences, state, version, create_time, update_time) \
         VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7, $8, $9, 'active', 1, $10, $10) RETURNING ",
        columns!()
    );
    written(tx, SQL, user)
}

/// Writes a user as changed.
pub(crate) fn update(tx: &mut Tx<'_>, user: &User) -> Result<User> {
    const SQL: &str = concat!(
        "UPDATE users_user SET handle = $2, handle_key = $3, email = $4, email_key = $5, \
         display_name = $6, locale = $7, time_zone = $8, preferences = $9, \
         version = version + 1, update_time = $10 WHERE tenant = :tenant AND id = $1 RETURNING ",
        columns!()
    );
    written(tx, SQL, user)
}

fn written(tx: &mut Tx<'_>, sql: &'static str, user: &User) -> Result<User> {
    let preferences = model::write_preferences(user)?;
    let row = tx.row::<Row>(
        sql,
        (
            &user.id,
            &user.handle,
            model::normal(&user.handle),
            &user.email,
            model::normal(&user.email),
            &user.display_name,
            &user.locale,
            &user.time_zone,
            preferences,
            tx.now().0,
        ),
    )?;
    row.map(read).transpose()?.ok_or_else(|| stoa_kit::Error::not_found("user", &user.id))
}

/// Moves a user into a state; false if they are in it already or there is no such user.
pub(crate) fn set_state(tx: &mut Tx<'_>, id: &str, state: UserState) -> Result<bool> {
    let changed = tx.execute(
        "UPDATE users_user SET state = $2, version = version + 1, update_time = $3 \
         WHERE tenant = :tenant AND id = $1 AND state <> $2",
        (id, write_state(state), tx.now().0),
    )?;
    Ok(changed == 1)
}
