//! A panic in an effect is an error of the effect, and ends nothing else.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use stoa_kit::{Error, Result};

/// Runs service code that waits; a panic in it is `internal`. What it held is dropped with it: it
/// had no transaction open.
pub(crate) async fn unwound<T>(running: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(running).catch_unwind().await.unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("a panic");
        Err(Error::internal(format!("panic: {text}")))
    })
}
