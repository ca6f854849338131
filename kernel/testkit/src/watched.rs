//! Queries that are watched.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use stoa_contract::Request;
use stoa_kit::{Caller, Error, Result};
use stoa_node::{Position, Watch};

use crate::Node;
use crate::until::PATIENCE;

/// A query that is watched.
pub struct Watched<R> {
    node: Node,
    watch: Watch,
    /// The etag of the last reply.
    pub etag: String,
    /// Where the last reply was.
    pub position: Position,
    request: PhantomData<R>,
}

impl Node {
    /// Watches a query, from the etag of what was seen of it.
    ///
    /// # Errors
    /// Those of [`stoa_node::Node::watch`].
    pub async fn watch<R: Request>(
        &self, caller: &Caller, request: R, etag: &str,
    ) -> Result<Watched<R>> {
        let watch = self.inner().watch(caller, R::METHOD, Box::new(request), etag).await?;
        let (node, etag) = (self.clone(), etag.to_owned());
        Ok(Watched { node, watch, etag, position: Position(0), request: PhantomData })
    }

    /// How many reads the store has served.
    pub fn reads(&self) -> u64 {
        self.inner().store().metrics().reads.load(Relaxed)
    }
}

impl<R: Request> Watched<R> {
    /// What is told next; none if it is that nothing is new.
    pub async fn next(&mut self) -> Option<R::Reply> {
        self.told().await.expect("a reply is told")
    }

    /// What it ends with.
    pub async fn fails(&mut self) -> Error {
        loop {
            if let Err(error) = self.told().await {
                return error;
            }
        }
    }

    async fn told(&mut self) -> Result<Option<R::Reply>> {
        let told = tokio::time::timeout(PATIENCE, self.watch.next()).await;
        let Some(reply) = told.expect("something is told in time")? else { return Ok(None) };
        (self.etag, self.position) = (reply.etag.clone(), reply.position);
        let message = reply.message(Arc::as_ref(self.node.inner().registry()))?;
        let message = message.into_any().downcast::<R::Reply>();
        Ok(Some(*message.expect("it is the reply of the query")))
    }
}
