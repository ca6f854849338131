//! The node, as effects see it.

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use stoa_contract::{AnyMessage, Format, Kind};
use stoa_kit::blobs::Uploaded;
use stoa_kit::outbound::{Fetch, Fetched};
use stoa_kit::ports::Ports;
use stoa_kit::topic::Topics;
use stoa_kit::tx::Run;
use stoa_kit::{Basis, Cause, Error, Invocation, Look, Registry, Result, Stream, Struct, World};
use stoa_store::{Commit, Header, Reply};
use tokio::sync::oneshot;

use crate::call::{HEADER_BYTES, subject_of};
use crate::fence::fenced;
use crate::quota::Allowed;
use crate::{Node, keys};

/// Threads for work that keeps a processor busy.
const THREADS: usize = 2;
/// Pieces of such work that may wait.
const WAITING: usize = 64;

/// The node behind an effect's context.
pub(crate) struct Runner(pub(crate) Arc<Node>);

impl stoa_kit::Runner for Runner {
    fn call(
        &self, basis: &Arc<Basis>, method: &'static str, request: Box<dyn AnyMessage>,
        step: Option<[u8; 16]>,
    ) -> BoxFuture<'static, Result<Box<dyn AnyMessage>>> {
        let (node, basis) = (Arc::clone(&self.0), Arc::clone(basis));
        Box::pin(async move {
            let outcome = call(&node, &basis, method, request, step).await;
            match node.registry.method(method) {
                // As in a transaction: what another service says of fields is about its own.
                Some(bound) if bound.service != basis.service => {
                    outcome.map_err(|error| error.out_of(&bound.method.short_name()))
                }
                _ => outcome,
            }
        })
    }

    fn fetch(
        &self, basis: &Arc<Basis>, fetch: Fetch, key: Option<String>,
    ) -> BoxFuture<'static, Result<Fetched>> {
        let (node, basis) = (Arc::clone(&self.0), Arc::clone(basis));
        Box::pin(async move { node.fetch(&basis, fetch, key).await })
    }

    fn invoke(
        &self, basis: &Arc<Basis>, invocation: Invocation, key: Option<String>,
    ) -> BoxFuture<'static, Result<Struct>> {
        let (node, basis) = (Arc::clone(&self.0), Arc::clone(basis));
        Box::pin(async move { node.invoke(&basis, invocation, key).await })
    }

    fn upload(
        &self, basis: &Arc<Basis>, media_type: &str, bytes: Stream<Bytes>,
    ) -> BoxFuture<'static, Result<Uploaded>> {
        let (node, basis) = (Arc::clone(&self.0), Arc::clone(basis));
        let media_type = media_type.to_owned();
        Box::pin(async move { node.upload(&basis.caller, &media_type, bytes, None).await })
    }

    fn download(&self, basis: &Arc<Basis>, id: &str) -> BoxFuture<'static, Result<Stream<Bytes>>> {
        let (node, basis, id) = (Arc::clone(&self.0), Arc::clone(basis), id.to_owned());
        Box::pin(async move {
            let blob = node.blob(&basis.caller.tenant, &id).await?;
            let size = blob.size;
            node.bytes(&basis.caller.tenant, &id, blob, 0..size).await
        })
    }

    fn look(&self, basis: &Arc<Basis>, mut look: Look) -> BoxFuture<'static, Result<()>> {
        let (node, basis) = (Arc::clone(&self.0), Arc::clone(basis));
        Box::pin(async move {
            let registry = Arc::clone(&node.registry);
            node.read(None, move |session, stamp| {
                let (registry, caller, cause) = (&*registry, &basis.caller, &basis.cause);
                let run = Run { registry, caller, cause, stamp, nested: true };
                run.query(session, basis.service, |view| look(view))
            })
            .await
        })
    }

    fn compute(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, Result<()>> {
        let done = self.0.pool.put(work);
        Box::pin(
            async move { done?.await.map_err(|_| Error::internal("work in the pool panicked")) },
        )
    }

    fn world(&self) -> &Arc<dyn World> {
        &self.0.world
    }

    fn registry(&self) -> &Registry {
        &self.0.registry
    }

    fn ports(&self) -> &Ports {
        &self.0.ports
    }

    fn topics(&self) -> &dyn Topics {
        &*self.0.topics
    }

    fn extension(&self) -> &(dyn std::any::Any + Send + Sync) {
        &self.0
    }
}

/// Runs a query or a command that an effect calls: authorized by the declared need, validated
/// like any other, and a commit of its own.
async fn call(
    node: &Arc<Node>, basis: &Arc<Basis>, method: &'static str, mut request: Box<dyn AnyMessage>,
    step: Option<[u8; 16]>,
) -> Result<Box<dyn AnyMessage>> {
    let (registry, asked) = (Arc::clone(&node.registry), node.world.uptime());
    let bound = registry.find(method)?;
    registry.check_need(basis.service, bound)?;
    request.admit().map_err(|error| error.out_of(&bound.method.short_name()))?;
    if bound.method.kind == Kind::Query {
        let (inner, basis) = (Arc::clone(&registry), Arc::clone(basis));
        return node
            .read(None, move |session, stamp| {
                let bound = inner.find(method)?;
                let (registry, caller, cause) = (&inner, &basis.caller, &basis.cause);
                let query = Run { registry, caller, cause, stamp, nested: true };
                query.query(session, bound.service, |view| bound.run_query(view, request.as_ref()))
            })
            .await;
    }
    let header = Header {
        tenant: Arc::clone(&basis.caller.tenant),
        cause: basis.cause.to_string(),
        caller: subject_of(node, basis.service, &basis.caller.subject),
        method: bound.method.path,
        trace: basis.trace.clone(),
        key: step.map(|hash| keys::step(basis, hash)),
        asked: Some(asked),
        deadline: basis.deadline,
        bytes: HEADER_BYTES + request.size(),
    };
    let (caller, cause) = (basis.caller.clone(), basis.cause.clone());
    let allowed = match cause {
        Cause::Request => node.allowed(&caller).await?,
        _ => Allowed::ALL,
    };
    let command = node.run_command((bound.method.path, request), caller, cause, allowed, true);
    let run = fenced(basis.fence.clone(), command);
    match node.store.commit(Commit { header, run }).await?.reply {
        Reply::Fresh(Some(reply)) => reply,
        Reply::Replayed(bytes) => bound.decode_reply(&bytes, Format::Binary),
        Reply::Fresh(None) | Reply::Withheld => Err(Error::internal("a step's reply was not kept")),
    }
}

/// A small pool for work that keeps a processor busy.
pub(crate) struct Pool(SyncSender<Work>);

type Work = (Box<dyn FnOnce() + Send>, oneshot::Sender<()>);

impl Pool {
    pub(crate) fn start(world: &Arc<dyn World>) -> Result<Self> {
        let (send, receive) = sync_channel::<Work>(WAITING);
        let receive = Arc::new(Mutex::new(receive));
        for _ in 0..THREADS {
            let receive = Arc::clone(&receive);
            let body = move || loop {
                let next = receive.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok((work, done)) = next else { return };
                let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
                if run.is_ok() {
                    // Whoever stopped waiting does not miss it.
                    let _ = done.send(());
                }
            };
            world.thread("stoa-compute", Box::new(body))?;
        }
        Ok(Self(send))
    }

    fn put(&self, work: Box<dyn FnOnce() + Send>) -> Result<oneshot::Receiver<()>> {
        let (done, wait) = oneshot::channel();
        match self.0.try_send((work, done)) {
            Ok(()) => Ok(wait),
            Err(TrySendError::Full(_)) => Err(Error::exhausted(
                "node.compute_full",
                "too much heavy work waits",
                Duration::from_secs(1),
            )),
            Err(TrySendError::Disconnected(_)) => Err(Error::internal("the pool is gone")),
        }
    }
}
