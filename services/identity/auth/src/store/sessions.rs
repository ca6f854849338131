//! The rows of sessions.

use stoa_auth_v1::Session;
use stoa_kit::{Micros, Result, Tx, View};

use super::note_revoked;
use crate::model;

/// What a token of a session stands for.
pub(crate) struct Bearer {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) last_use: Micros,
    pub(crate) expire: Micros,
}

/// The session with this hash of a token.
pub(crate) fn session_of(view: &View<'_>, token_hash: &[u8]) -> Result<Option<Bearer>> {
    let row = view.row::<(String, String, i64, i64)>(
        "SELECT s.id, s.user_id, COALESCE(u.time, s.create_time), s.expire_time \
         FROM auth_session s LEFT JOIN auth_use u \
         ON u.tenant = s.tenant AND u.credential_id = s.id \
         WHERE s.tenant = :tenant AND s.token_hash = $1",
        (token_hash,),
    )?;
    Ok(row.map(|(id, user_id, last_use, expire)| Bearer {
        id,
        user_id,
        last_use: Micros(last_use),
        expire: Micros(expire),
    }))
}

type SessionRow = (String, String, String, String, i64, i64, i64);

macro_rules! select_sessions {
    ($rest:literal) => {
        concat!(
            "SELECT s.id, s.user_id, s.label, s.address, s.create_time, \
             COALESCE(u.time, s.create_time), s.expire_time FROM auth_session s \
             LEFT JOIN auth_use u ON u.tenant = s.tenant AND u.credential_id = s.id \
             WHERE s.tenant = :tenant ",
            $rest
        )
    };
}

fn read_session(view: &View<'_>, row: SessionRow) -> Session {
    let (id, user_id, label, address, created, last_use, expire) = row;
    Session {
        current: *view.caller().credential == *id,
        id,
        user_id,
        label,
        address,
        create_time: Micros(created).timestamp(),
        last_use_time: Micros(last_use).timestamp(),
        idle_expire_time: model::session_end(Micros(last_use), Micros(expire)).timestamp(),
        expire_time: Micros(expire).timestamp(),
    }
}

/// A session by its identifier.
pub(crate) fn session(view: &View<'_>, id: &str) -> Result<Option<Session>> {
    let row = view.row::<SessionRow>(select_sessions!("AND s.id = $1"), (id,))?;
    Ok(row.map(|row| read_session(view, row)))
}

/// Sessions that can still be used, of one user or of all, the oldest first.
pub(crate) fn sessions(
    view: &View<'_>,
    user_id: Option<&str>,
    after: &str,
    limit: i64,
) -> Result<Vec<Session>> {
    const ALL: &str = select_sessions!(
        "AND s.id > $1 AND s.expire_time > $3 AND COALESCE(u.time, s.create_time) > $4 \
         ORDER BY s.id LIMIT $2"
    );
    const OF_USER: &str = select_sessions!(
        "AND s.user_id = $5 AND s.id > $1 AND s.expire_time > $3 \
         AND COALESCE(u.time, s.create_time) > $4 ORDER BY s.id LIMIT $2"
    );
    let (now, idle) = (view.now().0, view.now().before(model::SESSION_IDLE).0);
    let rows = match user_id {
        None => view.rows::<SessionRow>(ALL, (after, limit, now, idle))?,
        Some(user) => view.rows::<SessionRow>(OF_USER, (after, limit, now, idle, user))?,
    };
    Ok(rows.into_iter().map(|row| read_session(view, row)).collect())
}

/// A session that is to be kept.
pub(crate) struct Opened<'a> {
    pub(crate) user_id: &'a str,
    pub(crate) token_hash: &'a [u8],
    pub(crate) label: &'a str,
    pub(crate) address: &'a str,
}

/// Opens a session.
pub(crate) fn insert_session(tx: &mut Tx<'_>, opened: &Opened<'_>) -> Result<String> {
    let id = tx.new_id("ses");
    let Opened { user_id, token_hash, label, address } = opened;
    tx.insert(
        "INSERT INTO auth_session (tenant, id, user_id, token_hash, label, address, create_time, \
         expire_time) VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7)",
        (&id, user_id, token_hash, label, address, tx.now().0, tx.after(model::SESSION_LIFE).0),
    )?;
    Ok(id)
}

/// Ends sessions of a user, but for one; gives how many there were.
pub(crate) fn revoke_sessions(tx: &mut Tx<'_>, user_id: &str, but: &str) -> Result<usize> {
    let revoked = tx.rows::<(String,)>(
        "DELETE FROM auth_session WHERE tenant = :tenant AND user_id = $1 AND id <> $2 \
         RETURNING id",
        (user_id, but),
    )?;
    for (id,) in &revoked {
        note_revoked(tx, id)?;
    }
    Ok(revoked.len())
}

/// Ends a session; false if there is none.
pub(crate) fn revoke_session(tx: &mut Tx<'_>, id: &str) -> Result<bool> {
    let deleted =
        tx.execute("DELETE FROM auth_session WHERE tenant = :tenant AND id = $1", (id,))?;
    if deleted == 1 {
        note_revoked(tx, id)?;
    }
    Ok(deleted == 1)
}
