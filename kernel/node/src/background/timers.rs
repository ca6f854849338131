//! Timers: commands that run without a caller, once however many nodes there are.
//!
//! A timer that goes by the clock has a row, which moves to its next time in the commit of what it
//! did; times that passed while no node was running fire once, not once each. A timer that is due
//! when a query says so is asked, and asked again in the commit that runs it: of two nodes that
//! come at the same time the second finds nothing due, and commits nothing.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Duration;

use futures::future::BoxFuture;
use stoa_contract::Format;
use stoa_kit::registry::ServiceId;
use stoa_kit::session::{Session, Stamp};
use stoa_kit::tx::Run;
use stoa_kit::{Ask, Caller, Cause, Error, Micros, Registry, Result, Schedule, Timer, When};
use stoa_store::{Notice, Outcome, kernel};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use super::clock::Clock;
use super::{Work, housekeep, is_transient, overtaken, react};
use crate::Node;

/// The shortest time between two questions whether a timer is due, unless its last chunk was full.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest, whatever was written; and the longest wait after one that failed.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Full chunks that follow one another before others have their turn.
const CHUNKS_MAX: usize = 16;

/// Every timer of a node.
pub(super) struct Timers {
    node: Arc<Node>,
    timers: Vec<Known>,
    notices: Receiver<Notice>,
    clock: Clock,
    due: Option<Micros>,
}

/// A timer, and what this node remembers of it.
struct Known {
    service: ServiceId,
    /// Its full name, `<service>.<name>`.
    name: String,
    timer: Timer,
    /// For one that is asked: whether its service's tables may have changed since.
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
                timers.push(Known {
                    service: ServiceId(number as u16),
                    name: format!("{}.{}", service.name, timer.name),
                    timer: timer.clone(),
                    stale: true,
                    pause: Micros(i64::MIN),
                    due: None,
                    failures: 0,
                });
            }
        }
        let notices = node.store().notices();
        let this =
            Self { node: Arc::clone(node), timers, notices, clock: Clock::default(), due: None };
        this.register().await?;
        Ok(this)
    }

    /// Writes rows for timers that are new, whose schedule is another, or that stand further in
    /// the future than their schedule could put them: a clock went back then.
    async fn register(&self) -> Result<()> {
        const ROWS: &str = "SELECT name, next, schedule FROM stoa_timer WHERE tenant = :tenant \
         /* whole: there are as many as timers */";
        const REGISTER: &str = "INSERT INTO stoa_timer (tenant, name, last, next, schedule) \
             VALUES (:tenant, $1, 0, $2, $3) ON CONFLICT (tenant, name) DO UPDATE \
             SET next = excluded.next, schedule = excluded.schedule \
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
        let tenant = Arc::clone(self.node.tenant());
        let read = move |session: &mut dyn Session, _| {
            kernel::rows::<(String, i64, String)>(session, &tenant, ROWS, ())
        };
        let there = self.node.read(None, read).await?;
        rows.retain(|(name, next, words)| {
            !there.iter().any(|row| row.0 == *name && row.1 <= *next && row.2 == *words)
        });
        if rows.is_empty() {
            return Ok(());
        }
        let tenant = Arc::clone(self.node.tenant());
        housekeep(&self.node, self.node.tenant(), move |session, _| {
            for (name, next, words) in &rows {
                kernel::execute(session, &tenant, REGISTER, (name, *next, words))?;
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
        self.listen();
        let rows = self.rows().await?;
        let (mut fired, mut trouble) = (false, None);
        for known in &mut self.timers {
            let turn = match known.timer.when.clone() {
                When::By(schedule) => by(&self.node, known, &schedule, &rows, now).await,
                When::Due(ask) => when_due(&self.node, known, ask, now).await,
            };
            // What ails one timer is no reason to pass over the others.
            match turn {
                Ok(ran) => fired |= ran,
                Err(error) => {
                    (known.pause, known.stale) = (now.after(PAUSE), true);
                    known.due = Some(known.pause);
                    trouble = Some(error);
                }
            }
        }
        self.due = self.timers.iter().filter_map(|known| known.due).min();
        trouble.map_or(Ok(fired), Err)
    }

    /// Hears which tables were written since the last time.
    fn listen(&mut self) {
        loop {
            let heard = self.notices.try_recv();
            for known in &mut self.timers {
                let service = &self.node.registry().service(known.service);
                known.stale |= match &heard {
                    Ok(notice) => notice.tables.iter().any(|written| {
                        let rest = written.table.strip_prefix(service.name);
                        rest.is_some_and(|rest| rest.starts_with('_'))
                    }),
                    Err(TryRecvError::Lagged(_)) => true,
                    Err(TryRecvError::Empty | TryRecvError::Closed) => false,
                };
            }
            if matches!(heard, Err(TryRecvError::Empty | TryRecvError::Closed)) {
                return;
            }
        }
    }

    /// When each timer fires that goes by the clock.
    async fn rows(&self) -> Result<Vec<(String, i64)>> {
        const ROWS: &str = "SELECT name, next FROM stoa_timer WHERE tenant = :tenant \
         /* whole: there are as many as timers */";
        if !self.timers.iter().any(|known| matches!(known.timer.when, When::By(_))) {
            return Ok(Vec::new());
        }
        let tenant = Arc::clone(self.node.tenant());
        let read = move |session: &mut dyn Session, _| {
            kernel::rows::<(String, i64)>(session, &tenant, ROWS, ())
        };
        self.node.read(None, read).await
    }
}

/// Fires a timer that goes by the clock, if it is time; true if it was.
async fn by(
    node: &Arc<Node>, known: &mut Known, schedule: &Schedule, rows: &[(String, i64)], now: Micros,
) -> Result<bool> {
    let Some((_, at)) = rows.iter().find(|(name, _)| *name == known.name) else { return Ok(false) };
    known.due = Some(Micros(*at));
    if Micros(*at) > now {
        return Ok(false);
    }
    let next = schedule.next(now)?;
    let mut fired = fire(node, known, Turn::At(Micros(*at), next)).await?;
    for _ in 0..CHUNKS_MAX {
        if fired != Fired::Ran(true) {
            break;
        }
        fired = fire(node, known, Turn::More).await?;
    }
    known.due = Some(next);
    Ok(true)
}

/// Fires a timer that is asked, if it is due; true if it was.
async fn when_due(node: &Arc<Node>, known: &mut Known, ask: Ask, now: Micros) -> Result<bool> {
    if known.rests(now) {
        return Ok(false);
    }
    known.stale = false;
    known.pause = now.after(PAUSE);
    let due = asked(node, known.service, ask).await?;
    if due.is_none_or(|due| due > now) {
        known.due = due.map(|due| due.max(known.pause));
        return Ok(false);
    }
    // What it does is a reason to ask again, after a pause.
    known.stale = true;
    for _ in 0..CHUNKS_MAX {
        let fired = fire(node, known, Turn::If(ask)).await?;
        known.failures = if fired == Fired::Failed { known.failures + 1 } else { 0 };
        if fired != Fired::Ran(true) {
            known.pause = now.after((PAUSE * (1 << known.failures.min(6))).min(PAUSE_MAX));
            known.due = Some(known.pause);
            return Ok(fired != Fired::Failed);
        }
    }
    // There is more, and others have their turn first.
    (known.pause, known.due) = (now, Some(now));
    Ok(true)
}

impl Known {
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
}

/// Asks when a timer is due.
async fn asked(node: &Arc<Node>, service: ServiceId, ask: Ask) -> Result<Option<Micros>> {
    let (registry, tenant) = (Arc::clone(node.registry()), Arc::clone(node.tenant()));
    let read = move |session: &mut dyn Session, stamp: Stamp| {
        due(session, &registry, &tenant, (service, ""), ask, stamp)
    };
    node.read(None, read).await
}

fn due(
    session: &mut dyn Session, registry: &Registry, tenant: &str,
    (service, timer): (ServiceId, &str), ask: Ask, stamp: Stamp,
) -> Result<Option<Micros>> {
    let (caller, cause) = (Caller::system(tenant), Cause::Timer(timer.to_owned()));
    let query = Run { registry, caller: &caller, cause: &cause, stamp, nested: false };
    query.query(session, service, ask)
}

/// Whose turn it is that fires, to be settled in the commit itself.
#[derive(Clone, Copy)]
enum Turn {
    /// Whoever moves the row from one time to the next.
    At(Micros, Micros),
    /// Whoever finds it due.
    If(Ask),
    /// Whoever ran the chunk before.
    More,
}

impl Turn {
    fn take(
        self, session: &mut dyn Session, registry: &Registry, tenant: &str,
        (service, name): (ServiceId, &str), stamp: Stamp,
    ) -> Result<()> {
        const RAN: &str = "UPDATE stoa_timer SET last = $2 WHERE tenant = :tenant AND name = $1";
        match self {
            Self::At(at, next) => move_on(session, tenant, name, at, next),
            Self::More => Ok(()),
            Self::If(ask) => {
                let due = due(session, registry, tenant, (service, name), ask, stamp)?;
                if due.is_none_or(|due| due > stamp.now) {
                    return Err(overtaken("another node did what was due"));
                }
                kernel::execute(session, tenant, RAN, (name, stamp.now.0)).map(|_| ())
            }
        }
    }
}

/// Fires a timer; a failure is logged and waits for the next time.
async fn fire(node: &Arc<Node>, known: &Known, turn: Turn) -> Result<Fired> {
    let (service, name) = (known.service, known.name.clone());
    let Timer { method, request, .. } = known.timer.clone();
    let (registry, tenant) = (Arc::clone(node.registry()), Arc::clone(node.tenant()));
    let again = Arc::new(AtomicBool::new(false));
    let more = Arc::clone(&again);
    let run = move |session: &mut dyn Session, stamp: Stamp| {
        turn.take(session, &registry, &tenant, (service, &name), stamp)?;
        let bound = registry.method(method).ok_or_else(|| crate::call::unknown(method))?;
        let request = bound.decode_request(&request, Format::Binary)?;
        let (caller, cause) = (Caller::system(&tenant), Cause::Timer(name.clone()));
        let (registry, caller, cause) = (&registry, &caller, &cause);
        let command = Run { registry, caller, cause, stamp, nested: false };
        let (reply, gathered) =
            command.command(session, service, |tx| bound.run_command(tx, request.as_ref()))?;
        more.store(gathered.again, Release);
        Ok(Outcome { reply: Some(reply), gathered })
    };
    let cause = Cause::Timer(known.name.clone()).to_string();
    let error: Error = match react(node, node.tenant(), cause, method, run).await {
        Ok(_) => return Ok(Fired::Ran(again.load(Acquire))),
        Err(error) if error.reason() == "background.overtaken" => return Ok(Fired::Elsewhere),
        Err(error) if is_transient(&error) => return Err(error),
        Err(error) => error,
    };
    tracing::error!(timer = known.name, error = ?error, "a timer failed");
    if let Turn::At(at, next) = turn {
        let (tenant, name) = (Arc::clone(node.tenant()), known.name.clone());
        let moved = housekeep(node, node.tenant(), move |session, _| {
            move_on(session, &tenant, &name, at, next)
        });
        match moved.await {
            Err(error) if error.reason() == "background.overtaken" => {}
            other => other?,
        }
    }
    Ok(Fired::Failed)
}

/// Moves a timer to its next time; refused if another node has.
fn move_on(
    session: &mut dyn Session, tenant: &str, name: &str, at: Micros, next: Micros,
) -> Result<()> {
    const MOVE: &str = "UPDATE stoa_timer SET last = $2, next = $3 \
         WHERE tenant = :tenant AND name = $1 AND next = $2";
    match kernel::execute(session, tenant, MOVE, (name, at.0, next.0))? {
        1 => Ok(()),
        _ => Err(overtaken("another node fired the timer")),
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
