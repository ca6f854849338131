//! One attempt of a job, and what becomes of the job by it.
//!
//! The attempt was counted before it began, so that one which takes its process with it counts
//! too. An effect that has happened is not repeated because the store could not be told: that is
//! tried for as long as the lease holds, and a handler that refuses what came of it leaves the job
//! dead, for people to see.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt;
use stoa_contract::{Code, Format, Kind, Permission};
use stoa_kit::registry::Bound;
use stoa_kit::session::{Session, Stamp};
use stoa_kit::tx::{Gathered, Run};
use stoa_kit::{Basis, Caller, Cause, Ctx, Error, Outcome as Follows, Registry, Result, Tx};
use stoa_store::Outcome;

use super::queue::{self, End, Leased, Seen};
use crate::Node;
use crate::background::{Why, housekeep, is_transient, react};
use crate::call::subject_of;
use crate::unwound::unwound;

/// The wait before the store is told again.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long it is told again. While it takes nothing, it gives the job to nobody else either.
const TELL_MAX: Duration = Duration::from_secs(10 * 60);

/// Runs one attempt and records what it came to. `started` is an uptime before its lease was taken:
/// counted from there, no attempt has more time than its lease.
pub(super) async fn work(node: Arc<Node>, job: Leased, started: Duration) {
    let Leased { seen, .. } = &job;
    let recorded = if seen.attempts > i64::from(seen.policy.max_attempts) {
        bury(&node, seen, &worn_out(), true).await
    } else {
        attempt(&node, &job, started).await
    };
    match recorded {
        Ok(()) => {}
        Err(error) if error.reason() == "background.overtaken" => {
            tracing::warn!(job = seen.id, "the lease was lost; nothing was recorded");
        }
        // The lease runs out, and the job is tried again, or is dead.
        Err(error) => tracing::warn!(job = seen.id, error = ?error, "a job could not be recorded"),
    }
}

async fn attempt(node: &Arc<Node>, job: &Leased, started: Duration) -> Result<()> {
    let seen = &job.seen;
    let (caller, happened) = match happen(node, job, started).await {
        Ok(happened) => happened,
        Err(error) if error.reason() == "background.overtaken" => return Err(error),
        Err(error) => return fail(node, seen, &error).await,
    };
    match told(node, || complete(node, job, caller.clone(), happened.clone())).await {
        Ok(()) => Ok(()),
        Err(error) if is_transient(&error) || error.reason() == "background.overtaken" => {
            Err(error)
        }
        Err(error) if happened.is_none() => fail(node, seen, &error).await,
        Err(error) => {
            let what = format!("the effect happened, and what follows it failed: {error}");
            let error = Error::new(Code::Internal, "job.outcome", what);
            told(node, || bury(node, seen, &error, false)).await
        }
    }
}

/// What has to happen before the commit that completes a job: nothing for a command, which is that
/// commit; for an effect, its reply. And as whom it happens.
async fn happen(
    node: &Arc<Node>, job: &Leased, started: Duration,
) -> Result<(Caller, Option<Vec<u8>>)> {
    let bound = bound_of(node.registry(), &job.seen)?;
    let mut request = bound.decode_request(&job.request, Format::Binary)?;
    request.admit()?;
    let Seen { tenant, behalf, credential, .. } = &job.seen;
    let caller = node.principal(bound.method, tenant, (behalf, credential)).await?;
    if bound.method.kind == Kind::Command {
        return Ok((caller, None));
    }
    let Seen { id, policy, .. } = &job.seen;
    let basis = Basis {
        service: bound.service,
        caller: caller.clone(),
        cause: cause(&job.seen),
        key: Some(id.clone()),
        seal: node.keys.job(&job.seen.tenant, id),
        address: String::new(),
        trace: job.seen.trace.clone(),
        deadline: Some(started + queue::timeout(policy)),
        fence: Some(queue::fence(&job.seen)),
    };
    let ctx = Ctx::new(basis, node.runner());
    let running = async { bound.run_effect(ctx, request.as_ref()).await };
    let reply = held(node, &job.seen, started, unwound(running)).await?;
    Ok((caller, Some(reply.encode(Format::Binary)?)))
}

/// Runs an effect for as long as it may, and holds the job meanwhile. The time is looked at before
/// every step of it: a process that was held up, and whose lease somebody else may have by now,
/// goes no step further.
async fn held<T>(
    node: &Arc<Node>, seen: &Seen, started: Duration, running: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut running = pin!(running);
    let (end, hold) = (started + queue::timeout(&seen.policy), queue::hold(&seen.policy));
    let mut renewed = started;
    loop {
        let until = end.min(renewed + hold);
        tokio::select! {
            biased;
            () = over(node, until) => {
                return Err(Error::unavailable("job.timeout", "the attempt took too long"));
            }
            again = renew(node, seen, renewed + hold / 3) => renewed = again?,
            reply = &mut running => return reply,
        }
    }
}

/// Waits until an uptime. That it has come is seen at every look, however late that is.
async fn over(node: &Node, until: Duration) {
    let mut sleep = node.world().sleep(until.saturating_sub(node.world().uptime()));
    std::future::poll_fn(|context| {
        if node.world().uptime() >= until { Poll::Ready(()) } else { sleep.poll_unpin(context) }
    })
    .await
}

/// Renews a lease when it is time to: the uptime from which it counts now.
async fn renew(node: &Node, seen: &Seen, at: Duration) -> Result<Duration> {
    over(node, at).await;
    loop {
        let started = node.world().uptime();
        let now = node.store().lease_now().await;
        let renewed = match now {
            Ok(now) => {
                let held = seen.clone();
                let renew = move |session: &mut dyn Session, _| queue::renew(session, &held, now);
                housekeep(node, &seen.tenant, renew).await
            }
            Err(error) => Err(error),
        };
        match renewed {
            Ok(()) => return Ok(started),
            Err(error) if is_transient(&error) => node.world().sleep(PATIENCE).await,
            Err(error) => return Err(error),
        }
    }
}

/// Tells the store, again and again while it cannot take it.
async fn told<F: Future<Output = Result<()>>>(
    node: &Arc<Node>, mut tell: impl FnMut() -> F,
) -> Result<()> {
    let end = node.world().uptime() + TELL_MAX;
    loop {
        match tell().await {
            Err(error) if is_transient(&error) && node.world().uptime() < end => {
                node.world().sleep(PATIENCE).await;
            }
            outcome => return outcome,
        }
    }
}

/// Completes a job: an effect's reply is handed to what follows; a command runs here.
async fn complete(
    node: &Arc<Node>, job: &Leased, caller: Caller, reply: Option<Vec<u8>>,
) -> Result<()> {
    let (registry, tenant, job) =
        (Arc::clone(node.registry()), Arc::clone(&job.seen.tenant), job.clone());
    let (why, method) = (why(node, &job.seen), job.seen.method);
    let run = move |session: &mut dyn Session, stamp: Stamp| {
        let seen = &job.seen;
        queue::end(session, seen, (End::Done, stamp.now), "")?;
        let bound = bound_of(&registry, seen)?;
        let mut request = bound.decode_request(&job.request, Format::Binary)?;
        request.admit()?;
        let reply = reply.as_deref().map(|reply| bound.decode_reply(reply, Format::Binary));
        let reply = reply.transpose()?;
        let gathered = inside(session, &registry, (seen, &caller), stamp, |tx| {
            let reply = match reply {
                Some(reply) => reply,
                None => bound.run_command(tx, request.as_ref())?,
            };
            match follows(&registry, seen) {
                Some(outcome) => outcome.run(tx, request.as_ref(), Ok(reply.as_ref())),
                None => Ok(()),
            }
        })?;
        if gathered.again {
            queue::go_on(session, seen, stamp.now)?;
        }
        Ok(Outcome { reply: None, gathered })
    };
    react(node, &tenant, why, method, run).await.map(|_| ())
}

/// Puts a failed job back, or buries it: once no attempt is left, or where another would be in
/// vain.
async fn fail(node: &Arc<Node>, seen: &Seen, error: &Error) -> Result<()> {
    tracing::info!(job = seen.id, method = seen.method, attempt = seen.attempts, error = ?error,
        "a job failed");
    let in_vain = matches!(
        error.code(),
        Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::PermissionDenied
            | Code::Unauthenticated
    );
    if in_vain || seen.attempts >= i64::from(seen.policy.max_attempts) {
        return told(node, || bury(node, seen, error, true)).await;
    }
    told(node, || again(node, seen, error)).await
}

/// Puts a job back, to be tried again after a while: not before the error says, as far as the job's
/// own patience goes.
async fn again(node: &Arc<Node>, seen: &Seen, error: &Error) -> Result<()> {
    let mut chance = [0u8; 1];
    node.world().entropy(&mut chance);
    let most = Duration::from_millis(seen.policy.backoff_max_ms.into());
    let asked = error.retry_after().unwrap_or_default().min(most);
    let wait = backoff(seen, chance[0]).max(asked);
    let now = node.store().lease_now().await?;
    let (held, error) = (seen.clone(), error.to_string());
    housekeep(node, &seen.tenant, move |session, _| {
        queue::put_back(session, &held, (now, now.after(wait)), &error)
    })
    .await
}

/// What becomes of a job whose attempt did not come to an end: its process died, or was held up
/// for longer than its lease. Of a tenant that is suspended it waits, and nobody is told anything.
pub(super) async fn lapse(node: &Arc<Node>, seen: &Seen, is_active: bool) -> Result<()> {
    let error = Error::unavailable("job.lapsed", "an attempt did not come to an end");
    tracing::warn!(job = seen.id, method = seen.method, attempt = seen.attempts, "a job lapsed");
    if is_active && seen.attempts >= i64::from(seen.policy.max_attempts) {
        return bury(node, seen, &error, true).await;
    }
    again(node, seen, &error).await
}

/// Parks a job as dead, and tells whoever follows it, if that is asked for. A handler that fails
/// here too is left out: that the job is dead is recorded in any case.
async fn bury(node: &Arc<Node>, seen: &Seen, error: &Error, tell: bool) -> Result<()> {
    let tells = tell && follows(node.registry(), seen).is_some();
    match dead(node, seen, error, tells).await {
        Err(refused) if tells && !is_transient(&refused) => {
            if refused.reason() == "background.overtaken" {
                return Err(refused);
            }
            tracing::error!(job = seen.id, error = ?refused, "who follows a dead job failed");
            let what = format!("{}; and what follows it failed: {refused}", error.message());
            let error = Error::new(error.code(), error.reason().to_owned(), what);
            dead(node, seen, &error, false).await
        }
        outcome => outcome,
    }
}

fn worn_out() -> Error {
    Error::new(Code::Aborted, "job.worn_out", "no attempt was left")
}

async fn dead(node: &Arc<Node>, seen: &Seen, error: &Error, tells: bool) -> Result<()> {
    let (registry, tenant) = (Arc::clone(node.registry()), Arc::clone(&seen.tenant));
    let (seen, error) = (seen.clone(), error.clone());
    let (why, method) = (why(node, &seen), seen.method);
    let caller = Caller::of(&tenant, &seen.behalf, &[]);
    let run = move |session: &mut dyn Session, stamp: Stamp| {
        let request = queue::request(session, &seen)?;
        queue::end(session, &seen, (End::Dead, stamp.now), &error.to_string())?;
        let mut gathered = Gathered::default();
        if let (true, Some(outcome)) = (tells, follows(&registry, &seen)) {
            let request = bound_of(&registry, &seen)?.decode_request(&request, Format::Binary)?;
            gathered = inside(session, &registry, (&seen, &caller), stamp, |tx| {
                outcome.run(tx, request.as_ref(), Err(&error))
            })?;
        }
        Ok(Outcome { reply: None, gathered })
    };
    react(node, &tenant, why, method, run).await.map(|_| ())
}

/// Runs something of a job's service. What a service does by itself sees what a call between services
/// does; what takes a permission sees what its caller may.
fn inside(
    session: &mut dyn Session, registry: &Registry, (seen, caller): (&Seen, &Caller), stamp: Stamp,
    run: impl FnOnce(&mut Tx) -> Result<()>,
) -> Result<Gathered> {
    let (bound, cause) = (bound_of(registry, seen)?, cause(seen));
    let nested = bound.method.permission == Permission::Internal;
    let command = Run { registry, caller, cause: &cause, stamp, nested };
    command.command(session, bound.service, run).map(|((), gathered)| gathered)
}

/// What is recorded of what becomes of a job.
fn why(node: &Node, seen: &Seen) -> Why {
    let service = node.registry().method(seen.method).map(|bound| bound.service);
    let caller = match service {
        Some(service) if &*seen.behalf != "system" => subject_of(node, service, &seen.behalf),
        _ => "system".into(),
    };
    Why { caller, trace: seen.trace.clone(), ..Why::of(&cause(seen)) }
}

fn cause(seen: &Seen) -> Cause {
    Cause::Job { id: seen.id.clone(), depth: seen.depth }
}

fn bound_of<'a>(registry: &'a Registry, seen: &Seen) -> Result<&'a Bound> {
    registry.find(seen.method)
}

fn follows<'a>(registry: &'a Registry, seen: &Seen) -> Option<&'a Follows> {
    let bound = registry.method(seen.method)?;
    let outcomes = &registry.service(bound.service).outcomes;
    outcomes.iter().find(|outcome| outcome.method == seen.method)
}

/// The wait after an attempt: doubled each time, between half of it and all of it.
fn backoff(seen: &Seen, chance: u8) -> Duration {
    let doublings = u32::try_from(seen.attempts - 1).unwrap_or(0).min(20);
    let whole = Duration::from_millis(u64::from(seen.policy.backoff_ms) << doublings);
    let most = Duration::from_millis(seen.policy.backoff_max_ms.into());
    whole.min(most).mul_f64(0.5 + f64::from(chance) / 510.0)
}
