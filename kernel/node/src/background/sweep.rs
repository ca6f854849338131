//! Sweeping: what has served its time is deleted, a little at a time. It looks before it deletes,
//! so that a look which finds nothing writes nothing.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use stoa_kit::session::Session;
use stoa_kit::{Micros, Result};
use stoa_store::{Notice, kernel};

use super::clock::Clock;
use super::{Work, housekeep};
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

/// What has served its time.
#[derive(Clone, Copy)]
struct Past {
    /// The time now, at which keys and claims end.
    now: Micros,
    /// Jobs that were done before.
    jobs: Micros,
    /// Commits that were made before, if they also lie behind the log.
    commits: Micros,
    /// Cursors that stand before are lost.
    lost: i64,
    /// Events, and records of commits, that nobody needs who is not lost.
    log: i64,
}

/// Rows that a sweep deletes: whether there are any, and what deletes some of them.
type Broom = (&'static str, &'static str);

const KEYS: Broom = (
    "SELECT expires FROM stoa_key WHERE tenant = :tenant AND expires < $1 LIMIT $2",
    "DELETE FROM stoa_key WHERE tenant = :tenant AND hash IN \
     (SELECT hash FROM stoa_key WHERE tenant = :tenant AND expires < $1 LIMIT $2)",
);
const CLAIMS: Broom = (
    "SELECT expires FROM stoa_claim WHERE tenant = :tenant AND expires < $1 LIMIT $2",
    "DELETE FROM stoa_claim WHERE tenant = :tenant AND hash IN \
     (SELECT hash FROM stoa_claim WHERE tenant = :tenant AND expires < $1 LIMIT $2)",
);
const JOBS: Broom = (
    "SELECT run_at FROM stoa_job WHERE tenant = :tenant AND state = 'done' AND run_at < $1 LIMIT $2",
    "DELETE FROM stoa_job WHERE tenant = :tenant AND id IN (SELECT id FROM stoa_job \
     WHERE tenant = :tenant AND state = 'done' AND run_at < $1 ORDER BY run_at, id LIMIT $2)",
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
        let past = self.past(now).await?;
        let tenant = Arc::clone(self.node.tenant());
        let looked = self.node.read(None, move |session, _| waits(session, &tenant, past));
        let mut swept = 0;
        if looked.await? {
            let tenant = Arc::clone(self.node.tenant());
            let run = move |session: &mut dyn Session, _| sweep(session, &tenant, past);
            swept = housekeep(&self.node, self.node.tenant(), run).await?;
        }
        if swept < ROWS as u64 {
            self.next = now.after(INTERVAL);
        }
        Ok(swept > 0)
    }

    async fn past(&self, now: Micros) -> Result<Past> {
        const SLOWEST: &str = "SELECT MIN(position) FROM stoa_cursor \
             WHERE tenant = :tenant AND state = '' AND position >= $1 \
         /* whole: there are as many as partitions of subscriptions */";
        let end = self.node.store().settled().await?;
        let (tenant, lost) = (Arc::clone(self.node.tenant()), end - LOG_MAX);
        let read = move |session: &mut dyn Session, _| {
            kernel::rows::<(Option<i64>,)>(session, &tenant, SLOWEST, (lost,))
        };
        let slowest = self.node.read(None, read).await?.first().and_then(|(slowest,)| *slowest);
        Ok(Past {
            now,
            jobs: now.before(JOBS_KEPT),
            commits: now.before(self.node.commits_kept),
            lost,
            log: slowest.unwrap_or(end).min(end - self.node.log_kept),
        })
    }
}

/// Whether there is anything to sweep.
fn waits(session: &mut dyn Session, tenant: &str, past: Past) -> Result<bool> {
    const LOST: &str = "SELECT position FROM stoa_cursor \
         WHERE tenant = :tenant AND position < $1 AND state = '' LIMIT 1 \
         /* whole: there are as many as partitions of subscriptions */";
    const EVENT: &str =
        "SELECT position FROM stoa_event WHERE tenant = :tenant AND position < $1 LIMIT 1";
    for ((some, _), before) in [(KEYS, past.now), (CLAIMS, past.now), (JOBS, past.jobs)] {
        if !kernel::rows::<(i64,)>(session, tenant, some, (before.0, 1))?.is_empty() {
            return Ok(true);
        }
    }
    Ok(!kernel::rows::<(i64,)>(session, tenant, LOST, (past.lost,))?.is_empty()
        || !kernel::rows::<(i64,)>(session, tenant, EVENT, (past.log,))?.is_empty()
        || last_commit(session, tenant, past)?.is_some())
}

/// Deletes some of everything: how much.
fn sweep(session: &mut dyn Session, tenant: &str, past: Past) -> Result<u64> {
    const LOST: &str = "UPDATE stoa_cursor SET state = 'lost' WHERE tenant = :tenant \
         AND position < $1 AND state = '' \
         /* whole: there are as many as partitions of subscriptions */";
    let mut rows = 0;
    for ((_, delete), before) in [(KEYS, past.now), (CLAIMS, past.now), (JOBS, past.jobs)] {
        rows += kernel::execute(session, tenant, delete, (before.0, ROWS))?;
    }
    kernel::execute(session, tenant, LOST, (past.lost,))?;
    rows += sweep_log(session, tenant, past.log)?;
    Ok(rows + sweep_commits(session, tenant, past)?)
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
