//! Timers: commands that run without a caller, in every tenant once, however many nodes there are.
//!
//! A timer that goes by the clock has one row for the cell, which says when it fires next. When it
//! does, the tenants have their turn one after another, each in a commit of its own that notes it; the
//! row moves on after the last one, so that whoever comes in between goes on with those that are
//! left. Times that passed while no node was running fire once, not once each.
//!
//! A timer that is due when a query says so has no row until it ran. It is asked for a tenant once
//! after a start, whenever a commit wrote one of its service's tables there, and when the time comes
//! that it gave. It is asked again in the commit that runs it: of two nodes that come at the same time
//! the second finds nothing due, and commits nothing.

mod firing;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use stoa_kit::registry::ServiceId;
use stoa_kit::session::Session;
use stoa_kit::{Ask, Micros, Result, Timer, When};
use stoa_store::{Notice, kernel};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use super::clock::Clock;
use super::{CELL, Work, housekeep};
use crate::Node;
use crate::tenants::Tenants;
use firing::{Turn, ask_at, fire, move_on};

/// The shortest time between two questions whether a timer is due, unless its last chunk was full.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest where it gave a time; and the longest wait after one that failed.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Full chunks that follow one another before others have their turn.
const CHUNKS_MAX: usize = 16;
/// Tenants in which a timer fires, or is asked for the first time, before others have their turn.
const TURNS: usize = 64;

/// Every timer of a node.
pub(super) struct Timers {
    node: Arc<Node>,
    timers: Vec<Arc<Known>>,
    /// Timers that fire now, and the tenants that are left.
    rounds: BTreeMap<usize, Round>,
    /// What is remembered of timers that are asked, by tenant: where nothing is, nothing is due.
    asked: BTreeMap<(Arc<str>, usize), Asked>,
    /// Tenants for whom nothing was asked yet.
    strangers: VecDeque<Arc<str>>,
    notices: Receiver<Notice>,
    clock: Clock,
    due: Option<Micros>,
}

/// A timer of a service.
struct Known {
    service: ServiceId,
    /// Its full name, `<service>.<name>`.
    name: String,
    /// What its service's tables begin with.
    tables: String,
    timer: Timer,
}

/// The tenants that are left of a time at which a timer fires.
struct Round {
    stand: Stand,
    left: VecDeque<Arc<str>>,
}

/// Where a timer stands: how often it was moved, and the time that it fires at. A clock that goes back
/// comes to the same time again.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stand {
    round: i64,
    at: Micros,
}

/// What this node remembers of a timer that is asked, in a tenant.
#[derive(Clone, Copy)]
struct Asked {
    /// Whether its service's tables may have changed since.
    stale: bool,
    /// Not before this time again.
    pause: Micros,
    /// When it is due, as far as is known.
    due: Option<Micros>,
    /// How often it failed, one time after another.
    failures: u32,
}

/// What became of a timer that was due.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fired {
    /// It ran; true if it has more to do that waits for nothing.
    Ran(bool),
    /// Somebody else did.
    Elsewhere,
    /// It failed, and why was logged.
    Failed,
}

impl Timers {
    pub(super) async fn new(node: &Arc<Node>) -> Result<Self> {
        let mut timers = Vec::new();
        for (number, service) in node.registry().services().iter().enumerate() {
            for timer in &service.timers {
                timers.push(Arc::new(Known {
                    service: ServiceId(number as u16),
                    name: format!("{}.{}", service.name, timer.name),
                    tables: format!("{}_", service.name),
                    timer: timer.clone(),
                }));
            }
        }
        let notices = node.store().notices();
        let this = Self {
            strangers: node.tenants().await?.names().cloned().collect(),
            node: Arc::clone(node),
            timers,
            rounds: BTreeMap::new(),
            asked: BTreeMap::new(),
            notices,
            clock: Clock::default(),
            due: None,
        };
        this.register().await?;
        Ok(this)
    }

    /// Writes rows for timers that are new, whose schedule is another, or that stand further in
    /// the future than their schedule could put them: a clock went back then.
    async fn register(&self) -> Result<()> {
        const ROWS: &str = "SELECT name, next, schedule FROM stoa_timer WHERE tenant = :tenant \
             /* whole: there are as many as timers */";
        const REGISTER: &str = "INSERT INTO stoa_timer (tenant, name, round, last, next, schedule) \
             VALUES (:tenant, $1, 1, 0, $2, $3) ON CONFLICT (tenant, name) DO UPDATE \
             SET next = excluded.next, schedule = excluded.schedule, round = stoa_timer.round + 1 \
             WHERE stoa_timer.schedule <> excluded.schedule OR stoa_timer.next > excluded.next";
        let now = self.node.store().lease_now().await?;
        let mut rows = Vec::new();
        for known in &self.timers {
            let (next, words) = match &known.timer.when {
                When::By(schedule) => (schedule.next(now)?.0, schedule.to_string()),
                When::Due(_) => (0, "when due".to_owned()),
            };
            rows.push((known.name.clone(), next, words));
        }
        let read = move |session: &mut dyn Session, _| {
            kernel::rows::<(String, i64, String)>(session, CELL, ROWS, ())
        };
        let there = self.node.read(None, read).await?;
        rows.retain(|(name, next, words)| {
            !there.iter().any(|row| row.0 == *name && row.1 <= *next && row.2 == *words)
        });
        if rows.is_empty() {
            return Ok(());
        }
        housekeep(&self.node, CELL, move |session, _| {
            for (name, next, words) in &rows {
                kernel::execute(session, CELL, REGISTER, (name, *next, words))?;
            }
            Ok(())
        })
        .await
    }

    pub(super) async fn step(&mut self) -> Result<bool> {
        if self.timers.is_empty() {
            return Ok(false);
        }
        let now = self.clock.look(&self.node).await?;
        if self.clock.went_back {
            tracing::warn!("the clock went back: timers that stand too far ahead are moved");
            self.register().await?;
            self.clock.went_back = false;
        }
        self.listen().await?;
        let tenants = self.node.tenants().await?;
        self.greet();
        self.due = None;
        let fired = self.by_the_clock(now, &tenants).await;
        let asked = self.when_due(now, &tenants).await;
        let waits = !self.strangers.is_empty() || !self.rounds.is_empty();
        Ok(fired? | asked? | waits)
    }

    /// Hears which tables were written since the last time.
    async fn listen(&mut self) -> Result<()> {
        loop {
            match self.notices.try_recv() {
                Ok(notice) => {
                    for written in notice.tables.iter() {
                        self.written(&written.tenant, &written.table);
                    }
                }
                Err(TryRecvError::Lagged(_)) => {
                    self.strangers = self.node.tenants().await?.names().cloned().collect();
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => return Ok(()),
            }
        }
    }

    /// A table of a tenant was written: timers of its service are asked again.
    fn written(&mut self, tenant: &Arc<str>, table: &str) {
        for (index, known) in self.timers.iter().enumerate() {
            if matches!(known.timer.when, When::Due(_)) && table.starts_with(&known.tables) {
                let key = (Arc::clone(tenant), index);
                self.asked.entry(key).or_insert(Asked::NEVER).stale = true;
            }
        }
    }

    /// Has everything asked for some tenants of whom nothing is known.
    fn greet(&mut self) {
        let some = self.strangers.len().min(TURNS);
        for tenant in self.strangers.drain(..some) {
            for (index, known) in self.timers.iter().enumerate() {
                if matches!(known.timer.when, When::Due(_)) {
                    let key = (Arc::clone(&tenant), index);
                    self.asked.entry(key).or_insert(Asked::NEVER).stale = true;
                }
            }
        }
    }

    /// Fires what goes by the clock and whose time it is; true if there was anything.
    async fn by_the_clock(&mut self, now: Micros, tenants: &Tenants) -> Result<bool> {
        const ROWS: &str = "SELECT name, round, next FROM stoa_timer WHERE tenant = :tenant \
             /* whole: there are as many as timers */";
        if !self.timers.iter().any(|known| matches!(known.timer.when, When::By(_))) {
            return Ok(false);
        }
        let read = move |session: &mut dyn Session, _| {
            kernel::rows::<(String, i64, i64)>(session, CELL, ROWS, ())
        };
        let rows = self.node.read(None, read).await?.into_iter();
        let rows: BTreeMap<_, _> =
            rows.map(|(name, round, next)| (name, Stand { round, at: Micros(next) })).collect();
        let (mut fired, mut trouble) = (false, None);
        for index in 0..self.timers.len() {
            let known = Arc::clone(&self.timers[index]);
            let (When::By(schedule), Some(stand)) = (&known.timer.when, rows.get(&known.name))
            else {
                continue;
            };
            if stand.at > now {
                self.rounds.remove(&index);
                self.wants_turn(stand.at);
                continue;
            }
            fired = true;
            // What ails one timer is no reason to pass over the others.
            if let Err(error) =
                self.round((index, &known), (*stand, schedule.next(now)?), tenants).await
            {
                self.rounds.remove(&index);
                self.wants_turn(now.after(PAUSE));
                trouble = Some(error);
            }
        }
        trouble.map_or(Ok(fired), Err)
    }

    /// Fires a timer in some of the tenants that are left, and moves it on after the last.
    async fn round(
        &mut self, (index, known): (usize, &Arc<Known>), (stand, next): (Stand, Micros),
        tenants: &Tenants,
    ) -> Result<()> {
        let fresh = || Round { stand, left: tenants.names().cloned().collect() };
        let round = self.rounds.entry(index).or_insert_with(fresh);
        if round.stand != stand {
            *round = fresh();
        }
        for _ in 0..TURNS {
            let Some(tenant) = round.left.front() else { break };
            if tenants.active(tenant).is_ok() {
                let mut fired = fire(&self.node, tenant, known, Turn::At(stand)).await?;
                for _ in 0..CHUNKS_MAX {
                    if fired != Fired::Ran(true) {
                        break;
                    }
                    fired = fire(&self.node, tenant, known, Turn::More).await?;
                }
            }
            round.left.pop_front();
        }
        if !round.left.is_empty() {
            return Ok(());
        }
        self.rounds.remove(&index);
        self.wants_turn(next);
        let name = known.name.clone();
        let moved =
            housekeep(&self.node, CELL, move |session, _| move_on(session, &name, stand, next));
        match moved.await {
            Err(error) if error.reason() == "background.overtaken" => Ok(()),
            other => other,
        }
    }

    /// Asks what may be due, and fires what is; true if there was anything.
    async fn when_due(&mut self, now: Micros, tenants: &Tenants) -> Result<bool> {
        let (mut fired, mut trouble) = (false, None);
        let keys: Vec<_> = self.asked.keys().cloned().collect();
        for key in keys {
            let (Some(mut asked), true) =
                (self.asked.get(&key).copied(), tenants.active(&key.0).is_ok())
            else {
                continue;
            };
            let known = Arc::clone(&self.timers[key.1]);
            let When::Due(ask) = known.timer.when else { continue };
            match turn(&self.node, (&key.0, &known), &mut asked, ask, now).await {
                Ok(ran) => fired |= ran,
                Err(error) => {
                    (asked.pause, asked.stale) = (now.after(PAUSE), true);
                    asked.due = Some(asked.pause);
                    trouble = Some(error);
                }
            }
            match asked.is_over(now) {
                true => self.asked.remove(&key),
                false => {
                    asked.due.into_iter().for_each(|due| self.wants_turn(due));
                    self.asked.insert(key, asked)
                }
            };
        }
        trouble.map_or(Ok(fired), Err)
    }

    fn wants_turn(&mut self, at: Micros) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }
}

/// Fires a timer that is asked, if it is due; true if it was.
async fn turn(
    node: &Arc<Node>, (tenant, known): (&Arc<str>, &Known), asked: &mut Asked, ask: Ask,
    now: Micros,
) -> Result<bool> {
    if asked.rests(now) {
        return Ok(false);
    }
    asked.stale = false;
    asked.pause = now.after(PAUSE);
    let due = ask_at(node, tenant, known.service, ask, now).await?;
    if due.is_none_or(|due| due > now) {
        asked.due = due.map(|due| due.max(asked.pause));
        return Ok(false);
    }
    // What it does is a reason to ask again, after a pause.
    asked.stale = true;
    for _ in 0..CHUNKS_MAX {
        let fired = fire(node, tenant, known, Turn::If(ask)).await?;
        asked.failures = if fired == Fired::Failed { asked.failures + 1 } else { 0 };
        if fired != Fired::Ran(true) {
            asked.pause = now.after((PAUSE * (1 << asked.failures.min(6))).min(PAUSE_MAX));
            asked.due = Some(asked.pause);
            return Ok(fired != Fired::Failed);
        }
    }
    // There is more, and others have their turn first.
    (asked.pause, asked.due) = (now, Some(now));
    Ok(true)
}

impl Asked {
    /// What is known of one that was never asked.
    const NEVER: Self = Self { stale: true, pause: Micros(i64::MIN), due: None, failures: 0 };

    /// Whether it need not be asked; says when it wants its turn.
    fn rests(&mut self, now: Micros) -> bool {
        // Where a clock went back, no pause is as long as the step.
        if now < self.pause && self.pause <= now.after(PAUSE_MAX) {
            self.due = if self.stale { Some(self.pause) } else { self.due };
            return true;
        }
        let fresh = !self.stale && now < self.pause.after(PAUSE_MAX) && self.pause <= now;
        fresh && self.due.is_none_or(|due| due > now)
    }

    /// Whether there is nothing to remember.
    fn is_over(&self, now: Micros) -> bool {
        !self.stale && self.due.is_none() && self.pause <= now
    }
}

impl Work for Timers {
    fn name(&self) -> &'static str {
        "timers"
    }

    fn step(&mut self) -> BoxFuture<'_, Result<bool>> {
        Box::pin(Timers::step(self))
    }

    fn due(&self) -> Option<Micros> {
        self.due
    }

    fn now(&self) -> Option<Micros> {
        self.clock.now(&self.node)
    }

    fn is_for(&self, _: &Notice) -> bool {
        false
    }
}
