//! The watchdog: says aloud when the node cannot take work, and when it can again. Whoever asks
//! `/ready` hears the same; a log is read also where nobody asks.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use stoa_kit::{Micros, Result};
use stoa_store::Notice;

use super::Work;
use crate::Node;

/// How often it looks: trouble that is shorter than a second is trouble too.
const EVERY: Duration = Duration::from_millis(200);

/// The watchdog of a node.
pub(super) struct Watchdog {
    node: Arc<Node>,
    ready: bool,
}

impl Watchdog {
    pub(super) fn new(node: &Arc<Node>) -> Self {
        Self { node: Arc::clone(node), ready: true }
    }

    fn look(&mut self) {
        let health = self.node.health();
        match (&health, self.ready) {
            (Err(error), true) => tracing::error!(error = ?error, "the node is not ready"),
            (Ok(()), false) => tracing::warn!("the node is ready again"),
            _ => {}
        }
        self.ready = health.is_ok();
    }
}

impl Work for Watchdog {
    fn name(&self) -> &'static str {
        "watchdog"
    }

    fn step(&mut self) -> BoxFuture<'_, Result<bool>> {
        self.look();
        Box::pin(std::future::ready(Ok(false)))
    }

    fn due(&self) -> Option<Micros> {
        Some(self.node.world().now().after(EVERY))
    }

    fn is_for(&self, _: &Notice) -> bool {
        false
    }

    /// What was said of a node that was in trouble is not the last word if it is over.
    fn finish(&mut self) -> BoxFuture<'_, ()> {
        self.look();
        Box::pin(std::future::ready(()))
    }
}
