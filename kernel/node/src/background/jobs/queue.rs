//! The rows of jobs: which of them wait, who holds them, how they end.
//!
//! What can be leased is looked for in a query, so that a look which finds nothing writes nothing
//! and keeps no writer; then it is leased by name. Between the two another node may have been
//! quicker: the lease is taken only from a row that is as it was seen.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use stoa_contract::{Job, Method};
use stoa_kit::session::Session;
use stoa_kit::{Error, Fence, Micros, Registry, Result};
use stoa_store::kernel;

use crate::background::{CELL, overtaken};

/// How long a worker holds a job before it has to renew its lease: what a process that died was at
/// waits no longer for another one.
const HOLD: Duration = Duration::from_secs(30);
/// How much longer a lease is than that: whoever could not renew it is through before it ends.
const GRACE: Duration = Duration::from_secs(10);
/// Leases that ran out, looked at in one go.
const LAPSED_MAX: i64 = 64;
/// Jobs that are due, looked at themselves.
const DUE_MAX: i64 = 256;
/// Jobs moved in one commit after a clock went back.
const REBASED_MAX: i64 = 1_000;

/// How many more attempts a node has room for.
pub(super) struct Room {
    /// In all.
    pub free: usize,
    /// Of each method that it knows: how many are at work, and how many more may be.
    pub methods: BTreeMap<&'static str, (usize, usize)>,
    /// How many of each method are at work for each tenant.
    pub tenants: BTreeMap<(&'static str, Arc<str>), usize>,
}

/// A job as a look saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub tenant: Arc<str>,
    pub id: String,
    pub method: &'static str,
    pub attempts: i64,
    pub lease: i64,
    /// On whose behalf it runs, and what they came with.
    pub behalf: Arc<str>,
    pub credential: String,
    /// The trace that led to it.
    pub trace: String,
    /// How many reactions in a row led to it.
    pub depth: i64,
    pub policy: Job,
}

/// What a look found.
#[derive(Default)]
pub(super) struct Found {
    /// Jobs that can be leased now, as many as there is room for.
    pub ready: Vec<Seen>,
    /// Jobs whose attempt did not come to an end, and whether their tenant goes on.
    pub lapsed: Vec<(Seen, bool)>,
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

/// The kinds of the oldest jobs that are due, and how many of them there are.
const DUE: &str = "SELECT tenant, method, priority, MIN(run_at), COUNT(*) FROM ( \
     SELECT tenant, method, priority, run_at FROM stoa_job \
     WHERE state = 'ready' AND run_at <= $1 ORDER BY run_at LIMIT $2) AS due \
     GROUP BY tenant, method, priority";

/// When the next job will be due.
const NEXT: &str = "SELECT MIN(run_at) FROM stoa_job WHERE state = 'ready' AND run_at > $1";

/// The tenant, the method and the priority of each kind of job that waits, and when the first of them
/// is due: a look-up or two for each, however many wait.
const HEADS: &str = "WITH RECURSIVE head (tenant, method, priority) AS ( \
     SELECT * FROM (SELECT tenant, method, priority FROM stoa_job \
         WHERE state = 'ready' ORDER BY tenant, method, priority LIMIT 1) AS first \
     UNION ALL \
     SELECT (SELECT j.tenant FROM stoa_job AS j WHERE j.state = 'ready' \
             AND (j.tenant, j.method, j.priority) > (head.tenant, head.method, head.priority) \
             ORDER BY j.tenant, j.method, j.priority LIMIT 1), \
         (SELECT j.method FROM stoa_job AS j WHERE j.state = 'ready' \
             AND (j.tenant, j.method, j.priority) > (head.tenant, head.method, head.priority) \
             ORDER BY j.tenant, j.method, j.priority LIMIT 1), \
         (SELECT j.priority FROM stoa_job AS j WHERE j.state = 'ready' \
             AND (j.tenant, j.method, j.priority) > (head.tenant, head.method, head.priority) \
             ORDER BY j.tenant, j.method, j.priority LIMIT 1) \
     FROM head WHERE head.tenant IS NOT NULL) \
     SELECT tenant, method, priority, (SELECT MIN(j.run_at) FROM stoa_job AS j \
         WHERE j.state = 'ready' AND j.tenant = head.tenant \
         AND j.method = head.method AND j.priority = head.priority), CAST(0 AS BIGINT) \
     FROM head WHERE tenant IS NOT NULL";

/// The first jobs of a kind that are due, but for those whose lane is busy.
const READY: &str = "SELECT id, attempts, lease, run_at, behalf, credential, trace, depth FROM stoa_job \
     WHERE tenant = :tenant AND state = 'ready' AND method = $1 AND priority = $2 \
     AND run_at <= $3 AND (lane IS NULL OR NOT EXISTS (SELECT 1 FROM stoa_job AS busy \
         WHERE busy.tenant = :tenant AND busy.state = 'leased' AND busy.lane = stoa_job.lane \
         AND busy.run_at > $3)) \
     ORDER BY run_at, id LIMIT $4";

const LAPSED: &str = "SELECT tenant, id, method, attempts, lease, behalf, credential, trace, depth \
     FROM stoa_job WHERE state = 'leased' AND run_at <= $1 ORDER BY run_at, tenant, id LIMIT $2";

/// Every tenant is more than none: it is what has SQLite use the index of jobs that are ready.
const REBASE_READY: &str = "UPDATE stoa_job SET run_at = run_at - (time - $1), time = $1 \
     WHERE (tenant, id) IN (SELECT tenant, id FROM stoa_job \
         WHERE state = 'ready' AND tenant > '' AND time > $1 LIMIT $2)";

const REBASE_LEASED: &str = "UPDATE stoa_job SET run_at = run_at - (time - $1), time = $1 \
     WHERE state = 'leased' AND run_at > $1 AND time > $1";

/// Jobs that wait alike.
struct Kind {
    tenant: Arc<str>,
    method: &'static Method,
    policy: Job,
    priority: i64,
    first: i64,
}

/// Looks for what can be done.
pub(super) fn look(
    session: &mut dyn Session, registry: &Registry, is_active: &dyn Fn(&str) -> bool, now: Micros,
    room: &Room,
) -> Result<Found> {
    type Lapsed = (String, String, String, i64, i64, String, String, String, i64);
    let lapsed = kernel::rows::<Lapsed>(session, CELL, LAPSED, (now.0, LAPSED_MAX))?;
    let lapsed = lapsed.into_iter().filter_map(|row| {
        let (tenant, id, method, attempts, lease, behalf, credential, trace, depth) = row;
        // One of a method that this node does not know is left to those that do.
        let (method, policy) = known(registry, &method)?;
        let (is_active, tenant, method) = (is_active(&tenant), tenant.into(), method.path);
        let behalf = behalf.into();
        let seen =
            Seen { tenant, id, method, attempts, lease, behalf, credential, trace, depth, policy };
        Some((seen, is_active))
    });
    let mut found = Found { lapsed: lapsed.collect(), ..Found::default() };
    let next = kernel::rows::<(Option<i64>,)>(session, CELL, NEXT, (now.0,))?;
    found.next = next.first().and_then(|(next,)| next.map(Micros));
    let mut methods: BTreeMap<&str, Vec<Kind>> = BTreeMap::new();
    for kind in kinds(session, registry, now)? {
        if is_active(&kind.tenant) {
            methods.entry(kind.method.path).or_default().push(kind);
        }
    }
    let mut ready = Vec::new();
    for (method, kinds) in methods {
        let Some((at_work, free)) = room.methods.get(method).copied() else { continue };
        let free = free.min(room.free);
        if free > 0 {
            let dealt = deal(session, kinds, now, (free, room))?;
            ready.extend(
                dealt
                    .into_iter()
                    .enumerate()
                    .map(|(n, (run_at, seen))| (at_work + n, run_at, seen)),
            );
        }
    }
    // Where there is not room for all, the methods with the fewest at work come first.
    ready.sort_by_key(|(at_work, run_at, _)| (*at_work, *run_at));
    found.ready = ready.into_iter().map(|(_, _, seen)| seen).take(room.free).collect();
    Ok(found)
}

/// The kinds of which a job is due that this node knows. While few are due they are looked at
/// themselves; where they are many, one tenant's may hide those of all others, and every kind that
/// waits is looked at.
fn kinds(session: &mut dyn Session, registry: &Registry, now: Micros) -> Result<Vec<Kind>> {
    type Row = (String, String, i64, i64, i64);
    let mut rows = kernel::rows::<Row>(session, CELL, DUE, (now.0, DUE_MAX))?;
    if rows.iter().map(|row| row.4).sum::<i64>() >= DUE_MAX {
        rows = kernel::rows::<Row>(session, CELL, HEADS, ())?;
    }
    let due = rows.into_iter().filter(|row| row.3 <= now.0);
    Ok(due
        .filter_map(|(tenant, method, priority, first, _)| {
            let (method, policy) = known(registry, &method)?;
            Some(Kind { tenant: tenant.into(), method, policy, priority, first })
        })
        .collect())
}

/// Jobs of one method, for whom there is so much room: tenants take turns, the one with the fewest
/// at work first, and each comes with its jobs of the highest priority.
fn deal(
    session: &mut dyn Session, mut kinds: Vec<Kind>, now: Micros, (free, room): (usize, &Room),
) -> Result<Vec<(i64, Seen)>> {
    let at_work = |kind: &Kind| {
        room.tenants.get(&(kind.method.path, Arc::clone(&kind.tenant))).copied().unwrap_or(0)
    };
    kinds.sort_by(|one, other| {
        let key = |kind: &Kind| (Arc::clone(&kind.tenant), std::cmp::Reverse(kind.priority));
        key(one).cmp(&key(other))
    });
    let mut tenants: Vec<&[Kind]> = kinds.chunk_by(|one, next| one.tenant == next.tenant).collect();
    tenants.sort_by_key(|kinds| {
        (kinds.first().map(at_work), kinds.iter().map(|kind| kind.first).min())
    });
    let mut hands: Vec<(usize, VecDeque<(i64, Seen)>)> = Vec::new();
    for kinds in tenants {
        let mut hand = VecDeque::new();
        for kind in kinds {
            hand.extend(due(session, kind, now, free - hand.len())?);
        }
        if !hand.is_empty() {
            hands.push((kinds.first().map_or(0, at_work), hand));
        }
        if hands.len() == free {
            break;
        }
    }
    let mut dealt = Vec::new();
    while dealt.len() < free {
        let waiting = hands.iter_mut().filter(|(_, hand)| !hand.is_empty());
        let Some((at_work, hand)) = waiting.min_by_key(|(at_work, _)| *at_work) else { break };
        *at_work += 1;
        dealt.extend(hand.pop_front());
    }
    Ok(dealt)
}

/// The first jobs of a kind that are due, as many as that.
fn due(
    session: &mut dyn Session, kind: &Kind, now: Micros, most: usize,
) -> Result<Vec<(i64, Seen)>> {
    type Ready = (String, i64, i64, i64, String, String, String, i64);
    let Kind { tenant, method, policy, priority, .. } = kind;
    let params = (method.path, *priority, now.0, i64::try_from(most).unwrap_or(i64::MAX));
    let rows = kernel::rows::<Ready>(session, tenant, READY, params)?;
    let seen = |row: Ready| {
        let (id, attempts, lease, run_at, behalf, credential, trace, depth) = row;
        let (tenant, method, policy) = (Arc::clone(tenant), method.path, *policy);
        let behalf = behalf.into();
        let seen =
            Seen { tenant, id, method, attempts, lease, behalf, credential, trace, depth, policy };
        (run_at, seen)
    };
    Ok(rows.into_iter().map(seen).collect())
}

/// Takes leases, and counts the attempts before they begin.
pub(super) fn lease(session: &mut dyn Session, now: Micros, ready: &[Seen]) -> Result<Vec<Leased>> {
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
        let rows = kernel::rows::<(Vec<u8>, i64, i64)>(session, &seen.tenant, LEASE, params)?;
        leased.extend(rows.into_iter().next().map(|(request, attempts, lease)| Leased {
            seen: Seen { attempts, lease, ..seen.clone() },
            request,
        }));
    }
    Ok(leased)
}

/// Holds a job for longer.
pub(super) fn renew(session: &mut dyn Session, seen: &Seen, now: Micros) -> Result<()> {
    const RENEW: &str = "UPDATE stoa_job SET run_at = $3, time = $4 \
         WHERE tenant = :tenant AND id = $1 AND lease = $2 AND state = 'leased'";
    let until = now.after(hold(&seen.policy) + GRACE);
    let params = (&seen.id, seen.lease, until.0, now.0);
    held(kernel::execute(session, &seen.tenant, RENEW, params)?)
}

/// Lets an attempt commit only as long as its lease is held.
pub(super) fn fence(seen: &Seen) -> Fence {
    const HELD: &str = "SELECT lease FROM stoa_job \
         WHERE tenant = :tenant AND id = $1 AND lease = $2 AND state = 'leased'";
    let (tenant, id, lease) = (Arc::clone(&seen.tenant), seen.id.clone(), seen.lease);
    Arc::new(move |session, _| {
        held(kernel::rows::<(i64,)>(session, &tenant, HELD, (&id, lease))?.len() as u64)
    })
}

/// The request of a job that is as it was seen.
pub(super) fn request(session: &mut dyn Session, seen: &Seen) -> Result<Vec<u8>> {
    const REQUEST: &str =
        "SELECT request FROM stoa_job WHERE tenant = :tenant AND id = $1 AND lease = $2";
    let rows = kernel::rows::<(Vec<u8>,)>(session, &seen.tenant, REQUEST, (&seen.id, seen.lease))?;
    rows.into_iter().next().map(|(request,)| request).ok_or_else(lost)
}

/// Puts a job back, to be tried again at a time.
pub(super) fn put_back(
    session: &mut dyn Session, seen: &Seen, (now, at): (Micros, Micros), error: &str,
) -> Result<()> {
    const AGAIN: &str = "UPDATE stoa_job SET state = 'ready', run_at = $3, time = $4, error = $5 \
         WHERE tenant = :tenant AND id = $1 AND lease = $2 AND state = 'leased'";
    let params = (&seen.id, seen.lease, at.0, now.0, error);
    held(kernel::execute(session, &seen.tenant, AGAIN, params)?)
}

/// Ends a job, under the lease it was seen with.
pub(super) fn end(
    session: &mut dyn Session, seen: &Seen, (end, now): (End, Micros), error: &str,
) -> Result<()> {
    const END: &str = "UPDATE stoa_job SET state = $3, run_at = $4, time = $4, error = $5, \
         dedupe = NULL WHERE tenant = :tenant AND id = $1 AND lease = $2 AND state = 'leased'";
    let state = match end {
        End::Done => "done",
        End::Dead => "dead",
    };
    let params = (&seen.id, seen.lease, state, now.0, error);
    held(kernel::execute(session, &seen.tenant, END, params)?)
}

/// Has a job begin again that is done with a part of its work, in the commit that did that part.
pub(super) fn go_on(session: &mut dyn Session, seen: &Seen, now: Micros) -> Result<()> {
    const GO_ON: &str = "UPDATE stoa_job SET state = 'ready', run_at = $3, time = $3, \
         attempts = 0 WHERE tenant = :tenant AND id = $1 AND lease = $2";
    held(kernel::execute(session, &seen.tenant, GO_ON, (&seen.id, seen.lease, now.0))?)
}

/// Moves what was written in the future, by a clock that went back since, by as much as it lies
/// there: what should wait for a minute waits for a minute. False once nothing is left to move.
pub(super) fn rebase(session: &mut dyn Session, now: Micros) -> Result<bool> {
    kernel::execute(session, CELL, REBASE_LEASED, (now.0,))?;
    Ok(kernel::execute(session, CELL, REBASE_READY, (now.0, REBASED_MAX))? > 0)
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
