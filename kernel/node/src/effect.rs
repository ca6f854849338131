//! Running an effect and, under an idempotency key, running it once.
//!
//! The reply of a command is remembered by the commit that makes it. An effect has no commit of
//! its own: its key is claimed in one before it runs, and completed in another with its reply.
//! Whoever comes with the same key meanwhile waits on this node, and is told to come back on any
//! other. The claim of a process that died runs out, and the effect runs again: what its steps
//! committed the first time is not repeated.
//!
//! **Invariant:** no two effects are at work under one key: a claim holds as long as an effect
//! with a key may run.
//!
//! **Invariant:** who lost a claim commits nothing more, however late it wakes: every commit of an
//! effect asks, inside of its own transaction, whether the claim is still the one it ran under.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use stoa_contract::{AnyMessage, Code, Format};
use stoa_kit::registry::{Bound, no_such_method};
use stoa_kit::session::Session;
use stoa_kit::{Basis, Ctx, Error, Fence, Result, Seal, Stream};
use stoa_store::kernel::{self, Remembered};
use stoa_store::{Commit, Committed, Header, Key, Outcome};

use crate::background::housekeep;
use crate::call::{Answer, Asking, Body, Call, Conversation, answer};
use crate::fence::both;
use crate::stopping::until_stopped;
use crate::unwound::{unwound, unwound_items};
use crate::{Node, keys, total};

/// How long a claim holds, and an effect with a key may run; what takes longer is a job.
const LIFE: Duration = Duration::from_secs(60);
/// When to ask again for what is at work elsewhere.
const RETRY: Duration = Duration::from_secs(1);

/// The right to run the effect that a key names, given back when dropped.
struct Claim {
    node: Arc<Node>,
    tenant: Arc<str>,
    hash: [u8; 16],
    holder: [u8; 16],
    held: bool,
}

/// What claiming a key comes to.
enum Claimed {
    /// It is ours.
    Ours,
    /// Somebody else is at work.
    Busy,
    /// The effect happened.
    Done(Remembered),
}

impl Node {
    /// Runs an effect, once if it came with a key.
    pub(crate) async fn effect(
        self: &Arc<Self>, bound: &Bound, call: Call, key: Option<Key>,
    ) -> Result<Answer> {
        let fence = self.fence(&call.caller, call.fence.as_deref())?;
        let Some(key) = key else {
            self.check_fence(fence.as_ref()).await?;
            return self.keyless(bound, &call, fence).await;
        };
        let _turn = self.turn(key.hash).await;
        let started = self.world.uptime();
        let mut claim = Claim::new(self, &call.caller.tenant, &key);
        match claim.take(&key).await? {
            Claimed::Ours => self.check_fence(fence.as_ref()).await?,
            Claimed::Busy => return Err(in_progress()),
            Claimed::Done(found) => {
                let (position, reply) = (found.position, kernel::replay(found));
                return answer(bound, Committed { position, reply });
            }
        }
        let end = started + LIFE;
        let deadline = Some(call.deadline.map_or(end, |deadline| deadline.min(end)));
        let text = call.key.as_deref().unwrap_or_default();
        let seal = self.keys.effect(&call.caller, bound.method, text, &key);
        let fence = both(claim.fence(), fence);
        let basis = Basis { deadline, ..basis(bound, &call, seal, Some(fence)) };
        match self.reply(bound, basis, call.request.as_ref()).await {
            Ok(reply) => claim.complete(bound, &call, key, reply).await,
            Err(error) => {
                // A failed key is free again, before anybody learns that it failed.
                let _ = claim.give_back().await;
                Err(error)
            }
        }
    }

    /// Runs an effect that came without a key: nothing of it is remembered.
    async fn keyless(
        self: &Arc<Self>, bound: &Bound, call: &Call, fence: Option<Fence>,
    ) -> Result<Answer> {
        let basis = basis(bound, call, self.chance(), fence);
        let body = if bound.method.streams {
            let ctx = Ctx::new(basis, self.runner());
            Body::Stream(stream(bound, ctx, call.request.as_ref()).await?)
        } else {
            Body::Message(self.reply(bound, basis, call.request.as_ref()).await?)
        };
        Ok(Answer { body, position: None, replayed: false, dry_run: None })
    }

    /// Runs an effect that takes a stream.
    pub(crate) async fn conversation(
        self: &Arc<Self>, bound: &Bound, call: Conversation,
    ) -> Result<Answer> {
        let fence = self.fence(&call.caller, call.fence.as_deref())?;
        self.check_fence(fence.as_ref()).await?;
        let deadline = call.deadline;
        let ctx = Ctx::new(basis(bound, &call, self.chance(), fence), self.runner());
        let total = bound.method.takes_stream.ok_or_else(|| no_such_method(bound.method.path))?;
        let requests = total::weighed(total, call.request);
        let body = match bound.method.streams {
            true => {
                let requests = until_stopped(self, requests);
                let items = unwound(async { bound.run_converse(ctx, requests).await }).await?;
                Body::Stream(total::timed(total, unwound_items(items), &self.world))
            }
            false => {
                let running = async { bound.run_gather(ctx, requests).await };
                Body::Message(tokio::select! {
                    biased;
                    late = total::late(total, &self.world) => return Err(late),
                    reply = self.within(deadline, running) => reply?,
                })
            }
        };
        Ok(Answer { body, position: None, replayed: false, dry_run: None })
    }

    /// What the secrets of an effect follow from that is not remembered.
    fn chance(&self) -> Seal {
        let mut chance = [0; 32];
        self.world.entropy(&mut chance);
        Seal::new(chance)
    }

    async fn reply(
        self: &Arc<Self>, bound: &Bound, basis: Basis, request: &dyn AnyMessage,
    ) -> Result<Box<dyn AnyMessage>> {
        let deadline = basis.deadline;
        let ctx = Ctx::new(basis, self.runner());
        self.within(deadline, async { bound.run_effect(ctx, request).await }).await
    }

    /// Runs service code until it is done, or its time is over.
    async fn within<T>(
        &self, deadline: Option<Duration>, running: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let running = unwound(running);
        let Some(deadline) = deadline else { return running.await };
        let left = deadline.saturating_sub(self.world.uptime());
        tokio::select! {
            // What wakes when its time is over does not go on.
            biased;
            () = self.world.sleep(left) => Err(Error::new(
                Code::DeadlineExceeded, "request.deadline", "the effect ran out of time",
            ).help("What it began may have happened; retry with the same idempotency key.")),
            reply = running => reply,
        }
    }
}

/// Runs an effect that streams.
async fn stream(
    bound: &Bound, ctx: Ctx, request: &dyn AnyMessage,
) -> Result<Stream<Box<dyn AnyMessage>>> {
    unwound(async { bound.run_stream(ctx, request).await }).await.map(unwound_items)
}

fn basis<R>(bound: &Bound, call: &Asking<R>, seal: Seal, fence: Option<Fence>) -> Basis {
    Basis {
        service: bound.service,
        caller: call.caller.clone(),
        cause: call.cause.clone(),
        key: call.key.clone(),
        seal,
        address: call.address.clone(),
        trace: call.trace.clone(),
        deadline: call.deadline,
        fence,
    }
}

impl Claim {
    /// A claim that is not made yet.
    fn new(node: &Arc<Node>, tenant: &Arc<str>, key: &Key) -> Self {
        let mut holder = [0; 16];
        node.world.entropy(&mut holder);
        let (node, tenant) = (Arc::clone(node), Arc::clone(tenant));
        Self { node, tenant, hash: key.hash, holder, held: false }
    }

    /// Makes the claim, unless the effect happened or somebody else's claim still holds.
    async fn take(&mut self, key: &Key) -> Result<Claimed> {
        const TAKE: &str = "INSERT INTO stoa_claim (tenant, hash, fingerprint, holder, expires) \
             VALUES (:tenant, $1, $2, $3, $4) ON CONFLICT (tenant, hash) DO UPDATE \
             SET fingerprint = excluded.fingerprint, holder = excluded.holder, \
             expires = excluded.expires WHERE stoa_claim.expires <= $5";
        const FIND: &str =
            "SELECT fingerprint FROM stoa_claim WHERE tenant = :tenant AND hash = $1";
        let (tenant, key, holder) = (Arc::clone(&self.tenant), key.clone(), self.holder);
        let now = self.node.store.lease_now().await?;
        self.held = true;
        let claimed = housekeep(&self.node, &self.tenant, move |session, _| {
            if let Some(found) = kernel::remembered(session, &tenant, &key)? {
                return Ok(Claimed::Done(found));
            }
            let (hash, fingerprint) = (key.hash.as_slice(), key.fingerprint.as_slice());
            let row = (hash, fingerprint, holder.as_slice(), now.after(LIFE).0, now.0);
            if kernel::execute(session, &tenant, TAKE, row)? == 1 {
                return Ok(Claimed::Ours);
            }
            let found = kernel::rows::<(Vec<u8>,)>(session, &tenant, FIND, (hash,))?;
            match found.first() {
                Some((other,)) if other != fingerprint => Err(kernel::reused()),
                _ => Ok(Claimed::Busy),
            }
        })
        .await;
        // Where the outcome is not known, the claim may be ours, and is given back.
        self.held = !matches!(claimed, Ok(Claimed::Busy | Claimed::Done(_)));
        claimed
    }

    /// Remembers the reply under the key, and ends the claim in the same commit.
    async fn complete(
        mut self, bound: &Bound, call: &Call, key: Key, reply: Box<dyn AnyMessage>,
    ) -> Result<Answer> {
        let header = Header {
            method: bound.method.path,
            cause: "request".to_owned(),
            caller: Arc::clone(&call.caller.subject),
            trace: call.trace.clone(),
            key: Some(key),
            ..keys::housekeeping(&self.tenant)
        };
        let bytes = reply.encode(Format::Binary)?;
        let (registry, method) = (Arc::clone(&self.node.registry), bound.method.path);
        let end = self.end();
        let run = move |session: &mut dyn Session, _| {
            if end(session)? == 0 {
                return Err(overtaken());
            }
            let bound = registry.find(method)?;
            let reply = bound.decode_reply(&bytes, Format::Binary)?;
            Ok(Outcome { reply: Some(Ok(reply)), gathered: Default::default() })
        };
        let committed = self.node.store.commit(Commit { header, run: Box::new(run) }).await?;
        self.held = false;
        answer(bound, committed)
    }

    /// Gives the key back. It is on its way when this returns, whether or not it is awaited; if
    /// it never arrives, the claim runs out.
    fn give_back(&mut self) -> BoxFuture<'static, Result<Committed>> {
        self.held = false;
        let end = self.end();
        let run = move |session: &mut dyn Session, _| {
            end(session)?;
            Ok(Outcome { reply: None, gathered: Default::default() })
        };
        let header = keys::housekeeping(&self.tenant);
        self.node.store.commit(Commit { header, run: Box::new(run) })
    }

    /// Refuses to commit once the claim is somebody else's, or nobody's.
    fn fence(&self) -> Fence {
        const HELD: &str =
            "SELECT expires FROM stoa_claim WHERE tenant = :tenant AND hash = $1 AND holder = $2";
        let (tenant, hash, holder) = (Arc::clone(&self.tenant), self.hash, self.holder);
        Arc::new(move |session, _| {
            let held = (hash.as_slice(), holder.as_slice());
            match kernel::rows::<(i64,)>(session, &tenant, HELD, held)?.is_empty() {
                true => Err(overtaken()),
                false => Ok(()),
            }
        })
    }

    /// What ends the claim; 0 if it was not there any more.
    fn end(&self) -> impl Fn(&mut dyn Session) -> Result<u64> + Send + 'static {
        const END: &str =
            "DELETE FROM stoa_claim WHERE tenant = :tenant AND hash = $1 AND holder = $2";
        let (tenant, hash, holder) = (Arc::clone(&self.tenant), self.hash, self.holder);
        move |session| kernel::execute(session, &tenant, END, (hash.as_slice(), holder.as_slice()))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.held {
            drop(self.give_back());
        }
    }
}

fn in_progress() -> Error {
    Error::new(Code::Aborted, "idempotency.in_progress", "the same call is at work on another node")
        .help("Wait as long as `Retry-After` says, then retry with the same idempotency key.")
        .wait(RETRY)
}

fn overtaken() -> Error {
    Error::new(Code::Aborted, "idempotency.overtaken", "the effect took longer than its claim held")
        .help("Retry with the same idempotency key: it may be at work again, or have happened.")
}
