//! Looks at what the node does, so that it can be told later.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use stoa_kit::{Micros, Result};
use stoa_store::Notice;

use super::Work;
use crate::Node;

/// How often: what a queue holds is the most that was seen.
const EVERY: Duration = Duration::from_secs(1);

/// The load of a node.
pub(super) struct Load(Arc<Node>);

impl Load {
    pub(super) fn new(node: &Arc<Node>) -> Self {
        Self(Arc::clone(node))
    }
}

impl Work for Load {
    fn name(&self) -> &'static str {
        "load"
    }

    fn step(&mut self) -> BoxFuture<'_, Result<bool>> {
        self.0.measure();
        Box::pin(std::future::ready(Ok(false)))
    }

    fn due(&self) -> Option<Micros> {
        Some(self.0.world().now().after(EVERY))
    }

    fn is_for(&self, _: &Notice) -> bool {
        false
    }
}
