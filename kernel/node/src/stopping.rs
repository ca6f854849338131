//! What goes on for long ends when the node is told to stop.

use futures::StreamExt;
use stoa_kit::{Error, Stream};
use tokio::sync::watch;

use crate::Node;

/// Waits until the node is told to stop.
pub(crate) async fn told(stopping: &mut watch::Receiver<bool>) {
    if stopping.wait_for(|stopping| *stopping).await.is_err() {
        // Nobody is left who could tell.
        std::future::pending().await
    }
}

/// What is said then.
pub(crate) fn stopping(help: &'static str) -> Error {
    Error::unavailable("node.stopping", "this node was told to stop").help(help)
}

/// What comes in a conversation, until the node is told to stop.
pub fn until_stopped<T: Send + 'static>(node: &Node, items: Stream<T>) -> Stream<T> {
    let state = (items, node.stopping.subscribe());
    let steps = futures::stream::unfold(state, |(mut items, mut stop)| async {
        let item = tokio::select! {
            biased;
            () = told(&mut stop) => {
                Err(stopping("Begin again on another node, or when this one is back."))
            }
            item = items.next() => item?,
        };
        Some((item, (items, stop)))
    });
    steps.boxed()
}
