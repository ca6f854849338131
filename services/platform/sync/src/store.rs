//! The rows of locks and barriers.

use stoa_kit::{Micros, Result, Tx, View};
use stoa_sync_v1::{Lease, Party};

/// Leases that are taken in one commit.
const CHUNK: i64 = 100;

/// When the next lease is over.
pub(crate) fn next_lease_over(view: &View) -> Result<Option<Micros>> {
    const NEXT: &str =
        "SELECT expire_time FROM sync_lease WHERE tenant = :tenant ORDER BY expire_time LIMIT 1";
    Ok(view.row::<(Micros,)>(NEXT, ())?.map(|(next,)| next))
}

/// When the next party is waited for no more.
pub(crate) fn next_party_over(view: &View) -> Result<Option<Micros>> {
    const NEXT: &str =
        "SELECT expire_time FROM sync_party WHERE tenant = :tenant ORDER BY expire_time LIMIT 1";
    Ok(view.row::<(Micros,)>(NEXT, ())?.map(|(next,)| next))
}

/// The locks of some leases that are over, and whether there may be more.
pub(crate) fn locks_over(view: &View, now: Micros) -> Result<(Vec<String>, bool)> {
    const OVER: &str = "SELECT lock FROM sync_lease WHERE tenant = :tenant AND expire_time <= $1 \
         ORDER BY expire_time LIMIT $2";
    names(view.rows::<(String,)>(OVER, (now, CHUNK))?)
}

/// The barriers of some parties that are waited for no more, and whether there may be more.
pub(crate) fn barriers_over(view: &View, now: Micros) -> Result<(Vec<String>, bool)> {
    const OVER: &str = "SELECT barrier FROM sync_party WHERE tenant = :tenant AND expire_time <= $1 \
         ORDER BY expire_time LIMIT $2";
    names(view.rows::<(String,)>(OVER, (now, CHUNK))?)
}

fn names(rows: Vec<(String,)>) -> Result<(Vec<String>, bool)> {
    let full = rows.len() == usize::try_from(CHUNK).unwrap_or(usize::MAX);
    let mut names: Vec<String> = rows.into_iter().map(|(name,)| name).collect();
    names.sort_unstable();
    names.dedup();
    Ok((names, full))
}

/// Leases of a lock that are over.
pub(crate) fn leases_over(view: &View, lock: &str, now: Micros) -> Result<Vec<Lease>> {
    view.all("lock = $1 AND expire_time <= $2 ORDER BY expire_time LIMIT $3", (lock, now, CHUNK))
}

/// Who is next in line.
pub(crate) fn next(view: &View, lock: &str) -> Result<Option<Lease>> {
    view.find("lock = $1 AND state = 'waiting' ORDER BY place LIMIT 1", (lock,))
}

/// Who holds a lock.
pub(crate) fn holders(view: &View, lock: &str) -> Result<Vec<Lease>> {
    view.all("lock = $1 AND state = 'held' ORDER BY place LIMIT $2", (lock, CHUNK))
}

/// The lease that a fence stands for.
pub(crate) fn fenced(view: &View, lock: &str, fence: i64) -> Result<Option<Lease>> {
    view.find("lock = $1 AND fence = $2 AND state = 'held'", (lock, fence))
}

/// A lease of somebody.
pub(crate) fn lease_of(view: &View, owner: &str) -> Result<Option<Lease>> {
    view.find("owner = $1 ORDER BY place, id LIMIT 1", (owner,))
}

/// Where somebody waits.
pub(crate) fn parties_of(view: &View, owner: &str) -> Result<Vec<Party>> {
    view.all("owner = $1 ORDER BY barrier, name", (owner,))
}

/// Parties of a barrier that are waited for no more are not there.
pub(crate) fn delete_parties_over(tx: &mut Tx, barrier: &str, now: Micros) -> Result<u64> {
    const DELETE: &str = "DELETE FROM sync_party \
         WHERE tenant = :tenant AND barrier = $1 AND expire_time <= $2";
    tx.execute(DELETE, (barrier, now))
}

/// A barrier has opened: nobody waits there.
pub(crate) fn delete_parties(tx: &mut Tx, barrier: &str) -> Result<u64> {
    tx.execute("DELETE FROM sync_party WHERE tenant = :tenant AND barrier = $1", (barrier,))
}
