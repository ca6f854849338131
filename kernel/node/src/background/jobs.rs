//! Jobs: what must happen outside, after the commit that asked for it.
//!
//! An attempt is counted durably before it runs. What a job came to and its completion are one
//! commit, guarded by the lease: a worker that was too slow, and was overtaken, records nothing.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use stoa_contract::{Format, Job, Kind};
use stoa_kit::registry::Bound;
use stoa_kit::session::{Session, Stamp};
use stoa_kit::tx::{Gathered, Run};
use stoa_kit::{
    Basis, Caller, Cause, Ctx, Error, Fence, Micros, Outcome as Follows, Registry, Result, Tx,
};
use stoa_store::{Outcome, kernel};

use super::{Work, housekeep, overtaken, react};
use crate::{Node, effect};

/// Jobs claimed at once.
const CLAIM: i64 = 32;
/// Effects at work at once.
const AT_ONCE: usize = 8;
/// The longest wait between two attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(60 * 60);

/// The worker of a node.
pub(super) struct Jobs {
    node: Arc<Node>,
    due: Option<Micros>,
}

/// A job that this worker holds the lease of.
#[derive(Clone)]
struct Leased {
    id: String,
    method: &'static str,
    request: Vec<u8>,
    attempts: i64,
    lease: i64,
    policy: Job,
}

impl Jobs {
    pub(super) fn new(node: &Arc<Node>) -> Self {
        Self { node: Arc::clone(node), due: None }
    }

    pub(super) async fn step(&mut self) -> Result<bool> {
        let now = self.node.store().lease_now().await?;
        let next = self.next().await?;
        self.due = next;
        if next.is_none_or(|next| next > now) {
            return Ok(false);
        }
        let claimed = self.claim(now).await?;
        let worked = !claimed.is_empty();
        let runs = claimed.into_iter().map(|job| work(Arc::clone(&self.node), job));
        futures::stream::iter(runs).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
        Ok(worked)
    }

    /// When the next job is due.
    async fn next(&self) -> Result<Option<Micros>> {
        const NEXT: &str = "SELECT MIN(run_at) FROM stoa_job \
             WHERE tenant = :tenant AND state IN ('ready', 'leased')";
        let tenant = Arc::clone(self.node.tenant());
        let rows = self
            .node
            .read(None, move |session, _| {
                kernel::rows::<(Option<i64>,)>(session, &tenant, NEXT, ())
            })
            .await?;
        Ok(rows.first().and_then(|(at,)| *at).map(Micros))
    }

    /// Takes leases, counting the attempts. While a job is leased, `run_at` is the lease's end.
    async fn claim(&self, now: Micros) -> Result<Vec<Leased>> {
        const DUE: &str = "SELECT id, method, request, attempts, lease, lane FROM stoa_job \
             WHERE tenant = :tenant AND state IN ('ready', 'leased') AND run_at <= $1 \
             ORDER BY priority DESC, run_at, id LIMIT $2";
        const BUSY: &str = "SELECT DISTINCT lane FROM stoa_job WHERE tenant = :tenant \
             AND state = 'leased' AND run_at > $1 AND lane IS NOT NULL";
        const LEASE: &str = "UPDATE stoa_job SET state = 'leased', attempts = attempts + 1, \
             lease = lease + 1, run_at = $3, lease_until = $3 \
             WHERE tenant = :tenant AND id = $1 AND lease = $2";
        type Row = (String, String, Vec<u8>, i64, i64, Option<String>);
        let (registry, tenant) = (Arc::clone(self.node.registry()), Arc::clone(self.node.tenant()));
        housekeep(&self.node, self.node.tenant(), move |session, _| {
            let busy = kernel::rows::<(String,)>(session, &tenant, BUSY, (now.0,))?;
            let mut busy: HashSet<String> = busy.into_iter().map(|(lane,)| lane).collect();
            let mut leased = Vec::new();
            for row in kernel::rows::<Row>(session, &tenant, DUE, (now.0, CLAIM))? {
                let (id, method, request, attempts, lease, lane) = row;
                // A job of a type that this node does not know waits for one that does.
                let Some(method) = registry.method(&method).map(|bound| bound.method) else {
                    continue;
                };
                let Some(policy) = method.job else { continue };
                if lane.is_some_and(|lane| !busy.insert(lane)) {
                    continue;
                }
                let until = now.after(Duration::from_millis(policy.timeout_ms.into()));
                if kernel::execute(session, &tenant, LEASE, (&id, lease, until.0))? == 1 {
                    let (attempts, lease) = (attempts + 1, lease + 1);
                    let method = method.path;
                    leased.push(Leased { id, method, request, attempts, lease, policy });
                }
            }
            Ok(leased)
        })
        .await
    }
}

impl Work for Jobs {
    fn name(&self) -> &'static str {
        "jobs"
    }

    fn step(&mut self) -> BoxFuture<'_, Result<bool>> {
        Box::pin(Jobs::step(self))
    }

    fn due(&self) -> Option<Micros> {
        self.due
    }
}

/// Runs one attempt and records what it came to.
async fn work(node: Arc<Node>, job: Leased) {
    let outcome = attempt(&node, &job).await;
    let Err(error) = outcome else { return };
    if error.reason() == "background.overtaken" {
        tracing::warn!(job = job.id, "the lease was lost; nothing was recorded");
        return;
    }
    tracing::info!(job = job.id, method = job.method, attempt = job.attempts, error = ?error,
        "a job failed");
    if let Err(error) = failed(&node, &job, &error).await {
        // The lease runs out, and the job is tried again.
        tracing::warn!(job = job.id, error = ?error, "a failed job could not be recorded");
    }
}

async fn attempt(node: &Arc<Node>, job: &Leased) -> Result<()> {
    let registry = Arc::clone(node.registry());
    let bound = registry.method(job.method).ok_or_else(|| Error::internal("no such method"))?;
    let request = bound.decode_request(&job.request, Format::Binary)?;
    request.validate()?;
    if bound.method.kind == Kind::Command {
        return complete(node, job, None).await;
    }
    let timeout = Duration::from_millis(job.policy.timeout_ms.into());
    let basis = Basis {
        service: bound.service,
        caller: Caller::system(node.tenant()),
        cause: Cause::Job(job.id.clone()),
        key: Some(job.id.clone()),
        seal: node.keys.job(node.tenant(), &job.id),
        address: String::new(),
        trace: String::new(),
        deadline: Some(node.world().uptime() + timeout),
        fence: Some(fence(node, job)),
    };
    let running = effect::run(bound, Ctx::new(basis, node.runner()), request.as_ref());
    let reply = tokio::select! {
        // What wakes when its time is over does not go on.
        biased;
        () = node.world().sleep(timeout) => {
            return Err(Error::unavailable("job.timeout", "the attempt took too long"));
        }
        reply = running => reply?,
    };
    complete(node, job, Some(reply.encode(Format::Binary)?)).await
}

/// Completes a job: an effect's reply is handed to what follows; a command runs here.
async fn complete(node: &Arc<Node>, job: &Leased, reply: Option<Vec<u8>>) -> Result<()> {
    let (registry, tenant, job) =
        (Arc::clone(node.registry()), Arc::clone(node.tenant()), job.clone());
    let (cause, method) = (format!("job:{}", job.id), job.method);
    let run = move |session: &mut dyn Session, stamp: Stamp| {
        end(session, &tenant, &job, "done", "")?;
        let bound = bound_of(&registry, &job)?;
        let request = bound.decode_request(&job.request, Format::Binary)?;
        let reply = reply.as_deref().map(|reply| bound.decode_reply(reply, Format::Binary));
        let reply = reply.transpose()?;
        let gathered = inside(session, &registry, &tenant, &job, stamp, |tx| {
            let reply = match reply {
                Some(reply) => reply,
                None => bound.run_command(tx, request.as_ref())?,
            };
            match follows(&registry, &job) {
                Some(outcome) => outcome.run(tx, request.as_ref(), Ok(reply.as_ref())),
                None => Ok(()),
            }
        })?;
        Ok(Outcome { reply: None, gathered })
    };
    react(node, node.tenant(), cause, method, run).await.map(|_| ())
}

/// Puts a failed job back, or parks it as dead once no attempt is left.
async fn failed(node: &Arc<Node>, job: &Leased, error: &Error) -> Result<()> {
    const AGAIN: &str = "UPDATE stoa_job SET state = 'ready', run_at = $3, error = $4 \
         WHERE tenant = :tenant AND id = $1 AND lease = $2 AND state = 'leased'";
    let (registry, tenant, job) =
        (Arc::clone(node.registry()), Arc::clone(node.tenant()), job.clone());
    let is_final = matches!(
        error.code(),
        stoa_kit::Code::InvalidArgument | stoa_kit::Code::FailedPrecondition
    );
    if job.attempts < i64::from(job.policy.max_attempts) && !is_final {
        let mut chance = [0u8; 1];
        node.world().entropy(&mut chance);
        let wait = backoff(&job, chance[0]);
        let (now, text) = (node.store().lease_now().await?, error.to_string());
        return housekeep(node, node.tenant(), move |session, _| {
            let params = (&job.id, job.lease, now.after(wait).0, &text);
            kernel::execute(session, &tenant, AGAIN, params).map(|_| ())
        })
        .await;
    }
    let (cause, method, error) = (format!("job:{}", job.id), job.method, error.clone());
    let run = move |session: &mut dyn Session, stamp: Stamp| {
        end(session, &tenant, &job, "dead", &error.to_string())?;
        let bound = bound_of(&registry, &job)?;
        let request = bound.decode_request(&job.request, Format::Binary)?;
        let gathered = inside(session, &registry, &tenant, &job, stamp, |tx| {
            match follows(&registry, &job) {
                Some(outcome) => outcome.run(tx, request.as_ref(), Err(&error)),
                None => Ok(()),
            }
        })?;
        Ok(Outcome { reply: None, gathered })
    };
    react(node, node.tenant(), cause, method, run).await.map(|_| ())
}

fn inside(
    session: &mut dyn Session,
    registry: &Registry,
    tenant: &str,
    job: &Leased,
    stamp: Stamp,
    run: impl FnOnce(&mut Tx<'_>) -> Result<()>,
) -> Result<Gathered> {
    let (caller, cause) = (Caller::system(tenant), Cause::Job(job.id.clone()));
    let command = Run { registry, caller: &caller, cause: &cause, stamp, nested: false };
    let service = bound_of(registry, job)?.service;
    command.command(session, service, run).map(|((), gathered)| gathered)
}

/// Lets an attempt commit only as long as this worker holds the lease.
fn fence(node: &Arc<Node>, job: &Leased) -> Fence {
    const HELD: &str = "SELECT attempts FROM stoa_job \
         WHERE tenant = :tenant AND id = $1 AND lease = $2 AND state = 'leased'";
    let (tenant, id, lease) = (Arc::clone(node.tenant()), job.id.clone(), job.lease);
    Arc::new(move |session| {
        match kernel::rows::<(i64,)>(session, &tenant, HELD, (&id, lease))?.is_empty() {
            true => Err(overtaken("another worker holds the lease")),
            false => Ok(()),
        }
    })
}

/// Ends a job that this worker still holds the lease of.
fn end(
    session: &mut dyn Session,
    tenant: &str,
    job: &Leased,
    state: &str,
    error: &str,
) -> Result<()> {
    const END: &str = "UPDATE stoa_job SET state = $3, error = $4, dedupe = NULL \
         WHERE tenant = :tenant AND id = $1 AND lease = $2 AND state = 'leased'";
    match kernel::execute(session, tenant, END, (&job.id, job.lease, state, error))? {
        1 => Ok(()),
        _ => Err(overtaken("another worker holds the lease")),
    }
}

fn bound_of<'a>(registry: &'a Registry, job: &Leased) -> Result<&'a Bound> {
    registry.method(job.method).ok_or_else(|| Error::internal("no such method"))
}

fn follows<'a>(registry: &'a Registry, job: &Leased) -> Option<&'a Follows> {
    let bound = registry.method(job.method)?;
    let outcomes = &registry.service(bound.service).outcomes;
    outcomes.iter().find(|outcome| outcome.method == job.method)
}

/// The wait after an attempt: doubled each time, between half of it and all of it.
fn backoff(job: &Leased, chance: u8) -> Duration {
    let doublings = u32::try_from(job.attempts - 1).unwrap_or(0).min(20);
    let whole = Duration::from_millis(u64::from(job.policy.backoff_ms) << doublings);
    whole.min(BACKOFF_MAX).mul_f64(0.5 + f64::from(chance) / 510.0)
}
