//! What happens without a caller: reactions to events, jobs, timers.
//!
//! All of it is there for every tenant of the cell, and a tenant for whom nothing is to be done costs
//! nothing: what is due is found by one look over all, or a commit tells of it. Tenants take turns,
//! and those that are suspended wait.
//!
//! Each kind of work is a step function that does what is due and says whether it did anything.
//! A running node loops over the steps and sleeps until a commit or the clock wakes it; a test
//! calls them itself, with its own clock.

mod blobs;
mod clock;
mod jobs;
mod load;
mod records;
mod subscriptions;
mod sweep;
mod timers;
mod watchdog;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use stoa_contract::Code;
use stoa_kit::session::{Session, Stamp};
use stoa_kit::{Cause, Error, Micros, Result};
use stoa_store::{Commit, Committed, Header, Notice, Outcome};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use crate::unwound::unwound;
use crate::{Node, keys};
pub(crate) use subscriptions::{TO_FILL, partition_of};

/// How long the background sleeps at the most when nothing wakes it: other nodes' timers and
/// jobs are found no later than this.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// What the kernel's statements are run as that look over all tenants.
const CELL: &str = "";

/// What the background says about itself in `/metrics`.
#[derive(Debug, Default, Clone)]
pub(crate) struct Gauges {
    /// Commits between a subscription's slowest partition and the end of the log, by tenant and
    /// subscription, for tenants for whom something happened of late.
    pub lag: BTreeMap<(Arc<str>, String), i64>,
}

/// The background of a node.
pub struct Background {
    node: Arc<Node>,
    subscriptions: subscriptions::Subscriptions,
    records: records::Records,
    jobs: jobs::Jobs,
    timers: timers::Timers,
    sweep: sweep::Sweep,
    blobs: blobs::Blobs,
}

impl Background {
    /// Registers subscriptions and timers that are new, and is ready to step.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn new(node: &Arc<Node>) -> Result<Self> {
        Ok(Self {
            subscriptions: subscriptions::Subscriptions::new(node).await?,
            records: records::Records::new(node).await?,
            jobs: jobs::Jobs::new(node),
            timers: timers::Timers::new(node).await?,
            sweep: sweep::Sweep::new(node),
            blobs: blobs::Blobs::new(node),
            node: Arc::clone(node),
        })
    }

    /// Does everything that is due, once, and waits for the jobs that it began; true if there was
    /// anything.
    ///
    /// # Errors
    /// Those of the store; the work stays due.
    pub async fn step(&mut self) -> Result<bool> {
        let reacted = self.subscriptions.step().await?;
        let worked = self.jobs.settle().await?;
        let taken = self.records.step().await?;
        let fired = self.timers.step().await?;
        let swept = self.sweep.step().await?;
        let cleared = self.blobs.step().await?;
        self.node.measure();
        Ok(reacted || worked || taken || fired || swept || cleared)
    }

    /// Steps until told to stop: wakes when a commit leaves work, or the clock does.
    pub fn run(self, stop: watch::Receiver<bool>) -> Vec<BoxFuture<'static, ()>> {
        let Self { node, subscriptions, records, jobs, timers, sweep, blobs } = self;
        let each = |work| drive(Arc::clone(&node), stop.clone(), work);
        vec![
            each(Box::new(subscriptions)),
            each(Box::new(records)),
            each(Box::new(jobs.until(stop.clone()))),
            each(Box::new(timers)),
            each(Box::new(sweep)),
            each(Box::new(blobs)),
            each(Box::new(watchdog::Watchdog::new(&node))),
            each(Box::new(load::Load::new(&node))),
        ]
    }
}

/// One kind of background work.
trait Work: Send + 'static {
    /// What it is called in logs.
    fn name(&self) -> &'static str;

    /// Does what is due; true if there was anything.
    fn step(&mut self) -> BoxFuture<'_, Result<bool>>;

    /// When something will be due, as far as is known.
    fn due(&self) -> Option<Micros>;

    /// The time by the clock that `due` goes by, if that is not the node's own.
    fn now(&self) -> Option<Micros> {
        None
    }

    /// Whether a commit may have left work of this kind.
    fn is_for(&self, notice: &Notice) -> bool {
        !notice.events.is_empty()
    }

    /// Waits until something that it began has moved on, so that another step is worth while.
    fn moved(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }

    /// Waits for what it began, for a while.
    fn finish(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

fn drive(
    node: Arc<Node>, mut stop: watch::Receiver<bool>, mut work: Box<dyn Work>,
) -> BoxFuture<'static, ()> {
    let mut notices = node.store().notices();
    Box::pin(async move {
        while !*stop.borrow() {
            // A panic of ours is logged like an error, and does not end the loop.
            match unwound(work.step()).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(work = work.name(), error = ?error, "background work failed");
                }
            }
            let now = work.now().unwrap_or_else(|| node.world().now());
            let until = work.due().map_or(SLEEP_MAX, |due| due.since(now)).min(SLEEP_MAX);
            // A little patience lets events gather into one commit.
            let patience = node.world().sleep(until.max(Duration::from_millis(5)));
            wait(work.as_mut(), &mut notices, &mut stop, patience).await;
        }
        work.finish().await;
    })
}

/// Waits until there may be something to do.
async fn wait(
    work: &mut dyn Work, notices: &mut Receiver<Notice>, stop: &mut watch::Receiver<bool>,
    patience: BoxFuture<'static, ()>,
) {
    let mut patience = patience;
    loop {
        let heard = tokio::select! {
            () = &mut patience => return,
            _ = stop.changed() => return,
            () = work.moved() => return,
            heard = notices.recv() => heard,
        };
        match heard {
            Ok(notice) if work.is_for(&notice) => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            // The store is closed: nothing will be heard any more.
            Err(RecvError::Closed) => return patience.await,
        }
    }
}

/// Runs the kernel's own statements in a commit that leaves no record.
pub(crate) async fn housekeep<T: Send + 'static>(
    node: &Node, tenant: &str,
    mut run: impl FnMut(&mut dyn Session, Stamp) -> Result<T> + Send + 'static,
) -> Result<T> {
    let slot = Arc::new(std::sync::Mutex::new(None));
    let filled = Arc::clone(&slot);
    let run = move |session: &mut dyn Session, stamp: Stamp| {
        let value = run(session, stamp)?;
        *filled.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(value);
        Ok(Outcome { reply: None, gathered: Default::default() })
    };
    node.store().commit(Commit { header: keys::housekeeping(tenant), run: Box::new(run) }).await?;
    let value = slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    value.ok_or_else(|| Error::internal("a commit gave nothing"))
}

/// What the record of a reaction says: why it happened, on whose behalf, and in which trace.
struct Why {
    cause: String,
    caller: Arc<str>,
    trace: String,
}

impl Why {
    /// What the node does by itself.
    fn of(cause: &Cause) -> Self {
        Self { cause: cause.to_string(), caller: "system".into(), trace: String::new() }
    }
}

/// Makes a reaction durable, with a record.
async fn react(
    node: &Node, tenant: &str, why: Why, method: &'static str,
    run: impl FnMut(&mut dyn Session, Stamp) -> Result<Outcome> + Send + 'static,
) -> Result<Committed> {
    let Why { cause, caller, trace } = why;
    let header = Header { cause, caller, trace, method, ..keys::housekeeping(tenant) };
    node.store().commit(Commit { header, run: Box::new(run) }).await
}

/// Whether trying again later may help although nothing changes here: the store could not take
/// the work. What a handler itself says, or that it is too slow, would be so again for ever.
fn is_transient(error: &Error) -> bool {
    let passes =
        matches!(error.code(), Code::Unavailable | Code::Aborted | Code::ResourceExhausted);
    passes && error.reason().starts_with("store.") && error.reason() != "store.too_slow"
}

/// Somebody else did it first.
fn overtaken(what: &'static str) -> Error {
    Error::new(Code::Aborted, "background.overtaken", what)
}
