//! The rows of jobs: which of them wait, who holds them, how they end.
//!
//! What can be leased is looked for in a query, so that a look which finds nothing writes nothing
//! and keeps no writer; then it is leased by name. Between the two another node may have been
//! quicker: the lease is taken only from a row that is as it was seen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stoa_contract::{Job, Method};
use stoa_kit::session::Session;
use stoa_kit::{Error, Fence, Micros, Registry, Result};
use stoa_store::kernel;

use crate::background::overtaken;

/// How long a worker holds a job before it has to renew its lease: what a process that died was at
/// waits no longer for another one.
const HOLD: Duration = Duration::from_secs(30);
/// How much longer a lease is than that: whoever could not renew it is through before it ends.
const GRACE: Duration = Duration::from_secs(10);
/// Leases that ran out, looked at in one go.
const LAPSED_MAX: i64 = 64;
/// Jobs moved in one commit after a clock went back.
const REBASED_MAX: i64 = 1_000;

/// How many more attempts a node has room for.
pub(super) struct Room {
    /// In all.
    pub free: usize,
    /// Of each method that it knows: how many are at work, and how many more may be.
    pub methods: BTreeMap<&'static str, (usize, usize)>,
}

/// A job as a look saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub id: String,
    pub method: &'static str,
    pub attempts: i64,
    pub lease: i64,
    /// How many reactions in a row led to it.
    pub depth: i64,
    pub policy: Job,
}

/// What a look found.
#[derive(Default)]
pub(super) struct Found {
    /// Jobs that can be leased now, as many as there is room for.
    pub ready: Vec<Seen>,
    /// Jobs whose attempt did not come to an end.
    pub lapsed: Vec<Seen>,
    /// When the next job will be due for which there is room, as far as is known.
    pub next: Option<Micros>,
}

/// A job that this worker holds the lease of.
#[derive(Clone)]
pub(super) struct Leased {
    pub seen: Seen,
    pub request: Vec<u8>,
}

/// How a job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Done,
    Dead,
}

/// The method and the priority of each kind of job that waits, and when the first of them is due:
/// a look-up or two for each, however many wait.
const HEADS: &str = "WITH RECURSIVE head (method, priority) AS ( \
     SELECT * FROM (SELECT method, priority FROM stoa_job \
         WHERE tenant = :tenant AND state = 'ready' ORDER BY method, priority LIMIT 1) AS first \
     UNION ALL \
     SELECT (SELECT j.method FROM stoa_job AS j WHERE j.tenant = :tenant AND j.state = 'ready' \
             AND (j.method, j.priority) > (head.method, head.priority) \
             ORDER BY j.method, j.priority LIMIT 1), \
         (SELECT j.priority FROM stoa_job AS j WHERE j.tenant = :tenant AND j.state = 'ready' \
             AND (j.method, j.priority) > (head.method, head.priority) \
             ORDER BY j.method, j.priority LIMIT 1) \
     FROM head WHERE head.method IS NOT NULL) \
     SELECT method, priority, (SELECT MIN(j.run_at) FROM stoa_job AS j \
         WHERE j.tenant = :tenant AND j.state = 'ready' \
         AND j.method = head.method AND j.priority = head.priority) \
     FROM head WHERE method IS NOT NULL";

/// The first jobs of a kind that are due, but for those whose lane is busy.
const READY: &str = "SELECT id, attempts, lease, run_at, depth FROM stoa_job \
     WHERE tenant = :tenant AND state = 'ready' AND method = $1 AND priority = $2 \
     AND run_at <= $3 AND (lane IS NULL OR NOT EXISTS (SELECT 1 FROM stoa_job AS busy \
         WHERE busy.tenant = :tenant AND busy.state = 'leased' AND busy.lane = stoa_job.lane \
         AND busy.run_at > $3)) \
     ORDER BY run_at, id LIMIT $4";

const LAPSED: &str = "SELECT id, method, attempts, lease, depth FROM stoa_job \
     WHERE tenant = :tenant AND state = 'leased' AND run_at <= $1 \
     ORDER BY run_at, id LIMIT $2";

/// Every method is more than none: it is what has SQLite use the index of jobs that are ready.
const REBASE_READY: &str = "UPDATE stoa_job SET run_at = run_at - (time - $1), time = $1 \
     WHERE tenant = :tenant AND id IN (SELECT id FROM stoa_job \
         WHERE tenant = :tenant AND state = 'ready' AND method > '' AND time > $1 LIMIT $2)";

const REBASE_LEASED: &str = "UPDATE stoa_job SET run_at = run_at - (time - $1), time = $1 \
     WHERE tenant = :tenant AND state = 'leased' AND run_at > $1 AND time > $1";

/// Looks for what can be done.
pub(super) fn look(
    session: &mut dyn Session, registry: &Registry, tenant: &str, now: Micros, room: &Room,
) -> Result<Found> {
    type Lapsed = (String, String, i64, i64, i64);
    type Ready = (String, i64, i64, i64, i64);
    let lapsed = kernel::rows::<Lapsed>(session, tenant, LAPSED, (now.0, LAPSED_MAX))?;
    let lapsed = lapsed.into_iter().filter_map(|(id, method, attempts, lease, depth)| {
        // One of a method that this node does not know is left to those that do.
        let (method, policy) = known(registry, &method)?;
        Some(Seen { id, method: method.path, attempts, lease, depth, policy })
    });
    let mut found = Found { lapsed: lapsed.collect(), ..Found::default() };
    let mut heads = kernel::rows::<(String, i64, i64)>(session, tenant, HEADS, ())?;
    heads.sort_by_key(|(_, priority, _)| std::cmp::Reverse(*priority));
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ready = Vec::new();
    for (method, priority, first) in &heads {
        let Some((method, policy)) = known(registry, method) else { continue };
        let Some((at_work, free)) = room.methods.get(method.path).copied() else { continue };
        let taken = taken.entry(method.path).or_default();
        let most = free.saturating_sub(*taken).min(room.free);
        if most == 0 {
            continue;
        }
        if *first > now.0 {
            found.next = found.next.into_iter().chain([Micros(*first)]).min();
            continue;
        }
        let params = (method.path, *priority, now.0, i64::try_from(most).unwrap_or(i64::MAX));
        for row in kernel::rows::<Ready>(session, tenant, READY, params)? {
            let (id, attempts, lease, run_at, depth) = row;
            let seen = Seen { id, method: method.path, attempts, lease, depth, policy };
            ready.push((at_work + *taken, run_at, seen));
            *taken += 1;
        }
    }
    // Where there is not room for all, the methods with the fewest at work come first.
    ready.sort_by_key(|(at_work, run_at, _)| (*at_work, *run_at));
    found.ready = ready.into_iter().map(|(_, _, seen)| seen).take(room.free).collect();
    Ok(found)
}

/// Takes leases, and counts the attempts before they begin.
pub(super) fn lease(
    session: &mut dyn Session, tenant: &str, now: Micros, ready: &[Seen],
) -> Result<Vec<Leased>> {
    const LEASE: &str = "UPDATE stoa_job SET state = 'leased', attempts = attempts + 1, \
         lease = lease + 1, run_at = $4, time = $3 \
         WHERE tenant = :tenant AND id = $1 AND lease = $2 AND state = 'ready' \
         AND (lane IS NULL OR NOT EXISTS (SELECT 1 FROM stoa_job AS busy \
             WHERE busy.tenant = :tenant AND busy.state = 'leased' AND busy.lane = stoa_job.lane \
             AND busy.run_at > $3)) \
         RETURNING request, attempts, lease";
    let mut leased = Vec::new();
    for seen in ready {
        let until = now.after(hold(&seen.policy) + GRACE);
        let params = (&seen.id, seen.lease, now.0, until.0);
        let rows = kernel::rows::<(Vec<u8>, i64, i64)>(session, tenant, LEASE, params)?;
        leased.extend(rows.into_iter().next().map(|(request, attempts, lease)| Leased {
            seen: Seen { attempts, lease, ..seen.clone() },
            request,
        }));
    }
    Ok(leased)
}

/// Holds a job for longer.
pub(super) fn renew(
    session: &mut dyn Session, tenant: &str, seen: &Seen, now: Micros,
) -> Result<()> {
    const RENEW: &str = "UPDATE stoa_job SET run_at = $3, time = $4 \
         WHERE tenant = :tenant AND id = $1 AND lease = $2 AND state = 'leased'";
    let until = now.after(hold(&seen.policy) + GRACE);
    held(kernel::execute(session, tenant, RENEW, (&seen.id, seen.lease, until.0, now.0))?)
}

/// Lets an attempt commit only as long as its lease is held.
pub(super) fn fence(tenant: &Arc<str>, seen: &Seen) -> Fence {
    const HELD: &str = "SELECT lease FROM stoa_job \
         WHERE tenant = :tenant AND id = $1 AND lease = $2 AND state = 'leased'";
    let (tenant, id, lease) = (Arc::clone(tenant), seen.id.clone(), seen.lease);
    Arc::new(move |session| {
        held(kernel::rows::<(i64,)>(session, &tenant, HELD, (&id, lease))?.len() as u64)
    })
}

/// The request of a job that is as it was seen.
pub(super) fn request(session: &mut dyn Session, tenant: &str, seen: &Seen) -> Result<Vec<u8>> {
    const REQUEST: &str =
        "SELECT request FROM stoa_job WHERE tenant = :tenant AND id = $1 AND lease = $2";
    let rows = kernel::rows::<(Vec<u8>,)>(session, tenant, REQUEST, (&seen.id, seen.lease))?;
    rows.into_iter().next().map(|(request,)| request).ok_or_else(lost)
}

/// Puts a job back, to be tried again at a time.
pub(super) fn put_back(
    session: &mut dyn Session, tenant: &str, seen: &Seen, (now, at): (Micros, Micros), error: &str,
) -> Result<()> {
    const AGAIN: &str = "UPDATE stoa_job SET state = 'ready', run_at = $3, time = $4, error = $5 \
         WHERE tenant = :tenant AND id = $1 AND lease = $2 AND state = 'leased'";
    let params = (&seen.id, seen.lease, at.0, now.0, error);
    held(kernel::execute(session, tenant, AGAIN, params)?)
}

/// Ends a job, under the lease it was seen with.
pub(super) fn end(
    session: &mut dyn Session, tenant: &str, seen: &Seen, (end, now): (End, Micros), error: &str,
) -> Result<()> {
    const END: &str = "UPDATE stoa_job SET state = $3, run_at = $4, time = $4, error = $5, \
         dedupe = NULL WHERE tenant = :tenant AND id = $1 AND lease = $2 AND state = 'leased'";
    let state = match end {
        End::Done => "done",
        End::Dead => "dead",
    };
    let params = (&seen.id, seen.lease, state, now.0, error);
    held(kernel::execute(session, tenant, END, params)?)
}

/// Has a job begin again that is done with a part of its work, in the commit that did that part.
pub(super) fn go_on(
    session: &mut dyn Session, tenant: &str, seen: &Seen, now: Micros,
) -> Result<()> {
    const GO_ON: &str = "UPDATE stoa_job SET state = 'ready', run_at = $3, time = $3, \
         attempts = 0 WHERE tenant = :tenant AND id = $1 AND lease = $2";
    held(kernel::execute(session, tenant, GO_ON, (&seen.id, seen.lease, now.0))?)
}

/// Moves what was written in the future, by a clock that went back since, by as much as it lies
/// there: what should wait for a minute waits for a minute. False once nothing is left to move.
pub(super) fn rebase(session: &mut dyn Session, tenant: &str, now: Micros) -> Result<bool> {
    kernel::execute(session, tenant, REBASE_LEASED, (now.0,))?;
    Ok(kernel::execute(session, tenant, REBASE_READY, (now.0, REBASED_MAX))? > 0)
}

/// The method of a job, if this node has it.
fn known(registry: &Registry, path: &str) -> Option<(&'static Method, Job)> {
    let method = registry.method(path)?.method;
    Some((method, method.job?))
}

/// How long an attempt may run.
pub(super) fn timeout(policy: &Job) -> Duration {
    Duration::from_millis(policy.timeout_ms.into())
}

/// How long a worker holds a job unless it renews its lease.
pub(super) fn hold(policy: &Job) -> Duration {
    timeout(policy).min(HOLD)
}

fn held(rows: u64) -> Result<()> {
    if rows == 1 { Ok(()) } else { Err(lost()) }
}

fn lost() -> Error {
    overtaken("another worker holds the lease")
}
