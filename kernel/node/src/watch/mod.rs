//! Live queries: whoever watches a query is told what it says now, and again whenever that changes.
//!
//! A watch gives states, not changes. Each is the whole reply, under an etag; who reads slowly gets the
//! newest and misses none that matters, and who comes back with the etag they saw last is told no
//! more than that nothing has changed, or what it is now. So there is no gap to fall into, and no log
//! to fall out of (`docs/adr/0022-watches-give-states.md`).
//!
//! A query notes which rows of which tables it reads; a commit tells which it wrote. The [`hub`] brings
//! both together and has those look again whom a commit may concern. Watches of one query by one
//! caller look once for all of them, and not more often than they could be told.
//!
//! **Invariant:** what a commit may concern is never less than what it concerns: whenever the reply of a
//! query changes by a commit, whoever watches it looks again.
//!
//! **Invariant:** who watches is asked who they are as often as it may have changed, in the same way:
//! that is a look at rows too. Nothing is given to somebody who was found to be shut out.

mod access;
mod group;
mod hub;
mod query;

use std::sync::Arc;

use futures::StreamExt;
use stoa_contract::{AnyMessage, Format, Kind, Method, Permission};
use stoa_kit::registry::no_such_method;
use stoa_kit::{Caller, Code, Error, Result, Stream};
use tokio::sync::watch;

pub use query::Reply;

use crate::Node;
use crate::budget::Held;
use crate::guest::Guest;
use crate::stopping::{stopping, told};
use access::Access;
pub(crate) use group::State;
pub(crate) use hub::Hub;
use query::Query;

/// What to do when the node stops.
const AGAIN: &str = "Go on from what you saw last, on another node or when this one is back.";

/// A query that is watched.
pub struct Watch {
    node: Arc<Node>,
    caller: Caller,
    method: &'static Method,
    request: Arc<[u8]>,
    access: State<Caller>,
    state: State<Arc<Reply>>,
    /// The etag of what the watcher has seen.
    known: String,
    is_first: bool,
    stopping: watch::Receiver<bool>,
    _held: Held,
}

impl Guest {
    /// Whether they may still be there, told whenever that may have changed.
    pub(crate) fn access(&self) -> State<Caller> {
        self.node.hub.listen(&self.node);
        self.node.hub.accesses.join(&self.node, Access::of(&self.visitor, &self.caller))
    }

    /// Watches a query for whoever was let in to ask it, from what they have seen of it: an etag, empty
    /// for nothing. They are cut off once their credential ends, or may not ask it any more.
    ///
    /// # Errors
    /// `watch.not_a_query`, `watch.untold`, `node.crowded`, and those of [`Node::call`].
    pub async fn watch(
        &self, method: &'static Method, request: Box<dyn AnyMessage>, etag: &str,
    ) -> Result<Watch> {
        let access = Access::of(&self.visitor, &self.caller);
        self.node
            .watch_as(access, (&self.caller, &self.visitor.network), method, request, etag)
            .await
    }
}

impl Node {
    /// Watches a query for a caller who is known by their subject, as effects know theirs, from what
    /// they have seen of it: an etag, empty for nothing.
    ///
    /// # Errors
    /// As [`Guest::watch`].
    pub async fn watch(
        self: &Arc<Self>, caller: &Caller, method: &'static Method, request: Box<dyn AnyMessage>,
        etag: &str,
    ) -> Result<Watch> {
        let access = Access::Known(caller.clone());
        self.watch_as(access, (caller, ""), method, request, etag).await
    }

    async fn watch_as(
        self: &Arc<Self>, access: Access, (caller, network): (&Caller, &str),
        method: &'static Method, mut request: Box<dyn AnyMessage>, etag: &str,
    ) -> Result<Watch> {
        if method.permission == Permission::Internal {
            return Err(no_such_method(method.path));
        }
        if method.kind != Kind::Query {
            return Err(not_a_query(method));
        }
        request.admit()?;
        let mut held = self.hub.room.open(caller, network);
        held.take(1)?;
        self.hub.listen(self);
        let mut access = self.hub.accesses.join(self, access);
        let permissions = access.first().await?.permissions;
        let caller = Caller { permissions, ..caller.clone() };
        caller.authorize(method)?;
        let request: Arc<[u8]> = request.encode(Format::Binary)?.into();
        let query = Query::new(&caller, method, &request);
        Ok(Watch {
            state: self.hub.queries.join(self, query),
            node: Arc::clone(self),
            caller,
            method,
            request,
            access,
            known: etag.to_owned(),
            is_first: true,
            stopping: self.stopping.subscribe(),
            _held: held,
        })
    }
}

impl Watch {
    /// What the query says, once that is something else than the watcher has seen; none, once and at
    /// the start, where it is what they have seen. Where this is not waited for to the end, nothing is
    /// lost.
    ///
    /// # Errors
    /// What the query fails with, or that its watcher may not ask it any more; `node.stopping`. The
    /// watch is over then.
    pub async fn next(&mut self) -> Result<Option<Arc<Reply>>> {
        loop {
            tokio::select! {
                biased;
                () = told(&mut self.stopping) => return Err(stopping(AGAIN)),
                () = self.access.changed() => self.admit()?,
                () = self.state.changed() => {
                    let Some(reply) = self.state.now()? else { continue };
                    let is_known = reply.etag == self.known;
                    let is_first = std::mem::take(&mut self.is_first);
                    if !is_known {
                        self.known.clone_from(&reply.etag);
                        return Ok(Some(reply));
                    }
                    if is_first {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// What it gives, one after another; the last may be an error.
    pub fn stream(self) -> Stream<Option<Arc<Reply>>> {
        let steps = futures::stream::unfold(Some(self), |watch| async {
            let mut watch = watch?;
            match watch.next().await {
                Ok(reply) => Some((Ok(reply), Some(watch))),
                Err(error) => Some((Err(error), None)),
            }
        });
        steps.boxed()
    }

    /// Goes on as whoever the watcher is now, if they may.
    fn admit(&mut self) -> Result<()> {
        let Some(now) = self.access.now()? else { return Ok(()) };
        if now.permissions != self.caller.permissions {
            self.caller.permissions = now.permissions;
            self.caller.authorize(self.method)?;
            let query = Query::new(&self.caller, self.method, &self.request);
            self.state = self.node.hub.queries.join(&self.node, query);
        }
        Ok(())
    }
}

fn not_a_query(method: &Method) -> Error {
    let message = format!("{} is no query, and only queries are watched", method.path);
    Error::new(Code::InvalidArgument, "watch.not_a_query", message)
        .help("Watch a query that shows what you want to follow, or follow events.")
}

/// What somebody is told who watches what changes without being told.
fn untold(method: &str, table: &str) -> Error {
    let message = format!("{method} reads `{table}`, of which changes are not told");
    Error::new(Code::FailedPrecondition, "watch.untold", message)
        .help("Ask it again from time to time.")
}
