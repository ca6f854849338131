//! Firing a timer: whose turn it is, is settled in the commit that runs it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};

use stoa_contract::Format;
use stoa_kit::registry::ServiceId;
use stoa_kit::session::{Session, Stamp};
use stoa_kit::tx::Run;
use stoa_kit::{Ask, Caller, Cause, Error, Micros, Registry, Result, Timer};
use stoa_store::{Outcome, kernel};

use super::super::{CELL, Why, housekeep, is_transient, overtaken, react};
use super::{Fired, Known, Stand};
use crate::Node;

/// Asks when a timer is due in a tenant, at the time that the answer is compared with: who says "now"
/// would otherwise always be a little late.
pub(super) async fn ask_at(
    node: &Arc<Node>, tenant: &Arc<str>, service: ServiceId, ask: Ask, now: Micros,
) -> Result<Option<Micros>> {
    let (registry, tenant) = (Arc::clone(node.registry()), Arc::clone(tenant));
    let read = move |session: &mut dyn Session, stamp: Stamp| {
        due(session, &registry, &tenant, (service, ""), ask, Stamp { now, ..stamp })
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
pub(super) enum Turn {
    /// Whoever notes for the tenant that it fired, while it still stands there.
    At(Stand),
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
        match self {
            Self::At(stand) => note_fired(session, tenant, name, stand),
            Self::More => Ok(()),
            Self::If(ask) => {
                let due = due(session, registry, tenant, (service, name), ask, stamp)?;
                if due.is_none_or(|due| due > stamp.now) {
                    return Err(overtaken("another node did what was due"));
                }
                note_ran(session, tenant, name, stamp.now)
            }
        }
    }
}

/// Notes that a timer fired for a tenant; refused if it did, or does not stand there.
fn note_fired(session: &mut dyn Session, tenant: &str, name: &str, stand: Stand) -> Result<()> {
    const STANDS: &str =
        "SELECT next FROM stoa_timer WHERE tenant = :tenant AND name = $1 AND round = $2";
    const FIRED: &str = "INSERT INTO stoa_timer (tenant, name, round, last, next, schedule) \
         VALUES (:tenant, $1, $2, $3, 0, '') ON CONFLICT (tenant, name) DO UPDATE \
         SET round = excluded.round, last = excluded.last \
         WHERE stoa_timer.round < excluded.round";
    let there = kernel::rows::<(i64,)>(session, CELL, STANDS, (name, stand.round))?;
    let fired = (name, stand.round, stand.at.0);
    if there.is_empty() || kernel::execute(session, tenant, FIRED, fired)? == 0 {
        return Err(overtaken("another node fired the timer"));
    }
    Ok(())
}

/// Notes when a timer that is asked ran for a tenant.
fn note_ran(session: &mut dyn Session, tenant: &str, name: &str, now: Micros) -> Result<()> {
    const RAN: &str = "INSERT INTO stoa_timer (tenant, name, round, last, next, schedule) \
         VALUES (:tenant, $1, 0, $2, 0, '') ON CONFLICT (tenant, name) DO UPDATE \
         SET last = excluded.last";
    kernel::execute(session, tenant, RAN, (name, now.0)).map(|_| ())
}

/// Fires a timer for a tenant; a failure is logged and waits for the next time.
pub(super) async fn fire(
    node: &Arc<Node>, tenant: &Arc<str>, known: &Known, turn: Turn,
) -> Result<Fired> {
    let (service, name) = (known.service, known.name.clone());
    let Timer { method, request, .. } = known.timer.clone();
    let (registry, whose) = (Arc::clone(node.registry()), Arc::clone(tenant));
    let again = Arc::new(AtomicBool::new(false));
    let more = Arc::clone(&again);
    let run = move |session: &mut dyn Session, stamp: Stamp| {
        turn.take(session, &registry, &whose, (service, &name), stamp)?;
        let bound = registry.find(method)?;
        let request = bound.decode_request(&request, Format::Binary)?;
        let (caller, cause) = (Caller::system(&whose), Cause::Timer(name.clone()));
        let (registry, caller, cause) = (&registry, &caller, &cause);
        let command = Run { registry, caller, cause, stamp, nested: false };
        let (reply, gathered) =
            command.command(session, service, |tx| bound.run_command(tx, request.as_ref()))?;
        more.store(gathered.again, Release);
        Ok(Outcome { reply: Some(Ok(reply)), gathered })
    };
    let why = Why::of(&Cause::Timer(known.name.clone()));
    let error: Error = match react(node, tenant, why, method, run).await {
        Ok(_) => return Ok(Fired::Ran(again.load(Acquire))),
        Err(error) if error.reason() == "background.overtaken" => return Ok(Fired::Elsewhere),
        Err(error) if is_transient(&error) => return Err(error),
        Err(error) => error,
    };
    tracing::error!(timer = known.name, %tenant, error = ?error, "a timer failed");
    if let Turn::At(stand) = turn {
        let (whose, name) = (Arc::clone(tenant), known.name.clone());
        let note = move |session: &mut dyn Session, _| note_fired(session, &whose, &name, stand);
        match housekeep(node, tenant, note).await {
            Err(error) if error.reason() == "background.overtaken" => {}
            other => other?,
        }
    }
    Ok(Fired::Failed)
}

/// Moves a timer to its next time; refused if another node has.
pub(super) fn move_on(
    session: &mut dyn Session, name: &str, stand: Stand, next: Micros,
) -> Result<()> {
    const MOVE: &str = "UPDATE stoa_timer SET round = round + 1, last = $3, next = $4 \
         WHERE tenant = :tenant AND name = $1 AND round = $2";
    match kernel::execute(session, CELL, MOVE, (name, stand.round, stand.at.0, next.0))? {
        1 => Ok(()),
        _ => Err(overtaken("another node moved the timer on")),
    }
}
