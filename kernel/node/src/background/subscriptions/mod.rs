//! Reactions to events: exactly once, in order per subject.
//!
//! The log is read once for all subscriptions, a page of places, topics and subjects at a time.
//! Whatever is wanted waits in its [`Partition`]; its payload is fetched when it is handled. The
//! cursor of a partition moves in the commit of what its events caused ([`reaction`]), and where
//! there is nothing for it to do, nothing is written: now and then the cursors that the log has
//! left behind are moved after it, in one commit of all ([`cursors`]), so that it can be swept.
//!
//! Nodes share the work by patience. Whoever handled a partition last goes on with it, and the
//! others leave to it what waits there, unless the first event has waited for [`PATIENCE`]: then
//! its node is gone or in trouble, and theirs is the partition from then on. So there is no lease
//! that somebody would have to renew. Where two are at work nevertheless, the cursor lets one win.

mod cursors;
mod fill;
mod partition;
mod reaction;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use stoa_kit::registry::ServiceId;
use stoa_kit::{Micros, Registry, Result, Start};
use stoa_store::kernel;

use super::Work;
use crate::Node;
pub(crate) use partition::partition_of;
use partition::{Partition, Place, Subscription};

/// Events looked at in one read of the log.
const PAGE: i64 = 1_024;
/// Partitions handled at once.
const AT_ONCE: usize = 16;
/// How long a pass may stay with one partition before the log is read on for the others.
const PASS: Duration = Duration::from_millis(50);
/// How long an event may wait for the node that holds its partition before another takes it.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often the cursors of idle partitions are moved after the log.
const TIDY: Duration = Duration::from_secs(60);

/// What a subscription is, as its service's manifest says.
pub(super) struct Reaction {
    service: ServiceId,
    index: usize,
    /// `<service>.<subscription>`.
    name: String,
    label: &'static str,
    topic: Option<&'static str>,
    start: Start,
    partitions: i64,
    is_filled: bool,
}

/// Every subscription of a node.
pub(super) struct Subscriptions {
    node: Arc<Node>,
    all: Vec<Subscription>,
    /// Who is interested in a topic, and who in all of them, by their place in `all`.
    by_topic: HashMap<&'static str, Vec<usize>>,
    by_any: Vec<usize>,
    /// The youngest event that was looked at.
    seen: Place,
    tidied: Micros,
}

impl Subscriptions {
    pub(super) async fn new(node: &Arc<Node>) -> Result<Self> {
        let all: Vec<_> = reactions(node.registry()).into_iter().map(Subscription::new).collect();
        let mut by_topic: HashMap<_, Vec<usize>> = HashMap::new();
        let mut by_any = Vec::new();
        for (index, subscription) in all.iter().enumerate() {
            match subscription.reaction.topic {
                Some(topic) => by_topic.entry(topic).or_default().push(index),
                None => by_any.push(index),
            }
        }
        let (seen, tidied) = (Place::default(), node.world().now());
        let this = Self { node: Arc::clone(node), all, by_topic, by_any, seen, tidied };
        this.register().await?;
        Ok(this)
    }

    async fn register(&self) -> Result<()> {
        cursors::register(&self.node, self.all.iter().map(|one| Arc::clone(&one.reaction))).await
    }

    /// Reads on in the log and handles what waits. What fails in one partition keeps no other
    /// from its turn.
    async fn pass(&mut self) -> Result<bool> {
        if self.all.is_empty() {
            return Ok(false);
        }
        let settled = self.node.store().settled().await?;
        self.look().await?;
        let more = self.read_on(settled).await?;
        let handled = self.handle().await;
        self.show(settled);
        let drained = reaction::drain(&self.node, &self.all).await;
        let filled = fill::work(&self.node, &self.all).await;
        self.tidy().await?;
        Ok(handled? | drained? | filled? | more)
    }

    /// Learns how far the partitions have come, also by the work of other nodes.
    async fn look(&mut self) -> Result<()> {
        let mut rows = cursors::read(&self.node).await?;
        let are_astray = |one: &Subscription| {
            let rows = rows.get(&one.reaction.name);
            rows.is_some_and(|rows| cursors::are_astray(&one.reaction, rows))
        };
        if self.all.iter().any(are_astray) {
            self.register().await?;
            rows = cursors::read(&self.node).await?;
        }
        for subscription in &mut self.all {
            subscription.follow(rows.remove(&subscription.reaction.name).unwrap_or_default());
        }
        Ok(())
    }

    /// Reads a page at the front of what was read, and one where whoever is furthest behind left
    /// off; true if there may be more.
    async fn read_on(&mut self, settled: i64) -> Result<bool> {
        let open = || self.partitions().filter(|one| one.has_room()).map(|one| one.read);
        let (Some(last), Some(first)) = (open().min(), open().max()) else { return Ok(false) };
        let mut more = self.read_page(first, settled).await?;
        if last < first {
            more |= self.read_page(last, settled).await?;
        }
        Ok(more)
    }

    async fn read_page(&mut self, from: Place, settled: i64) -> Result<bool> {
        const EVENTS: &str = "SELECT position, ordinal, topic, subject FROM stoa_event \
             WHERE tenant = :tenant AND position >= $1 AND position <= $3 \
             AND (position > $1 OR ordinal > $2) ORDER BY position, ordinal LIMIT $4";
        if from >= (settled, i64::MAX) {
            return Ok(false);
        }
        let tenant = Arc::clone(self.node.tenant());
        let read = move |session: &mut dyn stoa_kit::session::Session, _| {
            let params = (from.0, from.1, settled, PAGE);
            kernel::rows::<(i64, i64, String, String)>(session, &tenant, EVENTS, params)
        };
        let rows = self.node.read(None, read).await?;
        let is_full = rows.len() as i64 == PAGE;
        let last = rows.last().map(|row| (row.0, row.1));
        let end = last.filter(|_| is_full).unwrap_or((settled, i64::MAX));
        self.seen = self.seen.max(last.unwrap_or_default());
        self.all.iter_mut().for_each(|subscription| subscription.open(from));
        for (position, ordinal, topic, subject) in rows {
            self.offer((position, ordinal), &topic, &subject);
        }
        self.all.iter_mut().for_each(|subscription| subscription.close(end));
        Ok(is_full)
    }

    /// Lets an event wait in the partitions that want it.
    fn offer(&mut self, place: Place, topic: &str, subject: &str) {
        let interested = self.by_topic.get(topic).into_iter().flatten().chain(&self.by_any);
        for index in interested {
            if let Some(subscription) = self.all.get_mut(*index) {
                subscription.offer(place, subject);
            }
        }
    }

    /// Handles what waits, of several partitions at once; true if there was anything.
    async fn handle(&mut self) -> Result<bool> {
        let name = self.node.name();
        let now = match self.partitions().any(|one| one.waits_for_another(name)) {
            true => self.node.store().lease_now().await?,
            false => Micros::default(),
        };
        let (node, until) = (&self.node, self.node.world().uptime() + PASS);
        let partitions = self.all.iter_mut().flat_map(|one| &mut one.partitions);
        let works: Vec<BoxFuture<'_, Result<bool>>> = partitions
            .filter_map(|one| one.is_ours(node.name(), now).then_some(one))
            .map(|one| Box::pin(reaction::work(node, one, until)) as _)
            .collect();
        let outcomes = futures::stream::iter(works).buffer_unordered(AT_ONCE);
        let outcomes: Vec<Result<bool>> = outcomes.collect().await;
        outcomes.into_iter().try_fold(false, |worked, outcome| Ok(worked | outcome?))
    }

    /// Moves the cursors of partitions that had nothing to do, once in a while.
    async fn tidy(&mut self) -> Result<()> {
        let now = self.node.world().now();
        if now >= self.tidied && now.since(self.tidied) < TIDY {
            return Ok(());
        }
        cursors::move_idle(&self.node, self.partitions().filter_map(|one| one.idle(self.seen)))
            .await?;
        self.tidied = now;
        Ok(())
    }

    /// Shows how far the slowest partition of each subscription is behind.
    fn show(&self, settled: i64) {
        let mut gauges = self.node.gauges();
        for subscription in &self.all {
            let lags = subscription.partitions.iter().map(|one| one.lag(settled));
            let lag = lags.max().unwrap_or_default();
            gauges.lag.insert(subscription.reaction.name.clone(), lag);
        }
    }

    fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.all.iter().flat_map(|one| &one.partitions)
    }
}

impl Subscriptions {
    pub(super) async fn step(&mut self) -> Result<bool> {
        self.pass().await
    }
}

impl Work for Subscriptions {
    fn name(&self) -> &'static str {
        "subscriptions"
    }

    fn step(&mut self) -> BoxFuture<'_, Result<bool>> {
        Box::pin(self.pass())
    }

    fn due(&self) -> Option<Micros> {
        None
    }
}

/// The subscriptions of all services.
fn reactions(registry: &Registry) -> Vec<Reaction> {
    let mut reactions = Vec::new();
    for (number, service) in registry.services().iter().enumerate() {
        for (index, subscription) in service.subscriptions.iter().enumerate() {
            reactions.push(Reaction {
                service: ServiceId(number as u16),
                index,
                name: format!("{}.{}", service.name, subscription.name),
                label: subscription.name,
                topic: subscription.topic,
                start: subscription.start,
                partitions: subscription.partitions.into(),
                is_filled: subscription.is_filled(),
            });
        }
    }
    reactions
}
