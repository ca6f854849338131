//! What no row holds goes: uploads that nobody named within a day, and blobs a day after a row let go of
//! them. A copy of the database and of the objects, made one after the other in less time, is whole.
//!
//! Each goes in three steps, a commit that says so, the bytes, and a commit that forgets them. Whoever
//! comes after a process that died between two of them begins again; two nodes do no more than one.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use stoa_kit::session::Session;
use stoa_kit::{Micros, Result};
use stoa_store::{Notice, kernel};

use super::clock::Clock;
use super::{CELL, Work};
use crate::Node;

/// How long what no row holds is kept.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(60);
/// Blobs that go in one step.
const BLOBS: i64 = 100;

/// What clears away blobs on a node.
pub(super) struct Blobs {
    node: Arc<Node>,
    clock: Clock,
    next: Micros,
}

impl Blobs {
    pub(super) fn new(node: &Arc<Node>) -> Self {
        let next = node.world().now().after(INTERVAL);
        Self { node: Arc::clone(node), clock: Clock::default(), next }
    }

    pub(super) async fn step(&mut self) -> Result<bool> {
        const PAST: &str = "SELECT tenant, id FROM stoa_blob WHERE state <> 'kept' AND time < $1 \
             ORDER BY time, tenant, id LIMIT $2";
        let now = self.clock.look(&self.node).await?;
        self.next = self.next.min(now.after(INTERVAL));
        if now < self.next || self.node.objects().is_err() {
            return Ok(false);
        }
        // Where one cannot go, it is tried again with the next look.
        self.next = now.after(INTERVAL);
        let before = now.before(KEPT).0;
        let past = move |session: &mut dyn Session, _| {
            kernel::rows::<(String, String)>(session, CELL, PAST, (before, BLOBS))
        };
        let past = self.node.read(None, past).await?;
        let mut outcome = Ok(false);
        for (tenant, id) in &past {
            // One that cannot go holds up none behind it.
            let gone = self.node.drop_blob(tenant, id).await;
            outcome = outcome.and_then(|any| Ok(any | gone?));
        }
        if past.len() as i64 == BLOBS && outcome.is_ok() {
            self.next = now;
        }
        outcome
    }
}

impl Work for Blobs {
    fn name(&self) -> &'static str {
        "blobs"
    }

    fn step(&mut self) -> BoxFuture<'_, Result<bool>> {
        Box::pin(Blobs::step(self))
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
