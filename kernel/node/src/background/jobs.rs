//! Jobs: what must happen outside, after the commit that asked for it.
//!
//! A worker has room for so many attempts: in all, of each method, and one of each lane; tenants take
//! turns for the room of a method. It takes the lease of a job when there is room for it and not
//! before, so a lease begins with its attempt, and is renewed while that runs; a server that hangs
//! keeps the room of its own method and of no other. What a job came to and its completion are one commit, guarded by the lease: a
//! worker that was too slow, and was overtaken, records nothing.
//!
//! **Invariant:** no two workers are at one job at the same time: whoever holds a lease is through
//! with the job, or has given it up, before the lease ends.

mod attempt;
mod queue;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use stoa_contract::Job;
use stoa_kit::session::Session;
use stoa_kit::{Micros, Result};
use stoa_store::Notice;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};

use self::queue::{Found, Leased, Room};
use super::clock::Clock;
use super::{CELL, Work, housekeep};
use crate::Node;

/// Attempts at work at once, of all methods.
const AT_ONCE: usize = 128;
/// How long attempts may take to come to an end once the node is told to stop.
const DRAIN_MAX: Duration = Duration::from_secs(15);

/// The worker of a node.
pub(super) struct Jobs {
    node: Arc<Node>,
    /// The methods that this node has, and how they are tried.
    methods: Vec<(&'static str, Job)>,
    attempts: JoinSet<()>,
    /// The tenant and the method of each attempt.
    at_work: HashMap<Id, (Arc<str>, &'static str)>,
    clock: Clock,
    due: Option<Micros>,
    /// Told when the node stops, where it runs by itself.
    stop: Option<watch::Receiver<bool>>,
}

impl Jobs {
    pub(super) fn new(node: &Arc<Node>) -> Self {
        let methods = node.registry().methods();
        let methods = methods.filter_map(|bound| Some((bound.method.path, bound.method.job?)));
        Self {
            methods: methods.collect(),
            node: Arc::clone(node),
            attempts: JoinSet::new(),
            at_work: HashMap::new(),
            clock: Clock::default(),
            due: None,
            stop: None,
        }
    }

    /// The same, which begins nothing that it finds once the node is told to stop.
    pub(super) fn until(self, stop: watch::Receiver<bool>) -> Self {
        Self { stop: Some(stop), ..self }
    }

    /// Begins what is due and has room; true if there was anything.
    pub(super) async fn step(&mut self) -> Result<bool> {
        if self.methods.is_empty() {
            return Ok(false);
        }
        // Before the lease is: an attempt gets no more time than it has.
        let started = self.node.world().uptime();
        let now = self.clock.look(&self.node).await?;
        if self.clock.went_back {
            self.rebase(now).await?;
            self.clock.went_back = false;
        }
        let found = self.look(now).await?;
        self.due = found.next;
        let mut worked = false;
        for (seen, is_active) in &found.lapsed {
            match attempt::lapse(&self.node, seen, *is_active).await {
                Ok(()) => worked = true,
                Err(error) => tracing::warn!(job = seen.id, error = ?error, "a job lapsed"),
            }
        }
        let stops = self.stop.as_ref().is_some_and(|stop| *stop.borrow());
        if found.ready.is_empty() || stops {
            return Ok(worked);
        }
        let lease = move |session: &mut dyn Session, _| queue::lease(session, now, &found.ready);
        for job in housekeep(&self.node, CELL, lease).await? {
            self.begin(job, started);
        }
        Ok(true)
    }

    /// Does everything that is due until nothing is, and waits for it; true if there was anything.
    pub(super) async fn settle(&mut self) -> Result<bool> {
        let mut worked = false;
        loop {
            while self.step().await? {
                worked = true;
            }
            if self.at_work.is_empty() {
                return Ok(worked);
            }
            self.ended().await;
        }
    }

    fn begin(&mut self, job: Leased, started: Duration) {
        let whose = (Arc::clone(&job.seen.tenant), job.seen.method);
        let attempt = self.attempts.spawn(attempt::work(Arc::clone(&self.node), job, started));
        self.at_work.insert(attempt.id(), whose);
    }

    /// Waits until an attempt has ended; for ever if none is at work.
    async fn ended(&mut self) {
        let Some(first) = self.attempts.join_next_with_id().await else {
            return std::future::pending().await;
        };
        // Others may have ended with it: there is room for several then.
        let mut ended = Some(first);
        while let Some(attempt) = ended {
            let id = attempt.map_or_else(|error| error.id(), |(id, ())| id);
            self.at_work.remove(&id);
            ended = self.attempts.try_join_next_with_id();
        }
    }

    async fn look(&self, now: Micros) -> Result<Found> {
        let (registry, tenants) = (Arc::clone(self.node.registry()), self.node.tenants().await?);
        let room = self.room();
        let look = move |session: &mut dyn Session, _| {
            let is_active = |tenant: &str| tenants.active(tenant).is_ok();
            queue::look(session, &registry, &is_active, now, &room)
        };
        self.node.read(None, look).await
    }

    fn room(&self) -> Room {
        let mut tenants = BTreeMap::new();
        for (tenant, method) in self.at_work.values() {
            *tenants.entry((*method, Arc::clone(tenant))).or_default() += 1;
        }
        let methods = self.methods.iter().map(|(path, policy)| {
            let at_work = self.at_work.values().filter(|(_, method)| method == path).count();
            (*path, (at_work, (policy.at_once as usize).saturating_sub(at_work)))
        });
        let free = AT_ONCE.saturating_sub(self.at_work.len());
        Room { free, methods: methods.collect(), tenants }
    }

    async fn rebase(&self, now: Micros) -> Result<()> {
        tracing::warn!("the clock went back: jobs that were written in the future are moved");
        loop {
            let rebase = move |session: &mut dyn Session, _| queue::rebase(session, now);
            if !housekeep(&self.node, CELL, rebase).await? {
                return Ok(());
            }
        }
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

    fn now(&self) -> Option<Micros> {
        self.clock.now(&self.node)
    }

    fn is_for(&self, notice: &Notice) -> bool {
        notice.jobs
    }

    fn moved(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(self.ended())
    }

    fn finish(&mut self) -> BoxFuture<'_, ()> {
        let late = self.node.world().sleep(DRAIN_MAX);
        Box::pin(async move {
            let all = async { while self.attempts.join_next().await.is_some() {} };
            tokio::select! {
                () = all => {}
                () = late => tracing::warn!("attempts of jobs were still at work after the time to drain"),
            }
        })
    }
}
