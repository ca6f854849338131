//! Timers: commands that run by the clock, once however many nodes there are.
//!
//! A timer's row moves to its next time in the commit of what it did. Times that passed while no
//! node was running fire once, not once each.

use std::sync::Arc;

use futures::future::BoxFuture;
use stoa_contract::Format;
use stoa_kit::registry::ServiceId;
use stoa_kit::session::{Session, Stamp};
use stoa_kit::tx::Run;
use stoa_kit::{Caller, Cause, Clock, Micros, Result, Timer};
use stoa_store::{Outcome, kernel};

use super::{Work, housekeep, overtaken, react};
use crate::{Node, cron};

/// Every timer of a node.
pub(super) struct Timers {
    node: Arc<Node>,
    timers: Vec<(ServiceId, String, Timer)>,
    due: Option<Micros>,
}

impl Timers {
    pub(super) async fn new(node: &Arc<Node>) -> Result<Self> {
        let mut timers = Vec::new();
        for (number, service) in node.registry().services().iter().enumerate() {
            for timer in &service.timers {
                let name = format!("{}.{}", service.name, timer.name);
                timers.push((ServiceId(number as u16), name, timer.clone()));
            }
        }
        let this = Self { node: Arc::clone(node), timers, due: None };
        this.register().await?;
        Ok(this)
    }

    /// Writes rows for timers that are new or whose schedule is another.
    async fn register(&self) -> Result<()> {
        const REGISTER: &str = "INSERT INTO stoa_timer (tenant, name, last, next, schedule) \
             VALUES (:tenant, $1, 0, $2, $3) ON CONFLICT (tenant, name) DO UPDATE \
             SET next = excluded.next, schedule = excluded.schedule \
             WHERE stoa_timer.schedule <> excluded.schedule";
        let now = self.node.store().lease_now().await?;
        let mut rows = Vec::new();
        for (_, name, timer) in &self.timers {
            rows.push((name.clone(), cron::next(timer.schedule, now)?.0, words(timer.schedule)));
        }
        let tenant = Arc::clone(self.node.tenant());
        housekeep(&self.node, self.node.tenant(), move |session, _| {
            for (name, next, schedule) in &rows {
                kernel::execute(session, &tenant, REGISTER, (name, *next, schedule))?;
            }
            Ok(())
        })
        .await
    }

    pub(super) async fn step(&mut self) -> Result<bool> {
        const TIMERS: &str = "SELECT name, next FROM stoa_timer WHERE tenant = :tenant";
        if self.timers.is_empty() {
            return Ok(false);
        }
        let now = self.node.store().lease_now().await?;
        let tenant = Arc::clone(self.node.tenant());
        let rows = self
            .node
            .read(None, move |session, _| {
                kernel::rows::<(String, i64)>(session, &tenant, TIMERS, ())
            })
            .await?;
        let mut fired = false;
        self.due = None;
        for (name, next) in rows {
            let Some(timer) = self.timers.iter().find(|(_, known, _)| *known == name) else {
                continue;
            };
            let mut next = Micros(next);
            if next <= now {
                let after = cron::next(timer.2.schedule, now)?;
                self.fire(timer, next, after).await?;
                (next, fired) = (after, true);
            }
            self.due = Some(self.due.map_or(next, |due| due.min(next)));
        }
        Ok(fired)
    }

    /// Fires a timer; a failure is logged and waits for the next time.
    async fn fire(
        &self,
        timer: &(ServiceId, String, Timer),
        at: Micros,
        next: Micros,
    ) -> Result<()> {
        let (service, name, Timer { method, request, .. }) = timer.clone();
        let (registry, tenant) = (Arc::clone(self.node.registry()), Arc::clone(self.node.tenant()));
        let own = name.clone();
        let run = move |session: &mut dyn Session, stamp: Stamp| {
            move_on(session, &tenant, &own, at, next)?;
            let bound = registry.method(method).ok_or_else(|| crate::call::unknown(method))?;
            let request = bound.decode_request(&request, Format::Binary)?;
            let (caller, cause) = (Caller::system(&tenant), Cause::Timer(own.clone()));
            let (registry, caller, cause) = (&registry, &caller, &cause);
            let command = Run { registry, caller, cause, stamp, nested: false };
            let (reply, gathered) =
                command.command(session, service, |tx| bound.run_command(tx, request.as_ref()))?;
            Ok(Outcome { reply: Some(reply), gathered })
        };
        let cause = Cause::Timer(name.clone()).to_string();
        let error = match react(&self.node, self.node.tenant(), cause, method, run).await {
            Ok(_) => return Ok(()),
            Err(error) if error.reason() == "background.overtaken" => return Ok(()),
            Err(error) if super::is_transient(&error) => return Err(error),
            Err(error) => error,
        };
        tracing::error!(timer = name, error = ?error, "a timer failed");
        let tenant = Arc::clone(self.node.tenant());
        housekeep(&self.node, self.node.tenant(), move |session, _| {
            match move_on(session, &tenant, &name, at, next) {
                Err(error) if error.reason() == "background.overtaken" => Ok(()),
                other => other,
            }
        })
        .await
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
}

/// Moves a timer to its next time; refused if another node has.
fn move_on(
    session: &mut dyn Session,
    tenant: &str,
    name: &str,
    at: Micros,
    next: Micros,
) -> Result<()> {
    const MOVE: &str = "UPDATE stoa_timer SET last = $2, next = $3 \
         WHERE tenant = :tenant AND name = $1 AND next = $2";
    match kernel::execute(session, tenant, MOVE, (name, at.0, next.0))? {
        1 => Ok(()),
        _ => Err(overtaken("another node fired the timer")),
    }
}

fn words(schedule: Clock) -> String {
    match schedule {
        Clock::Every(interval) => format!("every {} ms", interval.as_millis()),
        Clock::Cron { expression, zone } => format!("{expression} in {zone}"),
    }
}
