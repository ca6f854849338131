//! One connection as a [`Session`].

use std::sync::atomic::Ordering::Acquire;
use std::time::Duration;

use stoa_kit::session::{Origin, Reads, Session, Sql, Stamp};
use stoa_kit::value::{Row, Value};
use stoa_kit::{Error, Micros, Result, World};

use super::Shared;
use super::link::{Link, Step};
use super::trouble::is_passing;
use crate::run::{self, Trail};

/// One connection while a command or a query runs on it.
pub(super) struct PgSession<'l> {
    link: &'l mut Link,
    world: &'l dyn World,
    /// What the run leaves behind.
    pub trail: Trail,
    /// How long the run may still spend in SQL.
    left: Duration,
    /// An error that no savepoint can undo.
    fatal: Option<Error>,
    /// Statements to be sent later, while they are collected.
    collected: Option<Vec<Step>>,
    /// Where the time comes from.
    clock: Clock,
    /// What had settled before it began.
    position: i64,
}

/// Where the time of a run comes from.
#[derive(Clone, Copy)]
enum Clock {
    /// Its stamp.
    Stamp,
    /// The server, which has not been asked yet.
    Server,
    /// The server.
    Told(Micros),
}

impl<'l> PgSession<'l> {
    pub(super) fn new(link: &'l mut Link, shared: &'l Shared, budget: Duration) -> Self {
        let (trail, left, clock) = (Trail::default(), budget, Clock::Stamp);
        let (world, position) = (shared.world.as_ref(), shared.settled.load(Acquire));
        Self { link, world, trail, left, fatal: None, collected: None, clock, position }
    }

    /// Has the server tell the time once somebody wants to know: most queries do not, and to ask
    /// takes a round trip.
    #[must_use]
    pub(super) fn timed_by_server(mut self, timed: bool) -> Self {
        self.clock = if timed { Clock::Server } else { Clock::Stamp };
        self
    }

    /// Runs code that writes, and gives its statements instead of sending them: each seems to
    /// change no row.
    pub(super) fn collect(
        &mut self, body: impl FnOnce(&mut dyn Session) -> Result<()>,
    ) -> Result<Vec<Step>> {
        self.collected = Some(Vec::new());
        let outcome = body(self);
        let steps = self.collected.take().unwrap_or_default();
        outcome.map(|()| steps)
    }

    /// Passes a result on; an error breaks the transaction, and one of the connection the run.
    fn keep<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result
            && is_passing(error)
        {
            self.fatal.get_or_insert_with(|| error.clone());
        }
        self.trail.keep(result)
    }

    fn perform(
        &mut self, origin: Origin<'_>, sql: Sql<'_>, params: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<bool>,
    ) -> Result<u64> {
        let known = self.link.statement(origin, sql, params)?;
        self.trail.note_reads(&known.inspected, params);
        let encoded = Link::encode(&known, origin.tenant, params)?;
        if let Some(collected) = &mut self.collected {
            collected.push(Step::Bound(known, encoded));
            return Ok(0);
        }
        if self.left.is_zero() {
            return Err(run::too_slow().cause(sql.text()));
        }
        let started = self.world.uptime();
        let rows = self.link.query(&known, &encoded, each)?;
        self.trail.ran(&known.inspected, Some(started), rows);
        self.left = self.left.saturating_sub(self.world.uptime().saturating_sub(started));
        if known.inspected.writes.is_empty() {
            return Ok(0);
        }
        self.trail.note(origin, &known.inspected, params, rows);
        Ok(rows)
    }
}

impl Session for PgSession<'_> {
    fn run(
        &mut self, origin: Origin<'_>, sql: Sql<'_>, params: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<bool>,
    ) -> Result<u64> {
        self.trail.whole()?;
        let result = self.perform(origin, sql, params, each);
        self.keep(result)
    }

    /// One row is what every insert adds that does not fail; SQLite counts them.
    fn insert(&mut self, origin: Origin<'_>, sql: Sql<'_>, params: &[Value<'_>]) -> Result<()> {
        self.trail.whole()?;
        let result = self.link.statement(origin, sql, params).and_then(|known| {
            let encoded = Link::encode(&known, origin.tenant, params)?;
            self.trail.note(origin, &known.inspected, params, 1);
            self.trail.ran(&known.inspected, self.trail.begins(), 1);
            self.link.lead(Step::Bound(known, encoded));
            Ok(())
        });
        self.keep(result)
    }

    fn flush(&mut self) -> Result<()> {
        self.trail.whole()?;
        let sent = self.link.flush();
        self.keep(sent)
    }

    fn unseen(&mut self, unseen: bool) {
        self.trail.unseen = unseen;
    }

    fn enter(&mut self, path: &'static str) {
        self.trail.enter(path);
    }

    fn leave(&mut self) {
        self.trail.leave();
    }

    fn written(&self) -> Vec<(String, u64)> {
        self.trail.written()
    }

    fn savepoint(&mut self) -> Result<()> {
        // What fails from here on belongs to the attempt.
        self.flush()?;
        self.trail.savepoint();
        self.link.lead(Step::plain("SAVEPOINT attempt"));
        Ok(())
    }

    fn release(&mut self) -> Result<()> {
        self.trail.whole()?;
        self.trail.release();
        self.link.lead(Step::plain("RELEASE attempt"));
        Ok(())
    }

    fn rollback(&mut self) -> Result<()> {
        // A conflict is no outcome of what was attempted: the whole command runs again.
        if let Some(fatal) = &self.fatal {
            return Err(fatal.clone());
        }
        self.trail.rollback();
        self.link.forget_inserts();
        self.link.lead(Step::plain("ROLLBACK TO attempt; RELEASE attempt"));
        Ok(())
    }

    /// A time that the server does not tell breaks the run, which will see no more rows.
    fn now(&mut self, stamp: Stamp) -> Micros {
        if let (Clock::Server, Ok(())) = (self.clock, self.trail.whole()) {
            let told = self.link.clock();
            self.clock = self.keep(told).map_or(Clock::Stamp, Clock::Told);
        }
        match self.clock {
            Clock::Told(now) => now,
            Clock::Stamp | Clock::Server => stamp.now,
        }
    }

    fn is_serial(&self) -> bool {
        false
    }

    fn watch(&mut self) {
        self.trail.reads = Some(Reads::default());
    }

    fn reads(&mut self) -> Reads {
        self.trail.reads.take().unwrap_or_default()
    }

    fn position(&self) -> i64 {
        self.position
    }
}
