//! The time that the background goes by: the store's, which all nodes of a cell share.

use std::time::Duration;

use stoa_kit::session::Session;
use stoa_kit::{Micros, Result};
use stoa_store::kernel;

use super::CELL;
use crate::Node;

/// How far the time may go back before what was written in the future is looked at: clocks are
/// set right by less all the time.
const SLACK: Duration = Duration::from_secs(5);

/// What is remembered of the clock between two looks.
#[derive(Default)]
pub(super) struct Clock {
    latest: Option<Micros>,
    /// The last look, and the uptime at it.
    seen: Option<(Micros, Duration)>,
    /// Whether the time went back, and what was written in the future still stands there.
    pub went_back: bool,
}

impl Clock {
    /// Looks at the clock.
    pub(super) async fn look(&mut self, node: &Node) -> Result<Micros> {
        let latest = match self.latest {
            Some(latest) => latest,
            None => youngest(node).await?,
        };
        let uptime = node.world().uptime();
        let now = node.store().lease_now().await?;
        self.seen = Some((now, uptime));
        let went_back = now.after(SLACK) < latest;
        // A small step back is not forgotten, so that many of them count like one.
        self.latest = Some(if went_back { now } else { now.max(latest) });
        self.went_back |= went_back;
        Ok(now)
    }

    /// What it shows now, as far as can be told without a look.
    pub(super) fn now(&self, node: &Node) -> Option<Micros> {
        let (now, then) = self.seen?;
        Some(now.after(node.world().uptime().saturating_sub(then)))
    }
}

/// When the youngest commit was made, by the clock of then.
async fn youngest(node: &Node) -> Result<Micros> {
    // One look-up a tenant.
    const TIME: &str = "WITH RECURSIVE each (name) AS (SELECT MIN(tenant) FROM stoa_commit \
         UNION ALL SELECT (SELECT MIN(c.tenant) FROM stoa_commit AS c WHERE c.tenant > each.name) \
         FROM each WHERE each.name IS NOT NULL) \
         SELECT MAX((SELECT c.time FROM stoa_commit AS c WHERE c.tenant = each.name \
         ORDER BY c.position DESC LIMIT 1)) FROM each";
    let read =
        move |session: &mut dyn Session, _| kernel::rows::<(Option<i64>,)>(session, CELL, TIME, ());
    let found = node.read(None, read).await?.first().and_then(|(time,)| *time);
    Ok(Micros(found.unwrap_or(0)))
}
