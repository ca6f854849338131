//! A panic in an effect is an error of the effect, and ends nothing else.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::{FutureExt, StreamExt};
use stoa_kit::{Error, Result, Stream};

/// Runs service code that waits; a panic in it is `internal`, which whoever is told logs. What it
/// held is dropped with it: it had no transaction open.
pub(crate) async fn unwound<T>(running: impl Future<Output = Result<T>>) -> Result<T> {
    let caught = AssertUnwindSafe(running).catch_unwind().await;
    caught.unwrap_or_else(|panic| Err(Error::panicked(panic)))
}

/// The same for what it streams: a panic is the last item.
pub(crate) fn unwound_items<T: Send + 'static>(items: Stream<T>) -> Stream<T> {
    let items = AssertUnwindSafe(items).catch_unwind();
    items.map(|item| item.unwrap_or_else(|panic| Err(Error::panicked(panic)))).boxed()
}
