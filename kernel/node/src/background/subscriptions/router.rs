//! One tenant's log, and what waits of it for each subscription.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use stoa_kit::registry::ServiceId;
use stoa_kit::{Micros, Registry, Result, Start};
use stoa_store::kernel;

use super::partition::{Partition, Place, Subscription};
use super::{cursors, fill, reaction};
use crate::Node;

/// Events looked at in one read of the log.
const PAGE: i64 = 1_024;
/// Partitions handled at once.
const AT_ONCE: usize = 16;
/// How long a pass may stay with one partition before the log is read on for the others.
const PASS: Duration = Duration::from_millis(50);
/// How often the cursors of idle partitions are moved after the log, and how long a tenant is kept in
/// mind for whom nothing happens.
const TIDY: Duration = Duration::from_secs(60);

/// What a subscription is to a tenant, as its service's manifest says.
pub(super) struct Reaction {
    pub(super) tenant: Arc<str>,
    pub(super) service: ServiceId,
    pub(super) index: usize,
    /// `<service>.<subscription>`.
    pub(super) name: String,
    pub(super) label: &'static str,
    pub(super) topic: Option<&'static str>,
    pub(super) start: Start,
    pub(super) partitions: i64,
    pub(super) is_filled: bool,
}

/// Every subscription of a node, for one tenant.
pub(super) struct Router {
    node: Arc<Node>,
    tenant: Arc<str>,
    all: Vec<Subscription>,
    /// Who is interested in a topic, and who in all of them, by their place in `all`.
    by_topic: HashMap<&'static str, Vec<usize>>,
    by_any: Vec<usize>,
    /// The youngest event that was looked at.
    seen: Place,
    /// Everything up to here was looked at in the last pass.
    settled: i64,
    tidied: Micros,
}

impl Router {
    pub(super) fn new(node: &Arc<Node>, tenant: &Arc<str>) -> Self {
        let all = reactions(node.registry(), tenant).into_iter();
        let all: Vec<_> = all.map(Subscription::new).collect();
        let mut by_topic: HashMap<_, Vec<usize>> = HashMap::new();
        let mut by_any = Vec::new();
        for (index, subscription) in all.iter().enumerate() {
            match subscription.reaction.topic {
                Some(topic) => by_topic.entry(topic).or_default().push(index),
                None => by_any.push(index),
            }
        }
        let (seen, tidied) = (Place::default(), node.world().now());
        let (node, tenant) = (Arc::clone(node), Arc::clone(tenant));
        Self { node, tenant, all, by_topic, by_any, seen, settled: 0, tidied }
    }

    async fn register(&self) -> Result<()> {
        cursors::register(&self.node, vec![Arc::clone(&self.tenant)]).await
    }

    /// Reads on in the log and handles what waits. What fails in one partition keeps no other
    /// from its turn.
    pub(super) async fn pass(&mut self) -> Result<bool> {
        let settled = self.node.store().settled().await?;
        self.look().await?;
        let more = self.read_on(settled).await?;
        let handled = self.handle().await;
        self.show(settled);
        let drained = reaction::drain(&self.node, &self.tenant, &self.all).await;
        let filled = fill::work(&self.node, &self.all).await;
        let worked = handled? | drained? | filled? | more;
        self.settled = settled;
        Ok(worked)
    }

    /// Learns how far the partitions have come, also by the work of other nodes.
    async fn look(&mut self) -> Result<()> {
        let mut rows = cursors::read(&self.node, &self.tenant).await?;
        let are_astray = |one: &Subscription| {
            let rows = rows.get(&one.reaction.name);
            rows.is_some_and(|rows| cursors::are_astray(&one.reaction, rows))
        };
        if self.all.iter().any(are_astray) {
            self.register().await?;
            rows = cursors::read(&self.node, &self.tenant).await?;
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
        let tenant = Arc::clone(&self.tenant);
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

    /// The position up to which it is through; none where something waits that no commit will tell
    /// of: for another node, to be filled, or for people to resume what was lost.
    pub(super) fn through(&self) -> Option<i64> {
        let waits = self.all.iter().any(|one| one.page.is_some())
            || self.partitions().any(Partition::waits);
        (!waits).then_some(self.settled)
    }

    /// Moves the cursors of partitions that had nothing to do, once in a while; true if it has.
    pub(super) async fn tidy(&mut self) -> Result<bool> {
        let now = self.node.world().now();
        if now >= self.tidied && now.since(self.tidied) < TIDY {
            return Ok(false);
        }
        let idle = self.partitions().filter_map(|one| one.idle(self.seen));
        cursors::move_idle(&self.node, &self.tenant, idle).await?;
        self.tidied = now;
        Ok(true)
    }

    /// Shows nothing any more.
    pub(super) fn hide(&self) {
        self.node.gauges().lag.retain(|(tenant, _), _| *tenant != self.tenant);
    }

    /// Shows how far the slowest partition of each subscription is behind.
    fn show(&self, settled: i64) {
        let mut gauges = self.node.gauges();
        for subscription in &self.all {
            let lags = subscription.partitions.iter().map(|one| one.lag(settled));
            let lag = lags.max().unwrap_or_default();
            let name = (Arc::clone(&self.tenant), subscription.reaction.name.clone());
            gauges.lag.insert(name, lag);
        }
    }

    fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.all.iter().flat_map(|one| &one.partitions)
    }
}

/// The subscriptions of all services.
pub(super) fn reactions(registry: &Registry, tenant: &Arc<str>) -> Vec<Reaction> {
    let mut reactions = Vec::new();
    for (number, service) in registry.services().iter().enumerate() {
        for (index, subscription) in service.subscriptions.iter().enumerate() {
            reactions.push(Reaction {
                tenant: Arc::clone(tenant),
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
