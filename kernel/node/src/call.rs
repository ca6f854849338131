//! The pipeline that every call passes through.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt, stream};
use stoa_contract::{AnyMessage, Code, Format, Kind};
use stoa_kit::registry::{Bound, no_such_method};
use stoa_kit::session::{Session, Stamp};
use stoa_kit::tx::{self, on_behalf};
use stoa_kit::{Caller, Cause, Error, Micros, Result, Stream, Tx, View, network};
use stoa_store::{Commit, Committed, Header, Key, Outcome, Reply, Run};
use tokio::sync::watch;

use crate::Node;
use crate::dry::{self, DryRun};
use crate::fence::fenced;
use crate::quota::Allowed;
use crate::tenants::{Tenant, Tenants};

/// About what a command keeps in the queue beside its request.
pub(crate) const HEADER_BYTES: usize = 512;

/// A call, as a face hands it over.
pub type Call = Asking<Box<dyn AnyMessage>>;

/// A call of a method that takes a stream.
pub type Conversation = Asking<Stream<Box<dyn AnyMessage>>>;

/// A call that asks with one message, or with a stream of them.
pub struct Asking<R> {
    /// The method's path, without the leading slash.
    pub method: String,
    /// Who calls.
    pub caller: Caller,
    /// What is asked.
    pub request: R,
    /// The idempotency key it came with.
    pub key: Option<String>,
    /// What has to hold inside of each commit that it makes; a query makes none.
    pub fence: Option<String>,
    /// The W3C trace it belongs to.
    pub trace: String,
    /// Uptime after which nobody waits for it.
    pub deadline: Option<Duration>,
    /// Why: a face asks because somebody did.
    pub cause: Cause,
    /// The network address it came from; services see its network.
    pub address: String,
    /// The position that what it reads must have reached.
    pub position: Option<i64>,
    /// Whether a command is undone once it has told what it would write.
    pub dry_run: bool,
}

/// What a call came to.
pub struct Answer {
    /// What is replied.
    pub body: Body,
    /// Where the commit stands, for a command; for a query, a position of which it shows every commit.
    pub position: Option<i64>,
    /// Whether the reply was remembered from an earlier call with the same key.
    pub replayed: bool,
    /// What would have been written, of a command that was undone.
    pub dry_run: Option<DryRun>,
}

/// What is replied.
pub enum Body {
    /// One message.
    Message(Box<dyn AnyMessage>),
    /// Messages as they come.
    Stream(Stream<Box<dyn AnyMessage>>),
}

/// Keys that are at work on this node, so that duplicates wait instead of queueing.
#[derive(Default)]
pub(crate) struct InFlight(Mutex<HashMap<[u8; 16], watch::Receiver<()>>>);

impl Node {
    /// Runs a call: deadline ▸ tenant ▸ authorize ▸ validate ▸ idempotency ▸ run. Who calls, and whether
    /// now, a face has asked [`Node::identify`].
    ///
    /// # Errors
    /// The pipeline's own, or those of the method.
    pub async fn call(self: &Arc<Self>, mut call: Call) -> Result<Answer> {
        let registry = Arc::clone(&self.registry);
        let Some(bound) = registry.method(&call.method) else {
            return Err(no_such_method(&call.method));
        };
        if bound.method.takes_stream.is_some() {
            return self.converse(call.with(|one| stream::once(async { Ok(one) }).boxed())).await;
        }
        call.address = network(&call.address);
        let started = self.world.uptime();
        self.counted(bound, started, self.checked(bound, call, started)).await
    }

    /// The same for a method that takes a stream, whose messages are held to the rules one by one.
    ///
    /// # Errors
    /// As [`Node::call`].
    pub async fn converse(self: &Arc<Self>, mut call: Conversation) -> Result<Answer> {
        let registry = Arc::clone(&self.registry);
        let Some(bound) =
            registry.method(&call.method).filter(|found| found.method.takes_stream.is_some())
        else {
            return Err(no_such_method(&call.method));
        };
        call.address = network(&call.address);
        let started = self.world.uptime();
        let running = async {
            let tenants = self.tenants().await?;
            let tenant = let_in(bound, &call, &tenants, (started, self.world.now()))?;
            if call.dry_run {
                dry::check(bound.method)?;
            }
            if call.key.is_some() {
                return Err(key_on_stream());
            }
            self.limits.take_commit(tenant, started)?;
            self.conversation(bound, call.with(admitted)).await
        };
        self.counted(bound, started, running).await
    }

    /// Counts a call, and how long it took.
    async fn counted(
        &self, bound: &Bound, started: Duration, running: impl Future<Output = Result<Answer>>,
    ) -> Result<Answer> {
        let outcome = running.await;
        let spent = self.world.uptime().saturating_sub(started);
        self.metrics.called(bound.method, outcome.as_ref().err(), spent);
        outcome
    }

    async fn checked(
        self: &Arc<Self>, bound: &Bound, mut call: Call, started: Duration,
    ) -> Result<Answer> {
        let tenants = self.tenants().await?;
        let tenant = let_in(bound, &call, &tenants, (started, self.world.now()))?;
        call.request.admit()?;
        if call.dry_run {
            dry::check(bound.method)?;
        }
        // Nothing happens under it.
        call.key = call.key.filter(|_| !call.dry_run);
        let key = match (&call.key, bound.method.kind) {
            (None, _) | (_, Kind::Query) => None,
            (Some(_), Kind::Effect) if bound.method.streams => {
                return Err(key_on_stream());
            }
            (Some(key), _) => {
                Some(self.keys.of(&call.caller, bound.method, key, call.request.as_ref())?)
            }
        };
        if bound.method.kind != Kind::Query && !call.caller.is_system() {
            self.limits.take_commit(tenant, started)?;
        }
        match bound.method.kind {
            Kind::Query => self.query(call).await,
            Kind::Command => self.command(bound, call, key, started).await,
            Kind::Effect => self.effect(bound, call, key).await,
        }
    }

    async fn query(self: &Arc<Self>, call: Call) -> Result<Answer> {
        let node = Arc::clone(self);
        let Call { method, caller, request, cause, position, .. } = call;
        let (body, position) = self
            .read(position, move |session, stamp| {
                let bound = node.registry.find(&method)?;
                let (registry, caller, cause) = (&*node.registry, &caller, &cause);
                let query = tx::Run { registry, caller, cause, stamp, nested: false };
                let run = |view: &View| bound.run_query(view, request.as_ref());
                let body = query.query(session, bound.service, run)?;
                Ok((body, session.position()))
            })
            .await?;
        let (body, position) = (Body::Message(body), Some(position));
        Ok(Answer { body, position, replayed: false, dry_run: None })
    }

    async fn command(
        self: &Arc<Self>, bound: &Bound, call: Call, key: Option<Key>, started: Duration,
    ) -> Result<Answer> {
        let _turn = match &key {
            Some(key) => Some(self.turn(key.hash).await),
            None => None,
        };
        let header = Header {
            tenant: Arc::clone(&call.caller.tenant),
            cause: call.cause.to_string(),
            caller: Arc::clone(&call.caller.subject),
            method: bound.method.path,
            trace: call.trace,
            key,
            asked: Some(started),
            deadline: call.deadline,
            bytes: HEADER_BYTES + call.request.size(),
        };
        let allowed = self.allowed(&call.caller).await?;
        let asked = (bound.method.path, call.request);
        let fence = self.fence(&call.caller, call.fence.as_deref())?;
        let run = self.run_command(asked, call.caller, call.cause, allowed, false);
        let commit = Commit { header, run: fenced(fence, run) };
        match call.dry_run {
            true => self.dry_run(commit).await,
            false => answer(bound, self.store.commit(commit).await?),
        }
    }

    /// What the store runs for a command.
    pub(crate) fn run_command(
        self: &Arc<Self>, (method, request): (&'static str, Box<dyn AnyMessage>), caller: Caller,
        cause: Cause, allowed: Allowed, nested: bool,
    ) -> Run {
        let registry = Arc::clone(&self.registry);
        Box::new(move |session: &mut dyn Session, stamp: Stamp| {
            let bound = registry.find(method)?;
            let (registry, caller, cause) = (&registry, &caller, &cause);
            let command = tx::Run { registry, caller, cause, stamp, nested };
            let run = |tx: &mut Tx| bound.run_command(tx, request.as_ref());
            let (reply, gathered) = command.asked(session, bound.service, run)?;
            allowed.check(&gathered)?;
            Ok(Outcome { reply: Some(reply), gathered })
        })
    }

    /// Waits until nobody on this node works under the same key.
    pub(crate) async fn turn(&self, hash: [u8; 16]) -> Turn<'_> {
        loop {
            let mut before = {
                let mut map = self.in_flight.0.lock().unwrap_or_else(PoisonError::into_inner);
                match map.get(&hash) {
                    Some(before) => before.clone(),
                    None => {
                        let (done, wait) = watch::channel(());
                        map.insert(hash, wait);
                        return Turn { all: &self.in_flight, hash, _done: done };
                    }
                }
            };
            // An error means that the one before has finished: its sender is gone.
            let _ = before.changed().await;
        }
    }

    /// Runs a read on one snapshot and gives its result.
    pub(crate) async fn read<T: Send + 'static>(
        &self, position: Option<i64>,
        mut read: impl FnMut(&mut dyn Session, Stamp) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let slot = Arc::new(Mutex::new(None));
        let filled = Arc::clone(&slot);
        let run = move |session: &mut dyn Session, stamp| {
            let value = read(session, stamp)?;
            *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
            Ok(())
        };
        self.store.read(position, Box::new(run)).await?;
        let value = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        value.ok_or_else(|| Error::internal("a read gave nothing"))
    }
}

impl<R> Asking<R> {
    /// The same call with what is asked put in another form.
    fn with<T>(self, form: impl FnOnce(R) -> T) -> Asking<T> {
        let Self {
            method,
            caller,
            request,
            key,
            fence,
            trace,
            deadline,
            cause,
            address,
            position,
            dry_run,
        } = self;
        let request = form(request);
        Asking {
            method,
            caller,
            request,
            key,
            fence,
            trace,
            deadline,
            cause,
            address,
            position,
            dry_run,
        }
    }
}

/// Whether a call may begin: the tenant that it is about.
fn let_in<'a, R>(
    bound: &Bound, call: &Asking<R>, tenants: &'a Tenants, (started, now): (Duration, Micros),
) -> Result<&'a Tenant> {
    if call.deadline.is_some_and(|deadline| deadline <= started) {
        return Err(Error::new(Code::DeadlineExceeded, "request.deadline", "too late"));
    }
    let tenant = tenants.active(&call.caller.tenant)?;
    call.caller.authorize(bound.method)?;
    if let Some(within) = bound.method.step_up {
        call.caller.step_up(within, now)?;
    }
    Ok(tenant)
}

/// Messages that are as the contract says.
fn admitted(messages: Stream<Box<dyn AnyMessage>>) -> Stream<Box<dyn AnyMessage>> {
    let admitted = messages.map(|message| {
        let mut message = message?;
        message.admit()?;
        Ok(message)
    });
    admitted.boxed()
}

fn key_on_stream() -> Error {
    let message = "a stream cannot carry an idempotency key";
    Error::new(Code::InvalidArgument, "idempotency.stream", message)
        .help("Leave the key out, and go on from the last message that you saw.")
}

/// The right to work under a key; the next in line is woken when it is dropped.
pub(crate) struct Turn<'a> {
    all: &'a InFlight,
    hash: [u8; 16],
    _done: watch::Sender<()>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.hash);
    }
}

pub(crate) fn answer(bound: &Bound, committed: Committed) -> Result<Answer> {
    let position = Some(committed.position);
    match committed.reply {
        Reply::Fresh(Some(reply)) => {
            Ok(Answer { body: Body::Message(reply?), position, replayed: false, dry_run: None })
        }
        Reply::Fresh(None) => Err(Error::internal("a command gave no reply")),
        Reply::Replayed(bytes) => Ok(Answer {
            body: Body::Message(bound.decode_reply(&bytes, Format::Binary)?),
            position,
            replayed: true,
            dry_run: None,
        }),
        Reply::Withheld => Err(Error::new(
            Code::AlreadyExists,
            "idempotency.withheld",
            "this happened before; its reply held secrets and was not kept",
        )
        .help("What was asked for is done. If the secret was lost, revoke it and make another.")),
    }
}

/// Whether somebody may call a method.
/// The subject of a call that a service makes.
pub(crate) fn subject_of(
    node: &Node, service: stoa_kit::registry::ServiceId, by: &str,
) -> Arc<str> {
    on_behalf(node.registry.service(service).name, by)
}
