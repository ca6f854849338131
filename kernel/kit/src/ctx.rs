//! What an effect works with: it talks to the outside and reaches the store by calling.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use stoa_contract::{AnyMessage, Kind, Request};

use crate::caller::Caller;
use crate::ports::Ports;
use crate::registry::ServiceId;
use crate::tx::Cause;
use crate::{Error, Micros, Result, World};

/// A stream of replies.
pub type Stream<T> = futures::stream::BoxStream<'static, Result<T>>;

/// What an effect works with.
#[derive(Clone)]
pub struct Ctx(Arc<Inner>);

struct Inner {
    service: ServiceId,
    caller: Caller,
    cause: Cause,
    key: Option<String>,
    address: String,
    runner: Arc<dyn Runner>,
}

/// The node, as an effect sees it.
pub trait Runner: Send + Sync + 'static {
    /// Runs a query or a command for a service.
    fn call(
        &self,
        from: ServiceId,
        caller: &Caller,
        cause: &Cause,
        method: &'static str,
        request: Box<dyn AnyMessage>,
        key: Option<String>,
    ) -> BoxFuture<'static, Result<Box<dyn AnyMessage>>>;

    /// Runs work that keeps a processor busy, in a small pool.
    fn compute(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, Result<()>>;

    /// The world.
    fn world(&self) -> &Arc<dyn World>;

    /// What drivers provide.
    fn ports(&self) -> &Ports;

    /// Follows the cell's events: for the node's own contract.
    fn extension(&self) -> &(dyn std::any::Any + Send + Sync);
}

impl Ctx {
    /// For the node; services are handed one. `key` is the caller's idempotency key or the job's
    /// identifier, `address` the caller's network address.
    pub fn new(
        service: ServiceId,
        caller: Caller,
        cause: Cause,
        key: Option<String>,
        address: String,
        runner: Arc<dyn Runner>,
    ) -> Self {
        Self(Arc::new(Inner { service, caller, cause, key, address, runner }))
    }

    /// Asks a query or a command, of this service or one that it needs: a commit of its own.
    ///
    /// # Errors
    /// What the method returns.
    pub async fn call<R: Request>(&self, request: R) -> Result<R::Reply> {
        self.run(request, None).await
    }

    /// A named step: a command called in it runs once, however often the effect is tried with
    /// the same idempotency key or by the same job.
    pub fn step<'a>(&'a self, name: &'a str) -> Step<'a> {
        Step { ctx: self, name }
    }

    async fn run<R: Request>(&self, request: R, key: Option<String>) -> Result<R::Reply> {
        const { assert!(!matches!(R::METHOD.kind, Kind::Effect), "effects do not call effects") };
        let inner = &self.0;
        let reply = inner
            .runner
            .call(
                inner.service,
                &inner.caller,
                &inner.cause,
                R::METHOD.path,
                Box::new(request),
                key,
            )
            .await?;
        let reply = reply.into_any().downcast::<R::Reply>();
        reply
            .map(|reply| *reply)
            .map_err(|_| Error::internal(format!("{} gave another message", R::METHOD.path)))
    }

    /// Who asked.
    pub fn caller(&self) -> &Caller {
        &self.0.caller
    }

    /// The network address the call came from; empty for jobs.
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// The key to hand to an outside provider: stable over every attempt of a job, and over
    /// retries with the same idempotency key.
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// The time of day.
    pub fn now(&self) -> Micros {
        self.0.runner.world().now()
    }

    /// Waits.
    pub async fn sleep(&self, wait: Duration) {
        self.0.runner.world().sleep(wait).await;
    }

    /// Unpredictable bytes, for keys and tokens.
    pub fn secret<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.runner.world().entropy(&mut bytes);
        bytes
    }

    /// Runs work that keeps a processor busy for long, such as hashing a password, in a small
    /// pool of its own.
    ///
    /// # Errors
    /// `resource_exhausted` where too much work waits.
    pub async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let (send, receive) = tokio::sync::oneshot::channel();
        let work = Box::new(move || {
            // Whoever waited may have gone; nobody misses the result then.
            let _ = send.send(work());
        });
        self.0.runner.compute(work).await?;
        receive.await.map_err(|_| Error::internal("work in the pool panicked"))
    }

    /// What drivers provide: mail and the like.
    pub fn ports(&self) -> &Ports {
        self.0.runner.ports()
    }

    /// The node behind this context, for the node's own contract.
    pub fn node<T: 'static>(&self) -> Result<&T> {
        let extension = self.0.runner.extension();
        extension.downcast_ref().ok_or_else(|| Error::internal("this node has no such extension"))
    }
}

/// A named step of an effect.
pub struct Step<'a> {
    ctx: &'a Ctx,
    name: &'a str,
}

impl Step<'_> {
    /// As [`Ctx::call`], remembered under the effect's key and the step's name.
    ///
    /// # Errors
    /// What the method returns.
    pub async fn call<R: Request>(&self, request: R) -> Result<R::Reply> {
        let key = self.ctx.key().map(|key| format!("{key}/{}", self.name));
        self.ctx.run(request, key).await
    }
}
