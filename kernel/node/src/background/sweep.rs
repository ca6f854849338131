//! Sweeping: what has served its time is deleted, a little at a time. It looks before it deletes,
//! so that a look which finds nothing writes nothing.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use stoa_kit::session::Session;
use stoa_kit::{Micros, Result};
use stoa_store::{Notice, kernel};

use super::clock::Clock;
use super::{CELL, Work, housekeep};
use crate::Node;

/// Rows deleted at once.
const ROWS: i64 = 500;
/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long jobs that are done stay in view.
const JOBS_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Commits that the log keeps behind its end, at the most; a partition further behind is lost.
const LOG_MAX: i64 = 10_000_000;

/// The sweeper of a node.
pub(super) struct Sweep {
    node: Arc<Node>,
    clock: Clock,
    next: Micros,
}

/// What has served its time, in all tenants.
#[derive(Clone, Copy)]
struct Past {
    /// The time now, at which keys and claims end.
    now: Micros,
    /// Jobs that were done before.
    jobs: Micros,
    /// Commits that were made before, if they also lie behind the log.
    commits: Micros,
    /// Cursors that stand before are lost, if there are events that they have not seen.
    lost: i64,
    /// Events, and records of commits, that nobody needs whose cursor stands behind them.
    log: i64,
}

/// A tenant's log: where its first event lies, and its first record of a commit, and the time of that.
struct Log {
    tenant: Arc<str>,
    event: Option<i64>,
    commit: Option<(i64, Micros)>,
}

/// Rows that a sweep deletes: whether there are any, and what deletes some of them.
type Broom = (&'static str, &'static str);

const KEYS: Broom = (
    "SELECT expires FROM stoa_key WHERE expires < $1 LIMIT $2",
    "DELETE FROM stoa_key WHERE (tenant, hash) IN \
     (SELECT tenant, hash FROM stoa_key WHERE expires < $1 LIMIT $2)",
);
const CLAIMS: Broom = (
    "SELECT expires FROM stoa_claim WHERE expires < $1 LIMIT $2",
    "DELETE FROM stoa_claim WHERE (tenant, hash) IN \
     (SELECT tenant, hash FROM stoa_claim WHERE expires < $1 LIMIT $2)",
);
const JOBS: Broom = (
    "SELECT run_at FROM stoa_job WHERE state = 'done' AND run_at < $1 LIMIT $2",
    "DELETE FROM stoa_job WHERE (tenant, id) IN (SELECT tenant, id FROM stoa_job \
     WHERE state = 'done' AND run_at < $1 ORDER BY run_at, tenant, id LIMIT $2)",
);

impl Sweep {
    pub(super) fn new(node: &Arc<Node>) -> Self {
        let next = node.world().now().after(INTERVAL);
        Self { node: Arc::clone(node), clock: Clock::default(), next }
    }

    pub(super) async fn step(&mut self) -> Result<bool> {
        let now = self.clock.look(&self.node).await?;
        // Where a clock went back, or the node's is ahead of the store's, it waits no longer.
        self.next = self.next.min(now.after(INTERVAL));
        if now < self.next {
            return Ok(false);
        }
        let end = self.node.store().settled().await?;
        let past = Past {
            now,
            jobs: now.before(JOBS_KEPT),
            commits: now.before(self.node.commits_kept),
            lost: end - LOG_MAX,
            log: end - self.node.log_kept,
        };
        let mut swept = 0;
        if self.node.read(None, move |session, _| waits(session, past)).await? {
            swept += housekeep(&self.node, CELL, move |session, _| sweep(session, past)).await?;
        }
        for log in self.node.read(None, move |session, _| logs(session)).await? {
            if !log.may_go(past) {
                continue;
            }
            let (tenant, of) = (Arc::clone(&log.tenant), Arc::clone(&log.tenant));
            let look = move |session: &mut dyn Session, _| log_waits(session, &of, past);
            if self.node.read(None, look).await? {
                let run =
                    move |session: &mut dyn Session, _| sweep_tenant(session, &log.tenant, past);
                swept += housekeep(&self.node, &tenant, run).await?;
            }
        }
        if swept < ROWS as u64 {
            self.next = now.after(INTERVAL);
        }
        Ok(swept > 0)
    }
}

impl Log {
    fn may_go(&self, past: Past) -> bool {
        self.event.is_some_and(|first| first < past.log)
            || self.commit.is_some_and(|(at, time)| at < past.log && time < past.commits)
    }
}

/// Where the log of each tenant begins: a look-up or two for each.
fn logs(session: &mut dyn Session) -> Result<Vec<Log>> {
    const LOGS: &str = "SELECT t.tenant, \
         (SELECT MIN(e.position) FROM stoa_event AS e WHERE e.tenant = t.tenant), \
         (SELECT MIN(c.position) FROM stoa_commit AS c WHERE c.tenant = t.tenant), \
         (SELECT c.time FROM stoa_commit AS c WHERE c.tenant = t.tenant \
         ORDER BY c.position LIMIT 1) FROM stoa_tenant AS t";
    type Row = (String, Option<i64>, Option<i64>, Option<i64>);
    let rows = kernel::rows::<Row>(session, CELL, LOGS, ())?;
    let log = |(tenant, event, commit, time): Row| Log {
        tenant: tenant.into(),
        event,
        commit: commit.zip(time.map(Micros)),
    };
    Ok(rows.into_iter().map(log).collect())
}

/// Whether there is anything to sweep beside logs.
fn waits(session: &mut dyn Session, past: Past) -> Result<bool> {
    for ((some, _), before) in [(KEYS, past.now), (CLAIMS, past.now), (JOBS, past.jobs)] {
        if !kernel::rows::<(i64,)>(session, CELL, some, (before.0, 1_i64))?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Deletes some of everything but logs: how much.
fn sweep(session: &mut dyn Session, past: Past) -> Result<u64> {
    let mut rows = 0;
    for ((_, delete), before) in [(KEYS, past.now), (CLAIMS, past.now), (JOBS, past.jobs)] {
        rows += kernel::execute(session, CELL, delete, (before.0, ROWS))?;
    }
    Ok(rows)
}

/// The same for a tenant, in whose log somebody may still need something.
fn past_of(session: &mut dyn Session, tenant: &str, past: Past) -> Result<Past> {
    const SLOWEST: &str = "SELECT MIN(position) FROM stoa_cursor \
         WHERE tenant = :tenant AND (state = 'records' OR state = '' AND position >= $1) \
         /* whole: there are as many as partitions of subscriptions */";
    let slowest = kernel::rows::<(Option<i64>,)>(session, tenant, SLOWEST, (past.lost,))?;
    let slowest = slowest.first().and_then(|(slowest,)| *slowest);
    Ok(Past { log: slowest.map_or(past.log, |slowest| slowest.min(past.log)), ..past })
}

/// Whether there is anything to sweep of a tenant's log.
fn log_waits(session: &mut dyn Session, tenant: &str, past: Past) -> Result<bool> {
    const LOST: &str = "SELECT position FROM stoa_cursor WHERE tenant = :tenant \
         AND position < $1 AND state = '' AND EXISTS (SELECT 1 FROM stoa_event AS e \
             WHERE e.tenant = :tenant AND e.position > stoa_cursor.position AND e.position < $1) \
         LIMIT 1 /* whole: there are as many as partitions of subscriptions */";
    const EVENT: &str =
        "SELECT position FROM stoa_event WHERE tenant = :tenant AND position < $1 LIMIT 1";
    let past = past_of(session, tenant, past)?;
    Ok(!kernel::rows::<(i64,)>(session, tenant, LOST, (past.lost,))?.is_empty()
        || !kernel::rows::<(i64,)>(session, tenant, EVENT, (past.log,))?.is_empty()
        || last_commit(session, tenant, past)?.is_some())
}

/// Deletes some of a tenant's log: how much.
fn sweep_tenant(session: &mut dyn Session, tenant: &str, past: Past) -> Result<u64> {
    const LOST: &str = "UPDATE stoa_cursor SET state = 'lost' WHERE tenant = :tenant \
         AND position < $1 AND state = '' AND EXISTS (SELECT 1 FROM stoa_event AS e \
             WHERE e.tenant = :tenant AND e.position > stoa_cursor.position AND e.position < $1) \
         /* whole: there are as many as partitions of subscriptions */";
    kernel::execute(session, tenant, LOST, (past.lost,))?;
    let past = past_of(session, tenant, past)?;
    Ok(sweep_log(session, tenant, past.log)? + sweep_commits(session, tenant, past)?)
}

/// Deletes the oldest events before a position, and keeps in mind up to where: who follows from
/// below has to be told.
fn sweep_log(session: &mut dyn Session, tenant: &str, before: i64) -> Result<u64> {
    const LAST: &str = "SELECT MAX(position) FROM (SELECT position FROM stoa_event \
         WHERE tenant = :tenant AND position < $1 ORDER BY position LIMIT $2) AS oldest";
    const FLOOR: &str = "INSERT INTO stoa_floor (tenant, position) VALUES (:tenant, $1) \
         ON CONFLICT (tenant) DO UPDATE SET position = excluded.position";
    const DELETE: &str = "DELETE FROM stoa_event WHERE tenant = :tenant AND position <= $1";
    let last = kernel::rows::<(Option<i64>,)>(session, tenant, LAST, (before, ROWS))?;
    let Some(last) = last.first().and_then(|(last,)| *last) else { return Ok(0) };
    kernel::execute(session, tenant, FLOOR, (last,))?;
    kernel::execute(session, tenant, DELETE, (last,))
}

/// Deletes the records of old commits. Those that the log still holds events of are kept however
/// old they are, and so is the last one, which says where the cell stands.
fn sweep_commits(session: &mut dyn Session, tenant: &str, past: Past) -> Result<u64> {
    const DELETE: &str = "DELETE FROM stoa_commit WHERE tenant = :tenant AND position <= $1";
    match last_commit(session, tenant, past)? {
        Some(last) => kernel::execute(session, tenant, DELETE, (last,)),
        None => Ok(0),
    }
}

/// The last of the oldest commits that can go.
fn last_commit(session: &mut dyn Session, tenant: &str, past: Past) -> Result<Option<i64>> {
    const OLDEST: &str = "SELECT position, time FROM stoa_commit WHERE tenant = :tenant \
         AND position < $1 \
         AND position < (SELECT MAX(position) FROM stoa_commit WHERE tenant = :tenant) \
         ORDER BY position LIMIT $2";
    let oldest = kernel::rows::<(i64, i64)>(session, tenant, OLDEST, (past.log, ROWS))?;
    let old = oldest.into_iter().take_while(|(_, time)| *time < past.commits.0);
    Ok(old.last().map(|(position, _)| position))
}

impl Work for Sweep {
    fn name(&self) -> &'static str {
        "sweep"
    }

    fn step(&mut self) -> BoxFuture<'_, Result<bool>> {
        Box::pin(Sweep::step(self))
    }

    fn due(&self) -> Option<Micros> {
        Some(self.next)
    }

    fn now(&self) -> Option<Micros> {
        self.clock.now(&self.node)
    }

    fn is_for(&self, _: &Notice) -> bool {
        false
    }
}
