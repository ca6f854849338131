//! The rows of sessions.

use std::time::Duration;

use stoa_auth_v1::{Session, SessionEnded, SessionsEnded, Settings};
use stoa_kit::{Error, Micros, Result, Tx, View};

use super::{forget_use, last_use};
use crate::model;

macro_rules! select_sessions {
    ($rest:literal) => {
        concat!(
            "SELECT {s}, COALESCE(u.time, s.create_time) FROM auth_session s \
             LEFT JOIN auth_use u ON u.tenant = s.tenant AND u.credential_id = s.id \
             WHERE s.tenant = :tenant ",
            $rest
        )
    };
}

/// How long a session may go unused.
fn idle(view: &View) -> Result<Duration> {
    let settings: Settings = view.settings()?;
    Ok(model::days_of(settings.session_idle_days))
}

fn used(view: &View, idle: Duration, (session, (last_use,)): (Session, (Micros,))) -> Session {
    let end = model::session_end(last_use, idle, Micros::of(&session.expire_time));
    // One that was opened before sessions knew this was opened by a password.
    let known = !session.methods.is_empty();
    let (methods, auth_time) = match known {
        true => (session.methods, session.auth_time),
        false => (vec![model::PASSWORD.to_owned()], session.create_time.clone()),
    };
    Session {
        methods,
        auth_time,
        current: *view.caller().credential == *session.id,
        last_use_time: last_use.timestamp(),
        idle_expire_time: end.timestamp(),
        ..session
    }
}

/// The session with this hash of a token. It is read by keys alone, so that the node, which keeps
/// what this comes to, forgets it for no other session's sake.
pub(crate) fn session_of(view: &View, token_hash: &[u8]) -> Result<Option<Session>> {
    let Some(session) = view.find::<Session>("token_hash = $1", (token_hash,))? else {
        return Ok(None);
    };
    let opened = Micros::of(&session.create_time);
    let last_use = last_use(view, &session.id)?.unwrap_or(opened);
    Ok(Some(used(view, idle(view)?, (session, (last_use,)))))
}

/// A session by its identifier.
pub(crate) fn session(view: &View, id: &str) -> Result<Option<Session>> {
    let rows = view.select_with(select_sessions!("AND s.id = $1"), id)?;
    let idle = idle(view)?;
    Ok(rows.into_iter().next().map(|row| used(view, idle, row)))
}

/// Sessions that can still be used, of one user or of all, the oldest first.
pub(crate) fn sessions(
    view: &View, user_id: Option<&str>, after: &str, limit: i64,
) -> Result<Vec<Session>> {
    const ALL: &str = select_sessions!(
        "AND s.id > $1 AND s.expire_time > $3 AND COALESCE(u.time, s.create_time) > $4 \
         ORDER BY s.id LIMIT $2"
    );
    const OF_USER: &str = select_sessions!(
        "AND s.user_id = $5 AND s.id > $1 AND s.expire_time > $3 \
         AND COALESCE(u.time, s.create_time) > $4 ORDER BY s.id LIMIT $2"
    );
    let (now, idle) = (view.now(), idle(view)?);
    let since = now.before(idle);
    let rows = match user_id {
        None => view.select_with(ALL, (after, limit, now, since))?,
        Some(user) => view.select_with(OF_USER, (after, limit, now, since, user))?,
    };
    Ok(rows.into_iter().map(|row| used(view, idle, row)).collect())
}

/// Notes that whoever opened a session proved again who they are.
pub(crate) fn step_up(tx: &mut Tx, id: &str, method: &str) -> Result<Option<Session>> {
    let Some(mut session) = session(tx, id)? else { return Ok(None) };
    session.methods.retain(|known| known != method);
    session.methods.push(method.to_owned());
    let methods = serde_json::to_string(&session.methods).map_err(Error::internal)?;
    let row = tx.row::<(Vec<u8>,)>(
        "SELECT token_hash FROM auth_session WHERE tenant = :tenant AND id = $1",
        id,
    )?;
    // By the hash of the token, by which it is read whose session this is: nobody else's answer is
    // forgotten.
    let Some((token_hash,)) = row else { return Ok(None) };
    tx.execute(
        "UPDATE auth_session SET methods = $2, auth_time = $3 \
         WHERE tenant = :tenant AND token_hash = $1",
        (token_hash, methods, tx.now().0),
    )?;
    session.auth_time = tx.now().timestamp();
    Ok(Some(session))
}

/// Ends sessions of a user, but for one; gives how many there were.
pub(crate) fn revoke_sessions(tx: &mut Tx, user_id: &str, but: &str) -> Result<usize> {
    let ended = tx.rows::<(String, Vec<u8>)>(
        "SELECT id, token_hash FROM auth_session \
         WHERE tenant = :tenant AND user_id = $1 AND id <> $2 ORDER BY id",
        (user_id, but),
    )?;
    for (id, token_hash) in &ended {
        end(tx, id, token_hash)?;
        if !but.is_empty() {
            tx.emit(&SessionEnded { user_id: user_id.to_owned(), session_id: id.clone() });
        }
    }
    if but.is_empty() && !ended.is_empty() {
        tx.emit(&SessionsEnded { user_id: user_id.to_owned() });
    }
    Ok(ended.len())
}

/// Ends a session; false if there is none.
pub(crate) fn revoke_session(tx: &mut Tx, id: &str) -> Result<bool> {
    let row = tx.row::<(Vec<u8>, String)>(
        "SELECT token_hash, user_id FROM auth_session WHERE tenant = :tenant AND id = $1",
        id,
    )?;
    let Some((token_hash, user_id)) = row else { return Ok(false) };
    end(tx, id, &token_hash)?;
    tx.emit(&SessionEnded { user_id, session_id: id.to_owned() });
    Ok(true)
}

fn end(tx: &mut Tx, id: &str, token_hash: &[u8]) -> Result<()> {
    tx.execute(
        "DELETE FROM auth_session WHERE tenant = :tenant AND token_hash = $1",
        (token_hash,),
    )?;
    forget_use(tx, id)
}
