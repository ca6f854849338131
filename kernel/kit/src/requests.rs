//! Requests that come as a stream.

use futures::StreamExt;

use crate::{Error, Result, Stream};

/// The requests of a caller who sends many, in order, each held to the rules of the contract.
///
/// More is taken from the caller only as more is asked for, so that who works slowly is sent to
/// slowly. A call that is given up ends the effect with it, wherever it waits.
pub struct Requests<R> {
    coming: Stream<R>,
    failed: Option<Error>,
}

impl<R> Requests<R> {
    /// For the node; effects are handed them.
    pub fn new(coming: Stream<R>) -> Self {
        Self { coming, failed: None }
    }

    /// The next one; none once the caller has said all. Nothing is lost where this is dropped
    /// before it gives one.
    ///
    /// # Errors
    /// What is wrong with the next one, or why it did not come: the call broke off, came too slowly,
    /// may not go on. What came before is not the whole then, and the same error is all there is.
    pub async fn next(&mut self) -> Result<Option<R>> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let next = self.coming.next().await.transpose();
        if let Err(error) = &next {
            self.failed = Some(error.clone());
        }
        next
    }
}
