//! What an effect works with: it talks to the outside and reaches the store by calling.
//!
//! An effect that came with an idempotency key, as every job does, may have to run again: the
//! process died, the network did. What it committed before is not repeated: each command it calls is
//! a *step*, remembered under the key, and gives its first reply again, whatever would be asked now.
//! What it drew as [`Ctx::secret`] is drawn again. So an effect needs no care to happen once, as long
//! as it calls its commands in the same order; where the order may differ, [`Ctx::step`] names them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use stoa_contract::open::Struct;
use stoa_contract::{AnyMessage, Kind, Message, Request};

use crate::blobs::Uploaded;
use crate::caller::Caller;
use crate::invoke::Invocation;
use crate::outbound::{Fetch, Fetched};
use crate::ports::{self, Port, Ports};
use crate::registry::{Registry, ServiceId};
use crate::session::{Session, Stamp};
use crate::topic::{Place, Topic, Topics};
use crate::tx::Cause;
use crate::{Error, Micros, Result, Seal, View, World};

/// A stream of replies.
pub type Stream<T> = futures::stream::BoxStream<'static, Result<T>>;

/// Whether whoever runs an effect still holds the right to: asked inside of every commit that the
/// effect makes, so that one who was overtaken changes nothing.
pub type Fence = Arc<dyn Fn(&mut dyn Session, Stamp) -> Result<()> + Send + Sync>;

/// What an effect works with.
#[derive(Clone)]
pub struct Ctx(Arc<Inner>);

struct Inner {
    basis: Arc<Basis>,
    runner: Arc<dyn Runner>,
    /// How often each command was called without a name, and each address fetched.
    calls: Mutex<BTreeMap<Cow<'static, str>, u64>>,
}

/// What a run of an effect stands on: for the node; services are handed a [`Ctx`].
pub struct Basis {
    /// The service whose effect it is.
    pub service: ServiceId,
    /// Who asked.
    pub caller: Caller,
    /// Why it runs.
    pub cause: Cause,
    /// The idempotency key it came with, or the job's identifier.
    pub key: Option<String>,
    /// What its secrets and the names of its steps follow from: of its own, and under a key the
    /// same for every run.
    pub seal: Seal,
    /// The network address it came from; empty for jobs.
    pub address: String,
    /// The W3C trace it belongs to.
    pub trace: String,
    /// Uptime after which nothing it calls is begun any more.
    pub deadline: Option<Duration>,
    /// What says whether it was overtaken, where that can be.
    pub fence: Option<Fence>,
}

/// What is looked at on a snapshot.
pub type Look = Box<dyn FnMut(&View) -> Result<()> + Send>;

/// The node, as an effect sees it.
pub trait Runner: Send + Sync + 'static {
    /// Runs a query or a command for an effect. A `step` is remembered under its name.
    fn call(
        &self, basis: &Arc<Basis>, method: &'static str, request: Box<dyn AnyMessage>,
        step: Option<[u8; 16]>,
    ) -> BoxFuture<'static, Result<Box<dyn AnyMessage>>>;

    /// Sends a request to the outside for an effect, with a key that it can be told by.
    fn fetch(
        &self, basis: &Arc<Basis>, fetch: Fetch, key: Option<String>,
    ) -> BoxFuture<'static, Result<Fetched>>;

    /// Takes in bytes for an effect.
    fn upload(
        &self, basis: &Arc<Basis>, media_type: &str, bytes: Stream<Bytes>,
    ) -> BoxFuture<'static, Result<Uploaded>>;

    /// Calls any method on the faces for an effect, under a key where it has one.
    fn invoke(
        &self, basis: &Arc<Basis>, invocation: Invocation, key: Option<String>,
    ) -> BoxFuture<'static, Result<Struct>>;

    /// Gives the bytes of a blob to an effect.
    fn download(&self, basis: &Arc<Basis>, id: &str) -> BoxFuture<'static, Result<Stream<Bytes>>>;

    /// Looks at a snapshot as the effect's service.
    fn look(&self, basis: &Arc<Basis>, look: Look) -> BoxFuture<'static, Result<()>>;

    /// Runs work that keeps a processor busy, in a small pool.
    fn compute(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, Result<()>>;

    /// The world.
    fn world(&self) -> &Arc<dyn World>;

    /// The manifests.
    fn registry(&self) -> &Registry;

    /// What drivers provide.
    fn ports(&self) -> &Ports;

    /// What is in topics.
    fn topics(&self) -> &dyn Topics;

    /// Follows the cell's events: for the node's own contract.
    fn extension(&self) -> &(dyn std::any::Any + Send + Sync);
}

impl Ctx {
    /// For the node; services are handed one.
    pub fn new(basis: Basis, runner: Arc<dyn Runner>) -> Self {
        Self(Arc::new(Inner { basis: Arc::new(basis), runner, calls: Mutex::default() }))
    }

    /// Asks a query or a command, of this service or one that it needs: a commit of its own, and
    /// under a key a step, named by its method and by how many calls of the method came before.
    ///
    /// # Errors
    /// What the method returns.
    pub async fn call<R: Request>(&self, request: R) -> Result<R::Reply> {
        let count = self.count(R::METHOD.path);
        self.run(request, self.named::<R>(b"count", &count.to_le_bytes())).await
    }

    /// Lets in a request that one of raw HTTP stands for, as if the caller had made it: it takes the
    /// permission of its method, and obeys the rules of its contract.
    ///
    /// # Errors
    /// As [`Caller::authorize`], and `request.invalid`.
    pub fn admit<R: Request>(&self, mut request: R) -> Result<R> {
        self.caller().authorize(R::METHOD)?;
        request.admit()?;
        Ok(request)
    }

    /// The settings of this service, as they hold now.
    ///
    /// # Errors
    /// As [`View::settings`].
    pub async fn settings<T: Message>(&self) -> Result<T> {
        let Inner { basis, runner, .. } = &*self.0;
        let found = Arc::new(Mutex::new(T::default()));
        let filled = Arc::clone(&found);
        let look = move |view: &View| {
            *filled.lock().unwrap_or_else(PoisonError::into_inner) = view.settings()?;
            Ok(())
        };
        runner.look(basis, Box::new(look)).await?;
        Ok(found.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// A step with a name of its own, for commands whose order is not the same in every run.
    pub fn step<'a>(&'a self, name: &'a str) -> Step<'a> {
        Step { ctx: self, name }
    }

    /// What a step is remembered under; nothing where it is none.
    fn named<R: Request>(&self, by: &[u8], name: &[u8]) -> Option<[u8; 16]> {
        let Basis { key, seal, .. } = &*self.0.basis;
        let is_step = key.is_some() && R::METHOD.kind == Kind::Command;
        is_step.then(|| seal.derive(&[b"step", R::METHOD.path.as_bytes(), by, name]))
    }

    fn count(&self, what: impl Into<Cow<'static, str>>) -> u64 {
        let mut calls = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let count = calls.entry(what.into()).or_default();
        *count += 1;
        *count
    }

    async fn run<R: Request>(&self, request: R, step: Option<[u8; 16]>) -> Result<R::Reply> {
        const { assert!(!matches!(R::METHOD.kind, Kind::Effect), "effects do not call effects") };
        let Inner { basis, runner, .. } = &*self.0;
        let reply = runner.call(basis, R::METHOD.path, Box::new(request), step).await?;
        let reply = reply.into_any().downcast::<R::Reply>();
        reply
            .map(|reply| *reply)
            .map_err(|_| Error::internal(format!("{} gave another message", R::METHOD.path)))
    }

    /// Who asked.
    pub fn caller(&self) -> &Caller {
        &self.0.basis.caller
    }

    /// The network address the call came from; empty for jobs.
    pub fn address(&self) -> &str {
        &self.0.basis.address
    }

    /// The key to hand to an outside provider: stable over every attempt of a job, and over
    /// retries with the same idempotency key.
    pub fn key(&self) -> Option<&str> {
        self.0.basis.key.as_deref()
    }

    /// Sends a request to the outside over HTTP, to a host that the manifest names.
    ///
    /// Under a key, whatever is no mere look carries an `Idempotency-Key` of its own: the same in
    /// every run of the effect, by its address and how often that was asked before.
    ///
    /// # Errors
    /// `unavailable` where trying again may help, `failed_precondition` and `invalid_argument` where
    /// it will not; `docs/spec/outbound.md` has the reasons. An answer that is no success is none of
    /// them: see [`Fetched::success`].
    pub async fn fetch(&self, fetch: Fetch) -> Result<Fetched> {
        let Inner { basis, runner, .. } = &*self.0;
        let key = self.named_key("fetch", format!("{} {}", fetch.method, fetch.url));
        runner.fetch(basis, fetch, key).await
    }

    /// Calls a method that only the data of this service names, as if whoever it is made for had called
    /// it over a face: authorized as they are now, held to every rule and limit, and a commit of its own.
    /// What reacts to it counts as a reaction to what runs this effect, so that a circle ends. The
    /// manifest says that its effects [do this](crate::Service::invokes).
    ///
    /// Under a key the call has an idempotency key of its own, the same in every run of the effect, by
    /// its method and how often that was called before.
    ///
    /// # Errors
    /// Those of the call; `job.principal` where nobody may anything in that name any more, `node.not_later`
    /// for what takes its caller to be there.
    pub async fn invoke(&self, invocation: Invocation) -> Result<Struct> {
        let Inner { basis, runner, .. } = &*self.0;
        let service = runner.registry().service(basis.service);
        if !service.invokes {
            let what = format!("`{}` invokes without declaring it", service.name);
            return Err(Error::internal(what));
        }
        let key = self.named_key("invoke", invocation.method.clone());
        runner.invoke(basis, invocation, key).await
    }

    /// Under a key, one for something that is asked of others: by what it is and how often that was
    /// asked before.
    fn named_key(&self, purpose: &str, what: String) -> Option<String> {
        let Basis { key, seal, .. } = &*self.0.basis;
        let count = self.count(format!("{purpose} {what}"));
        key.as_ref()?;
        let parts = [purpose.as_bytes(), what.as_bytes(), &count.to_le_bytes()];
        Some(format!("{:032x}", u128::from_be_bytes(seal.derive(&parts))))
    }

    /// Uploads bytes as the caller, as they come: a row that one of the caller's commands adds or saves
    /// within a day can name them, and then holds them. What is named by none is gone after that.
    ///
    /// # Errors
    /// That of the stream, as it is; `blob.too_large`, `tenant.blobs`, and those of the objects.
    pub async fn upload(&self, media_type: &str, bytes: Stream<Bytes>) -> Result<Uploaded> {
        let Inner { basis, runner, .. } = &*self.0;
        runner.upload(basis, media_type, bytes).await
    }

    /// The bytes of a blob that a row of this service holds.
    ///
    /// # Errors
    /// `resource.not_found`, and those of the objects; one in the stream says that what came is not the
    /// whole.
    pub async fn download(&self, id: &str) -> Result<Stream<Bytes>> {
        let Inner { basis, runner, .. } = &*self.0;
        runner.download(basis, id).await
    }

    /// The time of day.
    pub fn now(&self) -> Micros {
        self.0.runner.world().now()
    }

    /// Waits.
    pub async fn sleep(&self, wait: Duration) {
        self.0.runner.world().sleep(wait).await;
    }

    /// Unpredictable bytes, for keys, tokens and salts. One purpose gives the same bytes in every
    /// run under one key: an effect that runs again makes the secret that it made before.
    pub fn secret<const N: usize>(&self, purpose: &str) -> [u8; N] {
        self.0.basis.seal.derive(&[b"secret", purpose.as_bytes()])
    }

    /// Runs work that keeps a processor busy for long, such as hashing a password, in a small
    /// pool of its own.
    ///
    /// # Errors
    /// `resource_exhausted` where too much work waits.
    pub async fn compute<T: Send + 'static>(
        &self, work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let (send, receive) = tokio::sync::oneshot::channel();
        let work = Box::new(move || {
            // Whoever waited may have gone; nobody misses the result then.
            let _ = send.send(work());
        });
        self.0.runner.compute(work).await?;
        receive.await.map_err(|_| Error::internal("work in the pool panicked"))
    }

    /// The driver of a port that the manifest says is used: `ctx.port::<dyn Mailer>()?`.
    ///
    /// # Errors
    /// `node.no_port` where nothing provides it, `internal` where the manifest does not name it.
    pub fn port<P: Port + ?Sized>(&self) -> Result<&P> {
        let service = self.0.runner.registry().service(self.0.basis.service).name;
        self.port_if_any()?.ok_or_else(|| ports::absent(service, P::NAME, P::PROVIDE))
    }

    /// The same for a port that the service can do without.
    ///
    /// # Errors
    /// `internal` where the manifest does not name it.
    pub fn port_if_any<P: Port + ?Sized>(&self) -> Result<Option<&P>> {
        let Inner { basis, runner, .. } = &*self.0;
        let service = runner.registry().service(basis.service);
        if !service.uses.iter().any(|used| used.is_of::<P>()) {
            let (service, port) = (service.name, P::NAME);
            let what = format!("`{service}` uses the port `{port}` without declaring it");
            return Err(Error::internal(what));
        }
        Ok(runner.ports().get::<P>())
    }

    /// A topic of this service: what is so only for as long as somebody says it.
    pub fn topic(&self, name: &str) -> Topic {
        let Inner { basis, runner, .. } = &*self.0;
        let tenant = Arc::clone(&basis.caller.tenant);
        let service = runner.registry().service(basis.service).name;
        Topic::new(self, Place { tenant, service, name: name.into() })
    }

    pub(crate) fn topics(&self) -> &dyn Topics {
        self.0.runner.topics()
    }

    pub(crate) fn entropy(&self, buffer: &mut [u8]) {
        self.0.runner.world().entropy(buffer);
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
    /// As [`Ctx::call`], under the step's name: a command called in it runs once, however often
    /// the effect does.
    ///
    /// # Errors
    /// What the method returns.
    pub async fn call<R: Request>(&self, request: R) -> Result<R::Reply> {
        self.ctx.run(request, self.ctx.named::<R>(b"name", self.name.as_bytes())).await
    }
}
