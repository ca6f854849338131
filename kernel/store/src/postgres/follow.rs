//! The follower: says whether the database is there, and tells of what other nodes commit.
//!
//! It looks, four times a second, at the commit records that the snapshot of its last look did
//! not show. NOTIFY would be faster and was not chosen: inside of a commit it takes a lock of the
//! whole server until the commit is flushed, so that commits happen one after another; outside
//! of it, it is lost with a node that dies in between, and with it the word that a session was
//! revoked. What is in the tables cannot be lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Relaxed, Release};
use std::time::Duration;

use futures::future::{Either, select};
use futures::pin_mut;
use stoa_kit::{Error, Result};

use super::link::Link;
use super::trouble::is_passing;
use super::{CLOCK, Shared};
use crate::{Notice, Written, kernel};

/// How often other nodes' commits are looked for.
const EVERY: Duration = Duration::from_millis(250);
/// How long a look may take: whoever keeps in mind what other nodes may revoke waits for it.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// The follower's state.
pub(super) struct Follower {
    shared: Arc<Shared>,
    link: Link,
    /// What the last look did not show.
    unseen: Unseen,
}

/// The transactions that a snapshot does not show: those from one identifier on, and those
/// before it that were still running.
pub(super) struct Unseen {
    /// Below it none runs any more.
    oldest: i64,
    from: i64,
    running: Vec<i64>,
}

impl Unseen {
    /// What happens from now on.
    pub(super) fn now(link: &mut Link) -> Result<Self> {
        let rows = link.rows("SELECT pg_current_snapshot()::text")?;
        let snapshot = rows.first().and_then(|row| Self::of(row.first()?));
        snapshot.ok_or_else(|| Error::internal("the database gave no snapshot"))
    }

    /// Reads a snapshot as PostgreSQL writes it: `xmin:xmax:running,running`.
    fn of(snapshot: &str) -> Option<Self> {
        let mut parts = snapshot.split(':');
        let oldest = parts.next()?.parse().ok()?;
        let from = parts.next()?.parse().ok()?;
        let running = parts.next()?.split(',').filter_map(|id| id.parse().ok()).collect();
        Some(Self { oldest, from, running })
    }

    /// The condition that its commit records fulfil.
    fn condition(&self, base: i64) -> String {
        let running = self.running.iter().map(|id| (base + id).to_string()).collect::<Vec<_>>();
        let late = format!("position = ANY('{{{}}}'::bigint[])", running.join(","));
        format!("(position >= {} OR {late})", base + self.from)
    }
}

impl Follower {
    pub(super) fn new(shared: Arc<Shared>, link: Link, unseen: Unseen) -> Self {
        Self { shared, link, unseen }
    }

    /// One step: looks once and waits. False when the store closes.
    pub(super) fn step(&mut self) -> bool {
        // A connection that was lost is tried once more at once, as that of a command is.
        let mut looked = self.look();
        if looked.as_ref().is_err_and(is_passing) {
            looked = self.look();
        }
        match looked {
            Ok(()) => self.shared.down.store(false, Release),
            Err(error) => {
                if !self.shared.down.swap(true, AcqRel) {
                    tracing::warn!(error = ?error, "the database does not answer");
                }
            }
        }
        let mut closing = self.shared.closing.subscribe();
        let world = Arc::clone(&self.shared.world);
        self.link.wait(async move {
            let (wait, closed) = (world.sleep(EVERY), closing.wait_for(|closing| *closing));
            pin_mut!(wait, closed);
            matches!(select(wait, closed).await, Either::Left(_))
        })
    }

    fn look(&mut self) -> Result<()> {
        self.link.connect()?;
        let began = self.shared.world.uptime();
        let wanted = self.unseen.condition(self.shared.base());
        // One statement, so that the records and the snapshot belong together.
        let look = format!(
            "SELECT pg_current_snapshot()::text, {CLOCK}::text, '' \
             UNION ALL SELECT position::text, tables, tenant FROM stoa_commit WHERE {wanted}"
        );
        let rows = self.link.rows_within(LOOK_MAX, &look)?;
        let mut snapshot = None;
        let mut last = None;
        let (mut tables, mut tenants) = (Vec::new(), BTreeSet::new());
        for row in &rows {
            let [first, written, tenant] = row.as_slice() else { continue };
            let Ok(position) = first.parse::<i64>() else {
                snapshot = Unseen::of(first);
                self.compare(written);
                continue;
            };
            if !self.shared.untell(position) {
                last = last.max(Some(position));
                let tenant: Arc<str> = tenant.as_str().into();
                let table = |(table, _, rows): (&str, _, _)| Written {
                    tenant: Arc::clone(&tenant),
                    table: table.into(),
                    rows,
                };
                tables.extend(written.split_whitespace().filter_map(kernel::changed).map(table));
                tenants.insert(tenant);
            }
        }
        if let Some(position) = last {
            // Which of them left events or jobs is not recorded; to look is cheap.
            let tenants: Vec<_> = tenants.into_iter().collect();
            let (tables, events) = (tables.into(), tenants.clone());
            self.shared.publish(Notice { position, tables, tenants, events, jobs: true });
        }
        self.unseen = snapshot.ok_or_else(|| Error::internal("a look gave no snapshot"))?;
        let settled = self.shared.base() + self.unseen.oldest - 1;
        self.shared.settled.fetch_max(settled, AcqRel);
        self.shared.looked_us.store(began.as_micros() as u64, Release);
        Ok(())
    }

    /// Notes how far this node's clock is from the server's; a test has its own on purpose.
    fn compare(&self, clock: &str) {
        let (shared, clock) = (&self.shared, clock.parse::<i64>());
        if let (true, Ok(clock)) = (shared.options.database_clock, clock) {
            shared.metrics.clock_ahead_us.store(shared.world.now().0 - clock, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_says_what_it_does_not_show() {
        let unseen = Unseen::of("10:20:10,14,15").unwrap();
        assert_eq!((unseen.from, unseen.running.as_slice()), (20, &[10, 14, 15][..]));
        let condition = unseen.condition(100);
        assert_eq!(condition, "(position >= 120 OR position = ANY('{110,114,115}'::bigint[]))");
        let quiet = Unseen::of("20:20:").unwrap();
        assert_eq!((quiet.from, quiet.running.len()), (20, 0));
        assert!(Unseen::of("nonsense").is_none());
    }
}
