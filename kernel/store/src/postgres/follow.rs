//! The follower: says whether the database is there, and tells of what other nodes commit.
//!
//! It looks, four times a second, at the commit records behind the last position that was
//! settled. NOTIFY would be faster and was not chosen: inside of a commit it takes a lock of the
//! whole server until the commit is flushed, so that commits happen one after another; outside
//! of it, it is lost with a node that dies in between, and with it the word that a session was
//! revoked. What is in the tables cannot be lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use std::time::Duration;

use futures::future::{Either, select};
use futures::pin_mut;
use stoa_kit::Result;

use super::link::{Link, Role};
use super::{SETTLED, Shared};
use crate::Notice;

/// How often other nodes' commits are looked for.
const EVERY: Duration = Duration::from_millis(250);

/// The follower's state.
pub(super) struct Follower {
    shared: Arc<Shared>,
    link: Link,
    /// Everything up to here has been told.
    settled: i64,
}

impl Follower {
    /// Follows what is committed after `settled`.
    pub(super) fn new(shared: Arc<Shared>, settled: i64) -> Result<Self> {
        let link = Link::new(Arc::clone(&shared), Role::Keep)?;
        Ok(Self { shared, link, settled })
    }

    /// One step: looks once and waits. False when the store closes.
    pub(super) fn step(&mut self) -> bool {
        match self.look() {
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
        // Read before the records: what commits in between is found again, and told once.
        let settled = self.shared.base() + self.link.number(SETTLED)?;
        let records = self.link.rows(&format!(
            "SELECT position, tables FROM stoa_commit WHERE position > {} ORDER BY position",
            self.settled
        ))?;
        let mut tables = BTreeSet::new();
        let mut news = false;
        for record in &records {
            let [position, written] = record.as_slice() else { continue };
            let Ok(position) = position.parse() else { continue };
            if self.shared.tell(position) {
                news = true;
                self.shared.highest.fetch_max(position, AcqRel);
                let names = written.split_whitespace().filter_map(|entry| entry.split_once(':'));
                tables.extend(names.map(|(name, _)| Arc::from(name)));
            }
        }
        if news {
            let position = self.shared.highest.load(Acquire);
            let tables = tables.into_iter().collect();
            // Which of them left events or jobs is not recorded; to look is cheap. Nobody
            // listening is fine.
            let _ = self.shared.notices.send(Notice { position, tables, events: true, jobs: true });
        }
        self.settled = settled;
        self.shared.forget(settled);
        Ok(())
    }
}
