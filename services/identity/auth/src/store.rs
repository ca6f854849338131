//! The rows of auth: secrets only as hashes.

mod factors;
mod keys;
mod links;
mod roles;
mod sessions;

use std::time::Duration;

use stoa_kit::{Micros, Result, Tx, View};

pub(crate) use self::{factors::*, keys::*, links::*, roles::*, sessions::*};
use crate::model::{self, Bucket};

/// How long what is over may stay.
const LINGER: Duration = Duration::from_secs(60 * 60);
/// Rows of a kind that are deleted in one commit.
const CHUNK: i64 = 200;

/// Set-up: the hash of its code, and who was set up.
pub(crate) fn setup(view: &View) -> Result<Option<(Vec<u8>, Option<String>)>> {
    view.row("SELECT code_hash, user_id FROM auth_setup WHERE tenant = :tenant", ())
}

/// Keeps the hash of another code, unless somebody was set up.
pub(crate) fn prepare_setup(tx: &mut Tx, code_hash: &[u8]) -> Result<()> {
    tx.execute(
        "INSERT INTO auth_setup (tenant, code_hash) VALUES (:tenant, $1) \
         ON CONFLICT (tenant) DO UPDATE SET code_hash = excluded.code_hash \
         WHERE auth_setup.user_id IS NULL",
        (code_hash,),
    )?;
    Ok(())
}

/// Ends set-up with the one who was set up; false if it had ended.
pub(crate) fn close_setup(tx: &mut Tx, user_id: &str) -> Result<bool> {
    let closed = tx.execute(
        "UPDATE auth_setup SET user_id = $1 WHERE tenant = :tenant AND user_id IS NULL",
        (user_id,),
    )?;
    Ok(closed == 1)
}

/// The hash of a user's password.
pub(crate) fn password(view: &View, user_id: &str) -> Result<Option<String>> {
    let row = view.row::<(String,)>(
        "SELECT hash FROM auth_password WHERE tenant = :tenant AND user_id = $1",
        (user_id,),
    )?;
    Ok(row.map(|(hash,)| hash))
}

/// Keeps the hash of a user's password.
pub(crate) fn set_password(tx: &mut Tx, user_id: &str, hash: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO auth_password (tenant, user_id, hash, update_time) \
         VALUES (:tenant, $1, $2, $3) ON CONFLICT (tenant, user_id) \
         DO UPDATE SET hash = excluded.hash, update_time = excluded.update_time",
        (user_id, hash, tx.now().0),
    )?;
    Ok(())
}

/// Deletes a user's password; false if there was none.
pub(crate) fn delete_password(tx: &mut Tx, user_id: &str) -> Result<bool> {
    let deleted =
        tx.execute("DELETE FROM auth_password WHERE tenant = :tenant AND user_id = $1", user_id)?;
    Ok(deleted == 1)
}

/// Lets go of a user who is erased: nobody signs in as them any more, from the next call on.
pub(crate) fn erase(tx: &mut Tx, user_id: &str) -> Result<()> {
    revoke_sessions(tx, user_id, "")?;
    revoke_keys(tx, user_id)?;
    delete_factors(tx, user_id)?;
    for delete in [
        "DELETE FROM auth_email WHERE tenant = :tenant AND user_id = $1",
        "DELETE FROM auth_password WHERE tenant = :tenant AND user_id = $1",
        "DELETE FROM auth_role_grant WHERE tenant = :tenant AND user_id = $1",
        "DELETE FROM auth_network WHERE tenant = :tenant AND user_id = $1",
    ] {
        tx.execute(delete, user_id)?;
    }
    Ok(())
}

/// What attempts are counted by: the account, however it was spelled. What belongs to nobody is
/// counted by the fingerprint of what was typed, for it is personal and may be a password typed into
/// the wrong field.
pub(crate) fn counted_by(view: &View, user_id: Option<&str>, login: &str) -> Result<String> {
    match user_id {
        Some(id) => Ok(format!("user:{id}")),
        None => Ok(format!("login:{}", fingerprint(view, "login", login)?)),
    }
}

/// A network, as it is kept; empty where there is none.
pub(crate) fn network(view: &View, address: &str) -> Result<String> {
    if address.is_empty() { Ok(String::new()) } else { fingerprint(view, "network", address) }
}

fn fingerprint(view: &View, purpose: &str, text: &str) -> Result<String> {
    let fingerprint = u128::from_be_bytes(view.fingerprint(purpose, text)?);
    Ok(format!("{fingerprint:032x}"))
}

/// Until when no attempt is allowed in any of these buckets, if none is.
pub(crate) fn blocked_until(
    view: &View, buckets: &[Bucket], known: bool,
) -> Result<Option<Micros>> {
    let mut latest = None;
    for bucket in buckets.iter().filter(|bucket| !(known && bucket.spares_known)) {
        let row = view.row::<(i64, i64)>(
            "SELECT since, failures FROM auth_attempt WHERE tenant = :tenant AND bucket = $1",
            (&bucket.name,),
        )?;
        let end = row.and_then(|(since, failures)| {
            model::blocked_until(bucket, Micros(since), failures, view.now())
        });
        latest = latest.max(end);
    }
    Ok(latest)
}

/// Counts a failed attempt. A window that is over begins anew.
pub(crate) fn count_failure(tx: &mut Tx, buckets: &[Bucket]) -> Result<()> {
    for bucket in buckets {
        tx.execute(
            "INSERT INTO auth_attempt (tenant, bucket, since, failures) \
             VALUES (:tenant, $1, $2, 1) ON CONFLICT (tenant, bucket) DO UPDATE SET \
             failures = CASE WHEN auth_attempt.since <= $3 THEN 1 \
             ELSE auth_attempt.failures + 1 END, \
             since = CASE WHEN auth_attempt.since <= $3 THEN excluded.since \
             ELSE auth_attempt.since END",
            (&bucket.name, tx.now().0, tx.now().before(bucket.window).0),
        )?;
    }
    Ok(())
}

/// Forgets the failures of a bucket.
pub(crate) fn clear_failures(tx: &mut Tx, bucket: &Bucket) -> Result<()> {
    tx.execute("DELETE FROM auth_attempt WHERE tenant = :tenant AND bucket = $1", (&bucket.name,))?;
    Ok(())
}

/// Whether a user signed in from a network before.
pub(crate) fn is_known(view: &View, user_id: &str, network: &str) -> Result<bool> {
    let row = view.row::<(i64,)>(
        "SELECT time FROM auth_network WHERE tenant = :tenant AND user_id = $1 AND network = $2",
        (user_id, network),
    )?;
    Ok(row.is_some())
}

/// The networks that a user signed in from, the last one first.
pub(crate) fn networks(view: &View, user_id: &str) -> Result<Vec<(String, Micros)>> {
    let rows = view.rows::<(String, i64)>(
        "SELECT network, time FROM auth_network WHERE tenant = :tenant AND user_id = $1 \
         ORDER BY time DESC, network",
        user_id,
    )?;
    Ok(rows.into_iter().map(|(network, time)| (network, Micros(time))).collect())
}

/// Forgets that a user signed in from a network; false if they did not.
pub(crate) fn forget_network(tx: &mut Tx, user_id: &str, network: &str) -> Result<bool> {
    let forgotten = tx.execute(
        "DELETE FROM auth_network WHERE tenant = :tenant AND user_id = $1 AND network = $2",
        (user_id, network),
    )?;
    Ok(forgotten == 1)
}

/// Notes that a user signed in from a network.
pub(crate) fn note_network(tx: &mut Tx, user_id: &str, network: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO auth_network (tenant, user_id, network, time) VALUES (:tenant, $1, $2, $3) \
         ON CONFLICT (tenant, user_id, network) DO UPDATE SET time = excluded.time",
        (user_id, network, tx.now().0),
    )?;
    Ok(())
}

/// Forgets when a session or key that is over was used.
fn forget_use(tx: &mut Tx, credential_id: &str) -> Result<()> {
    tx.execute(
        "DELETE FROM auth_use WHERE tenant = :tenant AND credential_id = $1",
        (credential_id,),
    )?;
    Ok(())
}

/// When a session or key was last used, if that was noted.
pub(crate) fn last_use(view: &View, credential_id: &str) -> Result<Option<Micros>> {
    let row = view.row::<(i64,)>(
        "SELECT time FROM auth_use WHERE tenant = :tenant AND credential_id = $1",
        (credential_id,),
    )?;
    Ok(row.map(|(time,)| Micros(time)))
}

/// Notes that a session or key was used now.
pub(crate) fn note_use(tx: &mut Tx, credential_id: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO auth_use (tenant, credential_id, time) VALUES (:tenant, $1, $2) \
         ON CONFLICT (tenant, credential_id) DO UPDATE SET time = excluded.time",
        (credential_id, tx.now().0),
    )?;
    Ok(())
}

/// When there will be something to delete: what is over may stay for an hour, so that much of it
/// goes in one commit.
pub(crate) fn next_deletion(view: &View) -> Result<Option<Micros>> {
    const SESSION: &str = "SELECT MIN(expire_time) FROM auth_session WHERE tenant = :tenant";
    const KEY: &str = "SELECT MIN(expire_time) FROM auth_api_key WHERE tenant = :tenant";
    const ATTEMPT: &str = "SELECT MIN(since) FROM auth_attempt WHERE tenant = :tenant";
    const NETWORK: &str = "SELECT MIN(time) FROM auth_network WHERE tenant = :tenant";
    const TICKET: &str = "SELECT MIN(expire_time) FROM auth_ticket WHERE tenant = :tenant";
    const LINK: &str = "SELECT MIN(create_time) FROM auth_link WHERE tenant = :tenant";
    let mut next: Option<Micros> = None;
    for (first, kept) in [
        (SESSION, Duration::ZERO),
        (KEY, Duration::ZERO),
        (ATTEMPT, model::WINDOW_LONGEST),
        (NETWORK, model::NETWORK_KNOWN),
        (TICKET, Duration::ZERO),
        (LINK, model::WINDOW_LONGEST),
    ] {
        let first = view.row::<(Option<i64>,)>(first, ())?.and_then(|(first,)| first);
        let over = first.map(|first| Micros(first).after(kept + LINGER));
        next = next.into_iter().chain(over).min();
    }
    Ok(next)
}

/// Deletes some of what is over, and what was noted about it.
pub(crate) fn delete_expired(tx: &mut Tx) -> Result<()> {
    const SESSIONS: &str = "DELETE FROM auth_session WHERE tenant = :tenant AND id IN \
         (SELECT id FROM auth_session WHERE tenant = :tenant AND expire_time <= $1 \
          ORDER BY expire_time, id LIMIT $2) RETURNING id";
    const KEYS: &str = "DELETE FROM auth_api_key WHERE tenant = :tenant AND id IN \
         (SELECT id FROM auth_api_key WHERE tenant = :tenant AND expire_time <= $1 \
          ORDER BY expire_time, id LIMIT $2) RETURNING id";
    const ATTEMPTS: &str = "DELETE FROM auth_attempt WHERE tenant = :tenant AND bucket IN \
         (SELECT bucket FROM auth_attempt WHERE tenant = :tenant AND since <= $1 \
          ORDER BY since, bucket LIMIT $2)";
    const NETWORKS: &str = "DELETE FROM auth_network WHERE tenant = :tenant \
         AND (user_id, network) IN (SELECT user_id, network FROM auth_network \
          WHERE tenant = :tenant AND time <= $1 ORDER BY time, user_id, network LIMIT $2)";
    const TICKETS: &str = "DELETE FROM auth_ticket WHERE tenant = :tenant AND hash IN \
         (SELECT hash FROM auth_ticket WHERE tenant = :tenant AND expire_time <= $1 \
          ORDER BY expire_time, hash LIMIT $2)";
    const LINKS: &str = "DELETE FROM auth_link WHERE tenant = :tenant AND id IN \
         (SELECT id FROM auth_link WHERE tenant = :tenant AND create_time <= $1 \
          ORDER BY create_time, id LIMIT $2)";
    let now = tx.now();
    let mut full = false;
    for delete in [SESSIONS, KEYS] {
        let gone = tx.rows::<(String,)>(delete, (now.0, CHUNK))?;
        full |= gone.len() as i64 == CHUNK;
        for (id,) in gone {
            forget_use(tx, &id)?;
        }
    }
    for (delete, before) in [
        (ATTEMPTS, now.before(model::WINDOW_LONGEST)),
        (NETWORKS, now.before(model::NETWORK_KNOWN)),
        (TICKETS, now),
        (LINKS, now.before(model::WINDOW_LONGEST)),
    ] {
        full |= tx.execute(delete, (before, CHUNK))? == CHUNK as u64;
    }
    tx.again(full);
    Ok(())
}
