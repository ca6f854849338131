//! Reactions to events: exactly once, in order per subject.
//!
//! The cursor of a lane moves in the commit of what its events caused. A batch that fails is
//! halved until the one event at fault is alone; if that one goes on failing it is parked with
//! its subject, later events of the subject queue behind it, and all others flow.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use stoa_kit::registry::ServiceId;
use stoa_kit::session::{Session, Stamp};
use stoa_kit::tx::{Gathered, Run};
use stoa_kit::{Caller, Cause, Error, From, Micros, Registry, Result};
use stoa_store::{Outcome, kernel};

use super::{Work, housekeep, is_transient, overtaken, react};
use crate::Node;

/// Events handled in one commit at the most.
const BATCH_MAX: i64 = 64;
/// How often an event is tried before it is parked.
const ATTEMPTS: u32 = 3;
/// `attempts` of a parked event that people released.
const RELEASED: i64 = -1;

/// Every lane of every subscription.
pub(super) struct Subscriptions {
    node: Arc<Node>,
    lanes: Vec<Lane>,
}

/// One lane of one subscription.
#[derive(Clone)]
struct Lane {
    service: ServiceId,
    index: usize,
    name: String,
    topic: &'static str,
    label: &'static str,
    lane: i64,
    lanes: i64,
}

/// An event of the log.
#[derive(Clone)]
struct Event {
    position: i64,
    ordinal: i64,
    subject: String,
    payload: Vec<u8>,
}

/// A cursor: the last event handled.
type Cursor = (i64, i64);

impl Subscriptions {
    pub(super) async fn new(node: &Arc<Node>) -> Result<Self> {
        let mut lanes = Vec::new();
        for (number, service) in node.registry().services().iter().enumerate() {
            for (index, subscription) in service.subscriptions.iter().enumerate() {
                for lane in 0..i64::from(subscription.partitions) {
                    lanes.push(Lane {
                        service: ServiceId(number as u16),
                        index,
                        name: format!("{}.{}", service.name, subscription.name),
                        topic: subscription.topic,
                        label: subscription.name,
                        lane,
                        lanes: subscription.partitions.into(),
                    });
                }
            }
        }
        let this = Self { node: Arc::clone(node), lanes };
        this.register().await?;
        Ok(this)
    }

    async fn register(&self) -> Result<()> {
        const REGISTER: &str = "INSERT INTO stoa_cursor \
             (tenant, subscription, lane, position, ordinal, state) \
             VALUES (:tenant, $1, $2, $3, $4, '') ON CONFLICT (tenant, subscription, lane) DO NOTHING";
        let end = self.node.store().settled().await?;
        let rows: Vec<(String, i64, i64)> = self
            .lanes
            .iter()
            .map(|lane| {
                let service = self.node.registry().service(lane.service);
                let start = match service.subscriptions[lane.index].from {
                    From::Now => end,
                    From::Start => 0,
                };
                (lane.name.clone(), lane.lane, start)
            })
            .collect();
        let tenant = Arc::clone(self.node.tenant());
        housekeep(&self.node, &tenant.clone(), move |session, _| {
            for (name, lane, start) in &rows {
                kernel::execute(session, &tenant, REGISTER, (name, *lane, *start, i64::MAX))?;
            }
            Ok(())
        })
        .await
    }

    async fn pass(&mut self) -> Result<bool> {
        if self.lanes.is_empty() {
            return Ok(false);
        }
        let mut worked = false;
        for lane in self.lanes.clone() {
            worked |= self.advance(&lane).await?;
        }
        Ok(self.drain().await? || worked)
    }

    /// Handles what waits in one lane, up to a batch.
    async fn advance(&self, lane: &Lane) -> Result<bool> {
        let settled = self.node.store().settled().await?;
        let (cursor, events, last) = self.waiting(lane, settled).await?;
        let lag = (settled - cursor.0).max(0);
        self.node.gauges().lag.insert(lane.name.clone(), if last.is_none() { 0 } else { lag });
        let Some(last) = last else { return Ok(false) };
        let mut from = cursor;
        let mut rest = events.as_slice();
        let mut take = rest.len();
        let mut attempts = 0;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(take);
            let to = if later.is_empty() { last } else { place(&now[now.len() - 1]) };
            match self.handle(lane, from, to, now).await {
                Ok(()) => {
                    (from, rest, take, attempts) = (to, later, later.len(), 0);
                }
                Err(error) if error.reason() == "background.overtaken" => return Ok(true),
                Err(error) if is_transient(&error) => return Err(error),
                Err(_) if take > 1 => take /= 2,
                Err(error) => {
                    attempts += 1;
                    if attempts == ATTEMPTS {
                        self.park(lane, from, to, &now[0], &error).await?;
                        (from, rest, take, attempts) = (to, later, later.len(), 0);
                    }
                }
            }
        }
        if from != last {
            self.skip(lane, from, last).await?;
        }
        Ok(true)
    }

    /// The lane's cursor, its events, and the place of the last event looked at.
    async fn waiting(
        &self,
        lane: &Lane,
        settled: i64,
    ) -> Result<(Cursor, Vec<Event>, Option<Cursor>)> {
        const CURSOR: &str = "SELECT position, ordinal FROM stoa_cursor \
             WHERE tenant = :tenant AND subscription = $1 AND lane = $2 AND state = ''";
        const EVENTS: &str = "SELECT position, ordinal, topic, subject, payload FROM stoa_event \
             WHERE tenant = :tenant AND position >= $1 AND position <= $3 \
             AND (position > $1 OR ordinal > $2) ORDER BY position, ordinal LIMIT $4";
        let (lane, tenant) = (lane.clone(), Arc::clone(self.node.tenant()));
        self.node
            .read(None, move |session, _| {
                let cursors =
                    kernel::rows::<(i64, i64)>(session, &tenant, CURSOR, (&lane.name, lane.lane))?;
                // A lane that was lost waits for whoever rebuilds what it fed.
                let Some(cursor) = cursors.first().copied() else {
                    return Ok(((settled, 0), Vec::new(), None));
                };
                let rows = kernel::rows::<(i64, i64, String, String, Vec<u8>)>(
                    session,
                    &tenant,
                    EVENTS,
                    (cursor.0, cursor.1, settled, BATCH_MAX),
                )?;
                let last = rows.last().map(|row| (row.0, row.1));
                let events = rows
                    .into_iter()
                    .filter(|row| row.2 == lane.topic && lane_of(&row.3, lane.lanes) == lane.lane)
                    .map(|(position, ordinal, _, subject, payload)| Event {
                        position,
                        ordinal,
                        subject,
                        payload,
                    })
                    .collect();
                Ok((cursor, events, last))
            })
            .await
    }

    /// Handles events and moves the cursor, in one commit.
    async fn handle(&self, lane: &Lane, from: Cursor, to: Cursor, events: &[Event]) -> Result<()> {
        const PARKED: &str = "SELECT attempts FROM stoa_parked WHERE tenant = :tenant \
             AND subscription = $1 AND subject = $2 ORDER BY position, ordinal LIMIT 1";
        let (registry, tenant) = (Arc::clone(self.node.registry()), Arc::clone(self.node.tenant()));
        let cause = format!("event:{}", name(&events[0]));
        let (own, events) = (lane.clone(), events.to_vec());
        let run = move |session: &mut dyn Session, stamp: Stamp| {
            advance(session, &tenant, &own, from, to)?;
            let mut gathered = Gathered::default();
            for (number, event) in events.iter().enumerate() {
                let head =
                    kernel::rows::<(i64,)>(session, &tenant, PARKED, (&own.name, &event.subject))?;
                match head.first() {
                    Some((RELEASED,)) => park(session, &tenant, &own, event, RELEASED, "", stamp)?,
                    Some(_) => park(session, &tenant, &own, event, 0, "", stamp)?,
                    None => {
                        let stamp = part(stamp, number);
                        let one = deliver(session, &registry, &tenant, &own, event, stamp)?;
                        gathered.events.extend(one.events);
                        gathered.jobs.extend(one.jobs);
                        gathered.touched.extend(one.touched);
                    }
                }
            }
            Ok(Outcome { reply: None, gathered })
        };
        react(&self.node, self.node.tenant(), cause, lane.label, run).await.map(|_| ())
    }

    /// Moves the cursor over events that are of no interest here.
    async fn skip(&self, lane: &Lane, from: Cursor, to: Cursor) -> Result<()> {
        let (lane, tenant) = (lane.clone(), Arc::clone(self.node.tenant()));
        let run = move |session: &mut dyn Session, _| advance(session, &tenant, &lane, from, to);
        match housekeep(&self.node, self.node.tenant(), run).await {
            Err(error) if error.reason() == "background.overtaken" => Ok(()),
            other => other,
        }
    }

    /// Puts an event aside with its subject.
    async fn park(
        &self,
        lane: &Lane,
        from: Cursor,
        to: Cursor,
        event: &Event,
        error: &Error,
    ) -> Result<()> {
        tracing::warn!(subscription = lane.name, event = name(event), error = ?error, "parked");
        let (lane, tenant) = (lane.clone(), Arc::clone(self.node.tenant()));
        let (event, text) = (event.clone(), error.to_string());
        housekeep(&self.node, self.node.tenant(), move |session, stamp| {
            advance(session, &tenant, &lane, from, to)?;
            park(session, &tenant, &lane, &event, ATTEMPTS.into(), &text, stamp)
        })
        .await
    }

    /// Handles released events, the first of each subject.
    async fn drain(&self) -> Result<bool> {
        const RELEASED_HEADS: &str = "SELECT subscription, subject, position, ordinal, payload \
             FROM stoa_parked WHERE tenant = :tenant AND attempts = -1 \
             ORDER BY subscription, subject, position, ordinal LIMIT 64";
        let tenant = Arc::clone(self.node.tenant());
        type Row = (String, String, i64, i64, Vec<u8>);
        let rows = self
            .node
            .read(None, move |session, _| kernel::rows::<Row>(session, &tenant, RELEASED_HEADS, ()))
            .await?;
        let mut heads: HashMap<(String, String), Event> = HashMap::new();
        for (subscription, subject, position, ordinal, payload) in rows {
            let event = Event { position, ordinal, subject: subject.clone(), payload };
            heads.entry((subscription, subject)).or_insert(event);
        }
        let mut worked = false;
        for ((subscription, _), event) in heads {
            let lane = self.lanes.iter().find(|lane| lane.name == subscription);
            if let Some(lane) = lane {
                self.again(lane, event).await?;
                worked = true;
            }
        }
        Ok(worked)
    }

    /// Tries a released event once more: gone if it succeeds, parked as before if not.
    async fn again(&self, lane: &Lane, event: Event) -> Result<()> {
        const UNPARK: &str = "DELETE FROM stoa_parked WHERE tenant = :tenant \
             AND subscription = $1 AND subject = $2 AND position = $3 AND ordinal = $4";
        const FAILED: &str = "UPDATE stoa_parked SET attempts = CASE WHEN position = $3 \
             AND ordinal = $4 THEN 1 ELSE 0 END, error = CASE WHEN position = $3 \
             AND ordinal = $4 THEN $5 ELSE '' END \
             WHERE tenant = :tenant AND subscription = $1 AND subject = $2";
        let (registry, tenant) = (Arc::clone(self.node.registry()), Arc::clone(self.node.tenant()));
        let (own, again) = (lane.clone(), event.clone());
        let run = move |session: &mut dyn Session, stamp: Stamp| {
            let key = (&own.name, &again.subject, again.position, again.ordinal);
            if kernel::execute(session, &tenant, UNPARK, key)? != 1 {
                return Err(overtaken("another node handled the event"));
            }
            let gathered = deliver(session, &registry, &tenant, &own, &again, stamp)?;
            Ok(Outcome { reply: None, gathered })
        };
        let cause = format!("event:{}", name(&event));
        match react(&self.node, self.node.tenant(), cause, lane.label, run).await {
            Ok(_) => Ok(()),
            Err(error) if error.reason() == "background.overtaken" => Ok(()),
            Err(error) if is_transient(&error) => Err(error),
            Err(error) => {
                let (lane, tenant) = (lane.clone(), Arc::clone(self.node.tenant()));
                let text = error.to_string();
                housekeep(&self.node, self.node.tenant(), move |session, _| {
                    let key = (&lane.name, &event.subject, event.position, event.ordinal, &text);
                    kernel::execute(session, &tenant, FAILED, key).map(|_| ())
                })
                .await
            }
        }
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

/// Moves a lane's cursor; refused if somebody else has moved it.
fn advance(
    session: &mut dyn Session,
    tenant: &str,
    lane: &Lane,
    from: Cursor,
    to: Cursor,
) -> Result<()> {
    const ADVANCE: &str = "UPDATE stoa_cursor SET position = $5, ordinal = $6 \
         WHERE tenant = :tenant AND subscription = $1 AND lane = $2 \
         AND position = $3 AND ordinal = $4";
    let params = (&lane.name, lane.lane, from.0, from.1, to.0, to.1);
    match kernel::execute(session, tenant, ADVANCE, params)? {
        1 => Ok(()),
        _ => Err(overtaken("another node moved the cursor")),
    }
}

fn park(
    session: &mut dyn Session,
    tenant: &str,
    lane: &Lane,
    event: &Event,
    attempts: i64,
    error: &str,
    stamp: Stamp,
) -> Result<()> {
    const PARK: &str = "INSERT INTO stoa_parked \
         (tenant, subscription, subject, position, ordinal, payload, attempts, error, time) \
         VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7, $8)";
    let payload = event.payload.as_slice();
    let key = (&lane.name, &event.subject, event.position, event.ordinal);
    let row = (key.0, key.1, key.2, key.3, payload, attempts, error, stamp.now.0);
    kernel::execute(session, tenant, PARK, row).map(|_| ())
}

/// Runs the handler for one event.
fn deliver(
    session: &mut dyn Session,
    registry: &Registry,
    tenant: &str,
    lane: &Lane,
    event: &Event,
    stamp: Stamp,
) -> Result<Gathered> {
    let subscription = &registry.service(lane.service).subscriptions[lane.index];
    let (caller, cause) = (Caller::system(tenant), Cause::Event(name(event)));
    let command = Run { registry, caller: &caller, cause: &cause, stamp, nested: false };
    let handled = command.command(session, lane.service, |tx| subscription.run(tx, &event.payload));
    handled.map(|((), gathered)| gathered)
}

/// The stamp of one event of a batch: the same time, other ids.
fn part(stamp: Stamp, number: usize) -> Stamp {
    let [low, high] = stamp.seed;
    Stamp { seed: [low.wrapping_add(number as u64), high], ..stamp }
}

fn place(event: &Event) -> Cursor {
    (event.position, event.ordinal)
}

fn name(event: &Event) -> String {
    format!("{}.{}", crate::Position(event.position), event.ordinal)
}

/// The lane of a subject: the same on every node and in every version.
fn lane_of(subject: &str, lanes: i64) -> i64 {
    let hash = blake3::hash(subject.as_bytes());
    let bytes = &hash.as_bytes()[..4];
    let number = bytes.iter().fold(0i64, |all, byte| all << 8 | i64::from(*byte));
    number % lanes.max(1)
}
