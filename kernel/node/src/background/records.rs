//! The records of commits, handed on in their order to the services that take them.
//!
//! What was taken, and how far, is one commit, and a position is taken only once nothing below it can
//! appear any more: so none is left out, none is taken twice, and whoever takes them meets them in the
//! one order that there is. A commit wakes nobody here: its record is taken within a second, with all that
//! came beside it, so that a node under load makes few commits for it, and large ones.
//!
//! As with [events](super::subscriptions), nodes share the work by patience, and the cursor lets one win
//! where two are at it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Duration;

use futures::future::BoxFuture;
use stoa_kit::registry::ServiceId;
use stoa_kit::session::{Session, Stamp};
use stoa_kit::tx::Run;
use stoa_kit::{Caller, Cause, Micros, Recorded, Result, Take};
use stoa_store::{Notice, Outcome, kernel};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use super::{Why, Work, overtaken, react};
use crate::{Node, Position};

/// Records handed on at once.
const CHUNK: i64 = 128;
/// How long records wait for the node that took the ones before.
const PATIENCE: Duration = Duration::from_secs(3);

/// All that takes records, for every tenant.
pub(super) struct Records {
    node: Arc<Node>,
    takers: Vec<Arc<Taker>>,
    notices: Receiver<Notice>,
    /// Tenants to look at, and the position up to which there is something to see.
    stirred: BTreeMap<Arc<str>, i64>,
    /// Records that are handed on at once: fewer after it failed, for it may have been too slow.
    chunk: i64,
    /// Where somebody else is waited for, and since when.
    waits: BTreeMap<(Arc<str>, usize), (i64, Micros)>,
}

/// What takes records in a service.
struct Taker {
    service: ServiceId,
    /// Its full name, `<service>.<name>`.
    name: String,
    label: &'static str,
    cause: Cause,
    take: Take,
}

/// How far somebody has come, and what comes next.
struct Stand {
    cursor: i64,
    holder: String,
    next: Vec<(i64, Recorded)>,
}

/// What became of the records that there were.
enum Taken {
    All,
    /// There may be more that can be taken at once.
    Some,
    /// They are another node's to take.
    None,
}

impl Records {
    pub(super) async fn new(node: &Arc<Node>) -> Result<Self> {
        let notices = node.store().notices();
        let mut takers = Vec::new();
        for (number, service) in node.registry().services().iter().enumerate() {
            if let Some(records) = &service.records {
                let name = format!("{}.{}", service.name, records.name);
                takers.push(Arc::new(Taker {
                    service: ServiceId(number as u16),
                    cause: Cause::Records(name.clone()),
                    name,
                    label: records.name,
                    take: records.take,
                }));
            }
        }
        let mut this = Self {
            node: Arc::clone(node),
            takers,
            notices,
            stirred: BTreeMap::new(),
            chunk: CHUNK,
            waits: BTreeMap::new(),
        };
        this.stir_all().await?;
        Ok(this)
    }

    /// Hands on what waits, a chunk for each tenant and taker; true if there may be more. What fails for
    /// one keeps no other from its turn.
    pub(super) async fn step(&mut self) -> Result<bool> {
        if self.takers.is_empty() {
            return Ok(false);
        }
        self.listen().await?;
        let tenants = self.node.tenants().await?;
        let settled = self.node.store().settled().await?;
        let stirred: Vec<_> =
            self.stirred.iter().map(|(tenant, until)| (Arc::clone(tenant), *until)).collect();
        let mut outcome = Ok(false);
        for (tenant, until) in stirred.iter().filter(|(tenant, _)| tenants.active(tenant).is_ok()) {
            let mut over = settled >= *until;
            for place in 0..self.takers.len() {
                match self.take(tenant, place, settled).await {
                    Ok(taken) => {
                        over &= matches!(taken, Taken::All);
                        let more = matches!(taken, Taken::Some);
                        outcome = outcome.map(|any| any | more);
                    }
                    Err(error) => {
                        over = false;
                        outcome = outcome.and(Err(error));
                    }
                }
            }
            if over {
                self.stirred.remove(tenant);
            }
        }
        outcome
    }

    async fn take(&mut self, tenant: &Arc<str>, place: usize, settled: i64) -> Result<Taken> {
        let taker = Arc::clone(&self.takers[place]);
        let (of, by) = (Arc::clone(tenant), Arc::clone(&taker));
        let chunk = self.chunk;
        let look = move |session: &mut dyn Session, _| stand(session, &of, &by, (settled, chunk));
        let Stand { cursor, holder, next } = self.node.read(None, look).await?;
        if next.is_empty() {
            self.waits.remove(&(Arc::clone(tenant), place));
            return Ok(Taken::All);
        }
        if !holder.is_empty() && *holder != **self.node.name() {
            let now = self.node.store().lease_now().await?;
            let waits = self.waits.entry((Arc::clone(tenant), place)).or_insert((cursor, now));
            if waits.0 != cursor || waits.1 > now {
                *waits = (cursor, now);
            }
            if now.since(waits.1) < PATIENCE {
                return Ok(Taken::None);
            }
        }
        let (registry, of) = (Arc::clone(self.node.registry()), Arc::clone(tenant));
        let (own, by) = (Arc::clone(self.node.name()), Arc::clone(&taker));
        let (positions, records): (Vec<i64>, Vec<Recorded>) = next.into_iter().unzip();
        let is_full = positions.len() as i64 == chunk;
        let is_partly = Arc::new(AtomicBool::new(false));
        let partly = Arc::clone(&is_partly);
        let run = move |session: &mut dyn Session, stamp: Stamp| {
            let (caller, cause) = (Caller::system(&of), &by.cause);
            let (registry, caller) = (&registry, &caller);
            let command = Run { registry, caller, cause, stamp, nested: false };
            let (taken, gathered) =
                command.command(session, by.service, |tx| (by.take)(tx, &records))?;
            // Who takes none would be handed the same again.
            let taken = taken.clamp(1, positions.len());
            partly.store(taken < positions.len(), Release);
            let last = positions.get(taken - 1).copied();
            advance(session, &of, &by.name, (cursor, last.unwrap_or(cursor)), &own)?;
            Ok(Outcome { reply: None, gathered })
        };
        let done = react(&self.node, tenant, Why::of(&taker.cause), taker.label, run).await;
        self.chunk = if done.is_ok() { (chunk * 2).min(CHUNK) } else { (chunk / 2).max(1) };
        match done {
            Ok(_) if is_full || is_partly.load(Acquire) => Ok(Taken::Some),
            Ok(_) => Ok(Taken::All),
            Err(error) if error.reason() == "background.overtaken" => Ok(Taken::None),
            Err(error) => Err(error),
        }
    }

    /// Hears whose commits there were.
    async fn listen(&mut self) -> Result<()> {
        let mut all = false;
        loop {
            match self.notices.try_recv() {
                Ok(notice) => {
                    for tenant in notice.tenants {
                        let until = self.stirred.entry(tenant).or_default();
                        *until = notice.position.max(*until);
                    }
                }
                Err(TryRecvError::Lagged(_)) => all = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if all { self.stir_all().await } else { Ok(()) }
    }

    async fn stir_all(&mut self) -> Result<()> {
        let tenants = self.node.tenants().await?;
        for tenant in tenants.names() {
            self.stirred.entry(Arc::clone(tenant)).or_default();
        }
        Ok(())
    }
}

/// Reads how far somebody has come, and what comes next.
fn stand(
    session: &mut dyn Session, tenant: &str, by: &Taker, (settled, chunk): (i64, i64),
) -> Result<Stand> {
    const CURSOR: &str = "SELECT position, holder FROM stoa_cursor WHERE tenant = :tenant \
         AND subscription = $1 AND generation = 0 AND partition = 0";
    const NEXT: &str = "SELECT position, time, cause, caller, method, trace, tables, touched \
         FROM stoa_commit WHERE tenant = :tenant AND position > $1 AND position <= $2 \
         AND cause <> $3 ORDER BY position LIMIT $4";
    type Row = (i64, i64, String, String, String, String, String, String);
    let cursor = kernel::rows::<(i64, String)>(session, tenant, CURSOR, (&by.name,))?;
    let (cursor, holder) = cursor.into_iter().next().unwrap_or_default();
    let params = (cursor, settled, by.cause.to_string(), chunk);
    let next = kernel::rows::<Row>(session, tenant, NEXT, params)?.into_iter().map(recorded);
    Ok(Stand { cursor, holder, next: next.collect() })
}

fn recorded(
    (position, time, cause, caller, method, trace, tables, touched): (
        i64,
        i64,
        String,
        String,
        String,
        String,
        String,
        String,
    ),
) -> (i64, Recorded) {
    let table = |text| kernel::changed(text).map(|(table, rows, _)| (table.to_owned(), rows));
    let record = Recorded {
        position: Position(position).to_string(),
        time: Micros(time),
        cause,
        caller,
        method,
        trace,
        tables: tables.split_whitespace().filter_map(table).collect(),
        touched: touched.split_whitespace().map(str::to_owned).collect(),
    };
    (position, record)
}

/// Moves a cursor; refused if somebody else has moved it.
fn advance(
    session: &mut dyn Session, tenant: &str, name: &str, (from, to): (i64, i64), holder: &str,
) -> Result<()> {
    const BEGIN: &str = "INSERT INTO stoa_cursor \
         (tenant, subscription, generation, partition, position, ordinal, state, fill, holder) \
         VALUES (:tenant, $1, 0, 0, $2, 0, 'records', '', $3) \
         ON CONFLICT (tenant, subscription, generation, partition) DO NOTHING";
    const ADVANCE: &str = "UPDATE stoa_cursor SET position = $3, holder = $4 \
         WHERE tenant = :tenant AND subscription = $1 AND generation = 0 AND partition = 0 \
         AND position = $2 AND state = 'records'";
    let moved = match from {
        0 => kernel::execute(session, tenant, BEGIN, (name, to, holder))?,
        _ => kernel::execute(session, tenant, ADVANCE, (name, from, to, holder))?,
    };
    if moved == 1 { Ok(()) } else { Err(overtaken("another node took these records")) }
}

impl Work for Records {
    fn name(&self) -> &'static str {
        "records"
    }

    fn step(&mut self) -> BoxFuture<'_, Result<bool>> {
        Box::pin(Records::step(self))
    }

    fn due(&self) -> Option<Micros> {
        None
    }

    fn is_for(&self, _: &Notice) -> bool {
        false
    }
}
