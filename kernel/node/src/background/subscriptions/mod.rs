//! Reactions to events: exactly once, in order per subject.
//!
//! A tenant's log is read once for all subscriptions, a page of places, topics and subjects at a time.
//! Whatever is wanted waits in its [`Partition`](partition::Partition); its payload is fetched when it is handled. The
//! cursor of a partition moves in the commit of what its events caused ([`reaction`]), and where
//! there is nothing for it to do, nothing is written: now and then the cursors that the log has
//! left behind are moved after it, in one commit of all ([`cursors`]), so that it can be swept.
//!
//! A tenant is looked at when a commit appended events of it, and for as long as something waits: its
//! [`Router`] is kept for a while after that, and one for whom nothing happens has none. A start looks
//! at all of them once.
//!
//! Nodes share the work by patience. Whoever handled a partition last goes on with it, and the
//! others leave to it what waits there, unless the first event has waited for [`PATIENCE`]: then
//! its node is gone or in trouble, and theirs is the partition from then on. So there is no lease
//! that somebody would have to renew. Where two are at work nevertheless, the cursor lets one win.

mod cursors;
mod fill;
mod partition;
mod reaction;
mod router;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use stoa_kit::session::Session;
use stoa_kit::{Micros, Result};
use stoa_store::{Notice, kernel};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use super::{CELL, Work};
use crate::Node;
pub(crate) use cursors::TO_FILL;
pub(crate) use partition::partition_of;
use router::Router;

/// Tenants whose events are handled at once.
const AT_ONCE: usize = 8;
/// Tenants whose cursors are brought in line in one commit.
const REGISTERED: usize = 64;
/// How long an event may wait for the node that holds its partition before another takes it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Every subscription of a node, for every tenant.
pub(super) struct Subscriptions {
    node: Arc<Node>,
    notices: Receiver<Notice>,
    /// Tenants for whom something happened of late.
    routers: BTreeMap<Arc<str>, Router>,
    /// Tenants to look at, and the position up to which there is something to see.
    stirred: BTreeMap<Arc<str>, i64>,
    /// Tenants whose cursors are in line with what this node subscribes to.
    known: BTreeSet<Arc<str>>,
    is_needed: bool,
}

impl Subscriptions {
    pub(super) async fn new(node: &Arc<Node>) -> Result<Self> {
        let notices = node.store().notices();
        let mut this = Self {
            node: Arc::clone(node),
            notices,
            routers: BTreeMap::new(),
            stirred: BTreeMap::new(),
            known: BTreeSet::new(),
            is_needed: node.registry().services().iter().any(|one| !one.subscriptions.is_empty()),
        };
        this.meet().await?;
        Ok(this)
    }

    /// Handles what waits, of several tenants at once. What fails for one keeps no other from its
    /// turn.
    pub(super) async fn step(&mut self) -> Result<bool> {
        if !self.is_needed {
            return Ok(false);
        }
        self.listen().await?;
        let tenants = self.node.tenants().await?;
        for tenant in self.released().await? {
            self.stirred.entry(tenant).or_default();
        }
        for tenant in self.stirred.keys().filter(|tenant| tenants.active(tenant).is_ok()) {
            let router = || Router::new(&self.node, tenant);
            self.routers.entry(Arc::clone(tenant)).or_insert_with(router);
        }
        let due = self.routers.iter_mut().filter(|(tenant, _)| {
            self.stirred.contains_key(*tenant) && tenants.active(tenant).is_ok()
        });
        let passes: Vec<BoxFuture<'_, (Arc<str>, Result<bool>, Option<i64>)>> = due
            .map(|(tenant, router)| {
                Box::pin(async move {
                    let worked = router.pass().await;
                    (Arc::clone(tenant), worked, router.through())
                }) as _
            })
            .collect();
        let passes = futures::stream::iter(passes).buffer_unordered(AT_ONCE);
        let passes: Vec<_> = passes.collect().await;
        let mut outcome = Ok(false);
        for (tenant, worked, through) in passes {
            // What was committed may not be there to be read yet: an older commit still runs.
            let stirred = self.stirred.get(&tenant).copied();
            if matches!(worked, Ok(false)) && through >= stirred {
                self.stirred.remove(&tenant);
            }
            outcome = outcome.and_then(|any| Ok(any | worked?));
        }
        self.tidy().await?;
        outcome
    }

    /// Hears for whom events were appended.
    async fn listen(&mut self) -> Result<()> {
        let mut changed = false;
        loop {
            match self.notices.try_recv() {
                Ok(notice) => {
                    for tenant in notice.events {
                        let stirred = self.stirred.entry(tenant).or_default();
                        *stirred = notice.position.max(*stirred);
                    }
                    changed |= notice.tables.iter().any(|one| kernel::TOLD.contains(&&*one.table));
                }
                Err(TryRecvError::Lagged(_)) => {
                    self.known.clear();
                    changed = true;
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if changed { self.meet().await } else { Ok(()) }
    }

    /// Brings the cursors of tenants in line that are new here, and looks at them.
    async fn meet(&mut self) -> Result<()> {
        let tenants = self.node.tenants().await?;
        let new: Vec<_> = tenants.names().filter(|name| !self.known.contains(*name)).collect();
        for some in new.chunks(REGISTERED) {
            let some: Vec<Arc<str>> = some.iter().map(|name| Arc::clone(name)).collect();
            cursors::register(&self.node, some.clone()).await?;
            for tenant in some {
                self.stirred.entry(Arc::clone(&tenant)).or_default();
                self.known.insert(tenant);
            }
        }
        Ok(())
    }

    /// Tenants with events that people released.
    async fn released(&self) -> Result<Vec<Arc<str>>> {
        const RELEASED: &str = "SELECT DISTINCT tenant FROM stoa_parked WHERE attempts = -1";
        let read =
            |session: &mut dyn Session, _| kernel::rows::<(String,)>(session, CELL, RELEASED, ());
        let rows = self.node.read(None, read).await?;
        Ok(rows.into_iter().map(|(tenant,)| tenant.into()).collect())
    }

    /// Tidies up behind those for whom nothing happens any more, and forgets them.
    async fn tidy(&mut self) -> Result<()> {
        let mut over = Vec::new();
        for (tenant, router) in &mut self.routers {
            if router.tidy().await? && !self.stirred.contains_key(tenant) {
                router.hide();
                over.push(Arc::clone(tenant));
            }
        }
        for tenant in over {
            self.routers.remove(&tenant);
        }
        Ok(())
    }
}

impl Work for Subscriptions {
    fn name(&self) -> &'static str {
        "subscriptions"
    }

    fn step(&mut self) -> BoxFuture<'_, Result<bool>> {
        Box::pin(Subscriptions::step(self))
    }

    fn due(&self) -> Option<Micros> {
        None
    }
}
