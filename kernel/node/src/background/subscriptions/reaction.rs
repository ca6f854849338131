//! Handling events: what they cause and the cursor behind them are one commit.
//!
//! A batch that fails is halved until the one event at fault is alone; if that one goes on
//! failing it is parked with its subject, later events of the subject queue behind it, and all
//! others flow.

use std::sync::Arc;
use std::time::Duration;

use stoa_contract::Code;
use stoa_kit::session::{Session, Stamp};
use stoa_kit::tx::{Gathered, Run};
use stoa_kit::{Caller, Cause, Delivered, Error, Registry, Result};
use stoa_store::{Outcome, kernel};

use super::partition::{Partition, Place, Subscription};
use super::router::Reaction;
use crate::Node;
use crate::background::{Why, housekeep, is_transient, overtaken, react};

/// How often an event is tried before it is parked.
const ATTEMPTS: u32 = 3;
/// `attempts` of a parked event that people released.
const RELEASED: i64 = -1;
/// Released events that are looked at at once.
const DRAINED: i64 = 64;
/// Reactions in a row that one event may lead to. A reaction that triggers itself ends here.
const DEPTH_MAX: i64 = 16;

/// An event that waits.
#[derive(Clone)]
struct Event {
    place: Place,
    event: Delivered,
    /// The trace of the commit that appended it, for as long as its record is kept.
    trace: String,
}

/// A move of a partition's cursor.
#[derive(Clone)]
struct Move {
    reaction: Arc<Reaction>,
    generation: i64,
    number: i64,
    from: Place,
    to: Place,
    holder: Arc<str>,
}

/// Handles what waits in a partition, batch by batch until its time is up; true if there was
/// anything.
pub(super) async fn work(
    node: &Arc<Node>, partition: &mut Partition, until: Duration,
) -> Result<bool> {
    let mut worked = false;
    while !worked || node.world().uptime() < until {
        let places = partition.next();
        if places.is_empty() {
            break;
        }
        let events = fetch(node, &partition.reaction.tenant, places).await?;
        let Some(last) = events.last() else { break };
        let to = Move {
            reaction: Arc::clone(&partition.reaction),
            generation: partition.generation,
            number: partition.number,
            from: partition.cursor,
            to: last.place,
            holder: Arc::clone(node.name()),
        };
        let count = events.len();
        worked = true;
        match handle(node, &to, &events).await {
            Ok(()) => partition.handled(count, to.to),
            Err(error) if error.reason() == "background.overtaken" => break,
            Err(error) if is_transient(&error) => return Err(error),
            Err(_) if count > 1 => partition.halve(count),
            Err(error) => {
                partition.attempts += 1;
                if partition.attempts >= ATTEMPTS {
                    set_aside(node, &to, &events[0], &error).await?;
                    partition.handled(count, to.to);
                }
            }
        }
    }
    Ok(worked)
}

/// Handles a tenant's released events, each subject's in order; true if there were any.
pub(super) async fn drain(node: &Arc<Node>, of: &Arc<str>, all: &[Subscription]) -> Result<bool> {
    const WHOSE: &str = "SELECT DISTINCT subscription FROM stoa_parked \
         WHERE tenant = :tenant AND attempts = -1";
    const HEADS: &str = "SELECT subject, position, ordinal, topic, message, depth, payload \
         FROM stoa_parked WHERE tenant = :tenant AND attempts = -1 AND subscription = $1 \
         ORDER BY subject, position, ordinal LIMIT $2";
    type Row = (String, i64, i64, String, String, i64, Vec<u8>);
    let tenant = Arc::clone(of);
    let whose =
        move |session: &mut dyn Session, _| kernel::rows::<(String,)>(session, &tenant, WHOSE, ());
    let (mut worked, mut outcome) = (false, Ok(()));
    for (name,) in node.read(None, whose).await? {
        let Some(one) = all.iter().find(|one| one.reaction.name == name) else { continue };
        let tenant = Arc::clone(of);
        let heads = move |session: &mut dyn Session, _| {
            kernel::rows::<Row>(session, &tenant, HEADS, (&name, DRAINED))
        };
        let rows = node.read(None, heads).await?;
        let events = rows.into_iter().map(|row| {
            let (subject, position, ordinal, topic, message, depth, payload) = row;
            event((position, ordinal), topic, message, subject, depth, payload)
        });
        let events: Vec<Event> = events.collect();
        worked |= !events.is_empty();
        for same in events.chunk_by(|one, next| one.event.subject == next.event.subject) {
            outcome = outcome.and(release(node, &one.reaction, same).await);
        }
    }
    outcome.map(|()| worked)
}

/// Tries a subject's released events in order, until one fails.
async fn release(node: &Arc<Node>, reaction: &Arc<Reaction>, events: &[Event]) -> Result<()> {
    for event in events {
        if !again(node, reaction, event.clone()).await? {
            break;
        }
    }
    Ok(())
}

/// Tries a released event once more: gone if it succeeds, parked as before if not.
async fn again(node: &Arc<Node>, reaction: &Arc<Reaction>, event: Event) -> Result<bool> {
    const UNPARK: &str = "DELETE FROM stoa_parked WHERE tenant = :tenant \
         AND subscription = $1 AND subject = $2 AND position = $3 AND ordinal = $4";
    const FAILED: &str = "UPDATE stoa_parked SET attempts = CASE WHEN position = $3 \
         AND ordinal = $4 THEN 1 ELSE 0 END, error = CASE WHEN position = $3 \
         AND ordinal = $4 THEN $5 ELSE '' END \
         WHERE tenant = :tenant AND subscription = $1 AND subject = $2";
    let (registry, tenant) = (Arc::clone(node.registry()), Arc::clone(&reaction.tenant));
    let (own, again) = (Arc::clone(reaction), event.clone());
    let run = move |session: &mut dyn Session, stamp: Stamp| {
        let key = (&own.name, &again.event.subject, again.place.0, again.place.1);
        if kernel::execute(session, &tenant, UNPARK, key)? != 1 {
            return Err(overtaken("another node handled the event"));
        }
        let gathered = deliver(session, &registry, &tenant, &own, &again.event, stamp)?;
        Ok(Outcome { reply: None, gathered })
    };
    let why = why(&event);
    match react(node, &reaction.tenant, why, reaction.label, run).await {
        Ok(_) => Ok(true),
        Err(error) if error.reason() == "background.overtaken" => Ok(false),
        Err(error) if is_transient(&error) => Err(error),
        Err(error) => {
            let (own, tenant) = (Arc::clone(reaction), Arc::clone(&reaction.tenant));
            let text = error.to_string();
            housekeep(node, &reaction.tenant, move |session, _| {
                let (place, subject) = (event.place, &event.event.subject);
                let key = (&own.name, subject, place.0, place.1, &text);
                kernel::execute(session, &tenant, FAILED, key).map(|_| false)
            })
            .await
        }
    }
}

/// Fetches events from the log.
async fn fetch(node: &Node, tenant: &Arc<str>, places: Vec<Place>) -> Result<Vec<Event>> {
    const FETCH: &str = "SELECT topic, message, subject, depth, payload, \
         (SELECT c.trace FROM stoa_commit AS c WHERE c.tenant = :tenant AND c.position = $1) \
         FROM stoa_event WHERE tenant = :tenant AND position = $1 AND ordinal = $2";
    type Row = (String, String, String, i64, Vec<u8>, Option<String>);
    let tenant = Arc::clone(tenant);
    node.read(None, move |session, _| {
        let mut events = Vec::with_capacity(places.len());
        for place in &places {
            let rows = kernel::rows::<Row>(session, &tenant, FETCH, *place)?;
            // What was swept belongs to a partition that is lost; the next look will tell.
            let Some(row) = rows.into_iter().next() else { break };
            let event = event(*place, row.0, row.1, row.2, row.3, row.4);
            events.push(Event { trace: row.5.unwrap_or_default(), ..event });
        }
        Ok(events)
    })
    .await
}

/// Handles events and moves the cursor, in one commit.
async fn handle(node: &Arc<Node>, to: &Move, events: &[Event]) -> Result<()> {
    const ANY: &str = "SELECT attempts FROM stoa_parked \
         WHERE tenant = :tenant AND subscription = $1 LIMIT 1";
    const HEAD: &str = "SELECT attempts FROM stoa_parked WHERE tenant = :tenant \
         AND subscription = $1 AND subject = $2 ORDER BY position, ordinal LIMIT 1";
    let (registry, tenant) = (Arc::clone(node.registry()), Arc::clone(&to.reaction.tenant));
    let (to, label, of) = (to.clone(), to.reaction.label, Arc::clone(&tenant));
    let Some(why) = events.first().map(why) else { return Ok(()) };
    let events = events.to_vec();
    let run = move |session: &mut dyn Session, stamp: Stamp| {
        advance(session, &tenant, &to)?;
        let name = &to.reaction.name;
        let any = !kernel::rows::<(i64,)>(session, &tenant, ANY, (name,))?.is_empty();
        let mut gathered = Gathered::default();
        for (number, event) in events.iter().enumerate() {
            let subject = &event.event.subject;
            let head = match any {
                true => kernel::rows::<(i64,)>(session, &tenant, HEAD, (name, subject))?,
                false => Vec::new(),
            };
            if let Some((attempts,)) = head.first() {
                let attempts = if *attempts == RELEASED { RELEASED } else { 0 };
                park(session, &tenant, name, event, attempts, "", stamp)?;
                continue;
            }
            let stamp = part(stamp, number);
            let one = deliver(session, &registry, &tenant, &to.reaction, &event.event, stamp)?;
            gathered.events.extend(one.events);
            gathered.jobs.extend(one.jobs);
            gathered.touched.extend(one.touched);
        }
        Ok(Outcome { reply: None, gathered })
    };
    react(node, &of, why, label, run).await.map(|_| ())
}

/// Puts an event aside with its subject, and moves the cursor over it.
async fn set_aside(node: &Node, to: &Move, event: &Event, error: &Error) -> Result<()> {
    let name = &to.reaction.name;
    tracing::warn!(subscription = name, event = event.event.id, error = ?error, "parked");
    let (to, tenant) = (to.clone(), Arc::clone(&to.reaction.tenant));
    let (event, text) = (event.clone(), error.to_string());
    housekeep(node, &tenant.clone(), move |session, stamp| {
        advance(session, &tenant, &to)?;
        park(session, &tenant, &to.reaction.name, &event, ATTEMPTS.into(), &text, stamp)
    })
    .await
}

/// Moves a partition's cursor and takes the partition; refused if somebody else has moved it.
fn advance(session: &mut dyn Session, tenant: &str, to: &Move) -> Result<()> {
    const ADVANCE: &str = "UPDATE stoa_cursor SET position = $6, ordinal = $7, holder = $8 \
         WHERE tenant = :tenant AND subscription = $1 AND generation = $2 AND partition = $3 \
         AND position = $4 AND ordinal = $5 AND state = ''";
    let Move { reaction, generation, number, from, to, holder } = to;
    let params = (&reaction.name, *generation, *number, from.0, from.1, to.0, to.1, &**holder);
    match kernel::execute(session, tenant, ADVANCE, params)? {
        1 => Ok(()),
        _ => Err(overtaken("another node moved the cursor")),
    }
}

fn park(
    session: &mut dyn Session, tenant: &str, subscription: &str, event: &Event, attempts: i64,
    error: &str, stamp: Stamp,
) -> Result<()> {
    const PARK: &str = "INSERT INTO stoa_parked (tenant, subscription, subject, position, ordinal, \
         topic, message, depth, payload, attempts, error, time) \
         VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let Event { place, event, .. } = event;
    let key = (subscription, &event.subject, place.0, place.1);
    let what = (&event.topic, &event.message, event.depth, event.payload.as_slice());
    let row =
        (key.0, key.1, key.2, key.3, what.0, what.1, what.2, what.3, attempts, error, stamp.now.0);
    kernel::execute(session, tenant, PARK, row).map(|_| ())
}

/// Runs the handler for one event.
fn deliver(
    session: &mut dyn Session, registry: &Registry, tenant: &str, reaction: &Reaction,
    event: &Delivered, stamp: Stamp,
) -> Result<Gathered> {
    if event.depth > DEPTH_MAX {
        return Err(too_deep());
    }
    let subscription = &registry.service(reaction.service).subscriptions[reaction.index];
    let (caller, cause) = (Caller::system(tenant), cause(event));
    let command = Run { registry, caller: &caller, cause: &cause, stamp, nested: false };
    let handled = command.command(session, reaction.service, |tx| subscription.run(tx, event));
    handled.map(|((), gathered)| gathered)
}

/// The stamp of one event of a batch: the same time, other ids.
fn part(stamp: Stamp, number: usize) -> Stamp {
    let [low, high] = stamp.seed;
    Stamp { seed: [low.wrapping_add(number as u64), high], ..stamp }
}

fn event(
    place: Place, topic: String, message: String, subject: String, depth: i64, payload: Vec<u8>,
) -> Event {
    let id = format!("{}.{}", crate::Position(place.0), place.1);
    let event = Delivered { id, topic, message, subject, payload, depth };
    Event { place, event, trace: String::new() }
}

/// What is recorded of a reaction to an event, and to those behind it.
fn why(event: &Event) -> Why {
    Why { trace: event.trace.clone(), ..Why::of(&cause(&event.event)) }
}

fn cause(event: &Delivered) -> Cause {
    Cause::Event { id: event.id.clone(), depth: event.depth }
}

fn too_deep() -> Error {
    let message = format!("more than {DEPTH_MAX} reactions in a row led to this event");
    Error::new(Code::FailedPrecondition, "background.too_deep", message)
        .help("End the circle of reactions that trigger one another, then drop the event.")
}
