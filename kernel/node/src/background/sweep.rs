//! Sweeping: what has served its time is deleted, a little at a time.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use stoa_kit::session::Session;
use stoa_kit::{Micros, Result};
use stoa_store::kernel;

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
    next: Micros,
}

impl Sweep {
    pub(super) fn new(node: &Arc<Node>) -> Self {
        Self { node: Arc::clone(node), next: node.world().now().after(INTERVAL) }
    }

    pub(super) async fn step(&mut self) -> Result<bool> {
        let now = self.node.world().now();
        if now < self.next {
            return Ok(false);
        }
        let end = self.node.store().settled().await?;
        let (tenant, kept) = (Arc::clone(self.node.tenant()), self.node.log_kept);
        let swept = housekeep(&self.node, self.node.tenant(), move |session, _| {
            const KEYS: &str = "DELETE FROM stoa_key WHERE tenant = :tenant AND hash IN \
                 (SELECT hash FROM stoa_key WHERE tenant = :tenant AND expires < $1 LIMIT $2)";
            const CLAIMS: &str = "DELETE FROM stoa_claim WHERE tenant = :tenant AND hash IN \
                 (SELECT hash FROM stoa_claim WHERE tenant = :tenant AND expires < $1 LIMIT $2)";
            const JOBS: &str = "DELETE FROM stoa_job WHERE tenant = :tenant AND id IN \
                 (SELECT id FROM stoa_job WHERE tenant = :tenant AND state = 'done' \
                  AND run_at < $1 LIMIT $2)";
            const LOST: &str = "UPDATE stoa_cursor SET state = 'lost' WHERE tenant = :tenant \
                 AND position < $1 AND state = '' ";
            const FLOOR: &str = "SELECT MIN(position) FROM stoa_cursor \
                 WHERE tenant = :tenant AND state = ''";
            let old = now.before(JOBS_KEPT).0;
            let mut rows = kernel::execute(session, &tenant, KEYS, (now.0, ROWS))?;
            rows += kernel::execute(session, &tenant, CLAIMS, (now.0, ROWS))?;
            rows += kernel::execute(session, &tenant, JOBS, (old, ROWS))?;
            kernel::execute(session, &tenant, LOST, (end - LOG_MAX,))?;
            let slowest = kernel::rows::<(Option<i64>,)>(session, &tenant, FLOOR, ())?;
            let slowest = slowest.first().and_then(|(floor,)| *floor).unwrap_or(end);
            Ok(rows + sweep_log(session, &tenant, slowest.min(end - kept))?)
        })
        .await?;
        if swept < ROWS as u64 {
            self.next = now.after(INTERVAL);
        }
        Ok(swept > 0)
    }
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
}
