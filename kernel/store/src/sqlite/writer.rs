//! The writer: one thread that makes commands durable, a batch at a time.
//!
//! Commands that wait are run one after another in one transaction and share one `fsync`. A
//! command that fails before it wrote costs nothing. One that fails after it wrote voids the
//! batch: everything is rolled back and run again, now with a savepoint around each member, so
//! that the one alone can be undone. Batches are therefore run without savepoints, whose
//! sub-journal would cost half the speed, for as long as nothing fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rusqlite::Connection;
use stoa_kit::session::{Extent, Stamp};
use stoa_kit::{Error, Result};

use super::checkpoint::copy_log;
use super::readers::Gate;
use super::session::{SqliteSession, translate};
use super::start::last;
use super::{Shared, connect};
use crate::inspect::Statement;
use crate::known::Known;
use crate::run::{self, Waiting};
use crate::timeline::{Recorded, Recorder, Timeline};
use crate::{Commit, Committed, Reply, kernel};

/// Commands in a batch at the most.
const BATCH_MAX: usize = 256;
/// How many batches stay guarded after one was void.
const GUARDED_AFTER_VOID: u32 = 16;
/// WAL bytes between two checkpoints.
pub(super) const WAL_STEP: u64 = 16 << 20;

/// A member of a batch.
struct Member {
    waiting: Waiting,
    stamp: Option<Stamp>,
    outcome: Option<Result<Committed>>,
    /// How it went, until it was recorded.
    timeline: Option<Timeline>,
}

/// Why a batch has to be run again.
enum Void {
    /// A member failed after it wrote.
    Guard,
    /// The engine gave up the whole transaction while this member ran.
    Culprit(usize),
}

/// The writer's state.
pub(super) struct Writer {
    shared: Arc<Shared>,
    connection: Connection,
    known: Known<Statement>,
    position: i64,
    guarded: u32,
    gate: Arc<Gate>,
    /// WAL bytes at which the next checkpoint begins.
    checkpoint_at: u64,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>, connection: Connection, gate: Arc<Gate>,
    ) -> Result<Self> {
        let (position, time) = last(&connection).map_err(|error| translate(&error))?;
        shared.clock.resume(time);
        Ok(Self {
            shared,
            connection,
            known: Known::default(),
            position,
            guarded: 0,
            gate,
            checkpoint_at: WAL_STEP,
        })
    }

    pub(super) fn position(&self) -> i64 {
        self.position
    }

    /// One step: waits for commands and makes them durable. False when the store closes.
    pub(super) fn step(&mut self) -> bool {
        let depth = &self.shared.metrics.queue;
        let Some(batch) = self.shared.queue.take(BATCH_MAX, depth) else { return false };
        let uptime = self.shared.world.uptime();
        let members: Vec<_> = batch
            .into_iter()
            .filter_map(|waiting| waiting.unless_late(uptime))
            .map(|waiting| Member { waiting, stamp: None, outcome: None, timeline: None })
            .collect();
        match self.shared.works() {
            Err(error) => members.into_iter().for_each(|member| release(member, Some(&error))),
            Ok(()) if members.is_empty() => {}
            Ok(()) => self.batch(members, uptime),
        }
        self.checkpoint();
        true
    }

    /// Runs a batch until it is durable, or known not to be.
    fn batch(&mut self, mut members: Vec<Member>, since: Duration) {
        self.shared.metrics.batch_last.store(members.len() as u64, Relaxed);
        let mut guarded = self.guarded > 0 || self.shared.options.rehearse;
        self.guarded = self.guarded.saturating_sub(1);
        let (mut changed, mut sealed);
        let result = loop {
            changed = Changed::default();
            let attempted = self.attempt(&mut members, guarded, &mut changed);
            sealed = self.shared.world.uptime();
            match attempted {
                Ok(None) => break self.make_durable(),
                Ok(Some(void)) => {
                    self.shared.metrics.void_batches.fetch_add(1, Relaxed);
                    self.guarded = GUARDED_AFTER_VOID;
                    guarded = true;
                    if let Err(error) = self.roll_back() {
                        break Err(error);
                    }
                    if let Void::Culprit(index) = void {
                        let culprit = members.remove(index);
                        release(culprit, None);
                    }
                }
                Err(error) => break Err(error),
            }
        };
        let metrics = &self.shared.metrics;
        metrics.batches.fetch_add(1, Relaxed);
        let spent = self.shared.world.uptime().saturating_sub(since);
        metrics.batch_us.fetch_add(spent.as_micros() as u64, Relaxed);
        // A commit to files that are gone is durable nowhere, and nobody is told of it.
        let result = result.map_err(|error| run::outcome_unknown(&error)).and_then(|()| {
            self.shared.files.are_there().inspect_err(|gone| self.shared.give_up(gone.clone()))
        });
        match result {
            Ok(()) => {
                self.publish(&members, changed);
                let (durable, commands) = (self.shared.world.uptime(), members.len() as u64);
                let timelines = members.iter_mut().filter_map(|member| member.timeline.take());
                self.shared.timelines.keep(timelines.map(|timeline| Timeline {
                    taken: since,
                    sealed,
                    durable,
                    commands,
                    ..timeline
                }));
                for member in members {
                    release(member, None);
                }
            }
            Err(error) => {
                tracing::error!(error = ?error, members = members.len(), "a batch was lost");
                let sealed = self.position;
                let recovered = self.shared.works().is_ok() && self.recover();
                // It is durable after all, and whoever follows would wait for it until the next commit.
                if recovered && self.position == sealed && !changed.tenants.is_empty() {
                    self.publish(&[], changed);
                }
                for member in members {
                    release(member, Some(&error));
                }
            }
        }
    }

    /// Runs every member once. Some: the transaction must be rolled back and run again.
    fn attempt(
        &mut self, members: &mut [Member], guarded: bool, changed: &mut Changed,
    ) -> Result<Option<Void>> {
        let before = self.position;
        self.plain("BEGIN IMMEDIATE")?;
        self.shared.options.faults.pass("begin")?;
        for (index, member) in members.iter_mut().enumerate() {
            let void = self.member(member, guarded, changed)?;
            let lost = self.connection.is_autocommit();
            if void || lost {
                self.position = before;
                if let (true, Some(Ok(_))) = (lost, &member.outcome) {
                    // It swallowed the error that ended the transaction under it.
                    member.outcome = Some(Err(Error::unavailable(
                        "store.rolled_back",
                        "the engine gave up the transaction of this command",
                    )));
                }
                return Ok(Some(if lost { Void::Culprit(index) } else { Void::Guard }));
            }
        }
        self.shared.options.faults.pass("ran")?;
        Ok(None)
    }

    /// Runs one member. True: it failed after it wrote, and nothing guards the others.
    fn member(
        &mut self, member: &mut Member, guarded: bool, changed: &mut Changed,
    ) -> Result<bool> {
        let shared = Arc::clone(&self.shared);
        let stamp = match member.stamp {
            Some(stamp) => stamp,
            None => {
                let world = shared.world.as_ref();
                *member.stamp.insert(run::stamp(world, shared.clock.stamp(world)))
            }
        };
        let commit = &mut member.waiting.commit;
        shared.watch.enter(commit.header.method, shared.world.uptime());
        shared.budget.start(&shared, shared.options.command_budget);
        let position = self.position + 1;
        let (connection, inspector) = (&self.connection, &shared.inspector);
        let (known, before) = (&mut self.known, self.position);
        let mut session = SqliteSession::new(connection, inspector, known, before, guarded);
        let started = shared.world.uptime();
        let mut outcome = if shared.options.rehearse {
            rehearse(&mut session, commit, stamp, position, started, &shared)
        } else {
            execute(&mut session, commit, stamp, position, started, &shared)
        };
        shared.budget.stop();
        shared.watch.leave();
        let (wrote, open) = (session.wrote, session.guard_open);
        if !self.connection.is_autocommit()
            && let Err(error) = session.close_guard(outcome.is_ok())
        {
            outcome = outcome.and(Err(error));
        }
        // The kernel's own housekeeping leaves no record, and so takes no position.
        let recorded = !member.waiting.commit.header.method.is_empty();
        let keeps = recorded && matches!(&outcome, Ok(done) if done.position == position);
        if keeps {
            self.position = position;
            let tenant = &member.waiting.commit.header.tenant;
            changed.tenants.insert(Arc::clone(tenant));
            for (table, (_, rows)) in session.trail.changes {
                changed.tables.entry((Arc::clone(tenant), table)).or_default().add(&rows);
            }
            if commit_has(&outcome, |done| done.events) {
                changed.events.insert(Arc::clone(tenant));
            }
            changed.jobs |= commit_has(&outcome, |done| done.jobs);
        }
        member.timeline = None;
        if let (true, Ok(done)) = (keeps, &mut outcome)
            && let Some(Recorded { ran, spans, left_out }) = done.course.take()
        {
            let (header, queued) = (&member.waiting.commit.header, member.waiting.since);
            let now = shared.world.uptime();
            member.timeline = Some(Timeline {
                tenant: Arc::clone(&header.tenant),
                position,
                asked: header.asked.unwrap_or(queued),
                queued,
                taken: ran.0,
                ran,
                recorded: now,
                sealed: now,
                durable: now,
                commands: 1,
                spans,
                left_out,
            });
        }
        if let Err(error) = &outcome
            && error.reason() == "store.position_taken"
        {
            shared.give_up(error.clone());
        }
        let failed = outcome.is_err();
        member.outcome =
            Some(outcome.map(|done| Committed { position: done.position, reply: done.reply }));
        Ok(failed && wrote && !open)
    }

    fn make_durable(&mut self) -> Result<()> {
        self.shared.options.faults.pass("commit")?;
        self.plain("COMMIT")?;
        self.shared.options.faults.pass("committed")
    }

    fn roll_back(&mut self) -> Result<()> {
        if self.connection.is_autocommit() { Ok(()) } else { self.plain("ROLLBACK") }
    }

    /// After a failed commit nothing about the connection is trusted. True if there is another one, and it
    /// is known which commit is the last.
    fn recover(&mut self) -> bool {
        let reopened = connect(&self.shared, true).and_then(|connection| {
            let (position, _) = last(&connection).map_err(|error| translate(&error))?;
            Ok((connection, position))
        });
        match reopened {
            Ok((connection, position)) => {
                self.connection = connection;
                self.known = Known::default();
                self.position = position;
                true
            }
            Err(error) => {
                tracing::error!(error = ?error, "the database could not be opened again");
                // The old connection is kept: the next batch tries, fails and comes here again.
                let _ = self.roll_back();
                false
            }
        }
    }

    fn publish(&self, members: &[Member], changed: Changed) {
        self.shared.files.mark.acknowledged(self.position);
        let done = members.iter().filter(|member| matches!(member.outcome, Some(Ok(_)))).count();
        self.shared.metrics.commits.fetch_add(done as u64, Relaxed);
        self.shared.publish(self.position, changed);
    }

    /// Keeps the log short: the bulk is copied by the checkpointer while commands run; what is
    /// left is copied here, while the gate holds new snapshots back. Once all is copied, the next
    /// commit writes from the beginning of the file again: overwriting what is there costs half
    /// of what it does to let a file grow.
    fn checkpoint(&mut self) {
        let bytes = self.shared.metrics.wal_bytes.load(Relaxed);
        if bytes < self.checkpoint_at.min(self.shared.options.wal_ceiling) {
            return;
        }
        if !self.shared.checkpointer.is_done() {
            self.shared.checkpointer.ask();
            return;
        }
        let held = self.gate.hold();
        let copied = copy_log(&self.connection);
        drop(held);
        self.shared.checkpointer.reset();
        self.checkpoint_at = bytes + WAL_STEP;
        match copied {
            Ok(true) => {
                self.checkpoint_at = WAL_STEP;
                self.shared.files.settled();
                self.shared.metrics.wal_bytes.store(0, Relaxed);
            }
            // A long query still reads from the log.
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "a checkpoint failed"),
        }
    }

    fn plain(&self, sql: &str) -> Result<()> {
        let run = || self.connection.prepare_cached(sql)?.raw_execute();
        run().map(|_| ()).map_err(|error| translate(&error))
    }
}

/// What a batch changed.
#[derive(Default)]
pub(super) struct Changed {
    pub tables: BTreeMap<(Arc<str>, Arc<str>), Extent>,
    pub tenants: BTreeSet<Arc<str>>,
    pub events: BTreeSet<Arc<str>>,
    pub jobs: bool,
}

/// A member that ran.
struct Done {
    position: i64,
    reply: Reply,
    events: bool,
    jobs: bool,
    course: Option<Recorded>,
}

fn commit_has(outcome: &Result<Done>, what: impl Fn(&Done) -> bool) -> bool {
    outcome.as_ref().is_ok_and(what)
}

/// Runs one command and writes the kernel's rows for it. There is one writer, so a key that is
/// not there now cannot appear before it is claimed at the end.
fn execute(
    session: &mut SqliteSession<'_>, commit: &mut Commit, stamp: Stamp, position: i64,
    started: Duration, shared: &Shared,
) -> Result<Done> {
    let header = &commit.header;
    if let Some(key) = &header.key
        && let Some(found) = kernel::remembered(session, &header.tenant, key)?
    {
        let (position, reply) = (found.position, kernel::replay(found));
        return Ok(Done { position, reply, events: false, jobs: false, course: None });
    }
    session.trail.recorder = Some(Recorder::new(&shared.world));
    let outcome = run::guarded(&mut commit.run, session, stamp);
    let course = session.trail.recorder.take().map(Recorder::done);
    let outcome = outcome?;
    session.trail.whole()?;
    shared.options.faults.pass("command")?;
    if let Some(key) = &header.key
        && !outcome.gathered.forgets_key
    {
        let kept = kernel::kept(key, &outcome)?;
        if !kernel::claim(session, &header.tenant, key, position, stamp.now, &kept)? {
            return Err(Error::internal("an idempotency key was claimed by nobody"));
        }
    }
    let changes = std::mem::take(&mut session.trail.changes);
    // A rehearsal compares two runs, and their durations differ.
    let ended = if shared.options.rehearse { started } else { shared.world.uptime() };
    let spent = ended.saturating_sub(started);
    let record = kernel::Record {
        position,
        now: stamp.now,
        changes: &changes,
        duration_us: spent.as_micros() as i64,
    };
    kernel::record(session, header, &outcome.gathered, &record)?;
    session.trail.changes = changes;
    shared.options.faults.pass("recorded")?;
    let (events, jobs) = (!outcome.gathered.events.is_empty(), !outcome.gathered.jobs.is_empty());
    Ok(Done { position, reply: Reply::Fresh(outcome.reply), events, jobs, course })
}

/// Runs a command, undoes it, runs it again with the order of unordered selects reversed, and
/// compares what both runs wrote.
fn rehearse(
    session: &mut SqliteSession<'_>, commit: &mut Commit, stamp: Stamp, position: i64,
    started: Duration, shared: &Shared,
) -> Result<Done> {
    session.trail.digest = Some(blake3::Hasher::new());
    let first = execute(session, commit, stamp, position, started, shared)?;
    let before = session.trail.digest.take();
    session.close_guard(false)?;
    session.trail.changes.clear();
    session.reverse(true)?;
    session.trail.digest = Some(blake3::Hasher::new());
    let second = execute(session, commit, stamp, position, started, shared);
    session.reverse(false)?;
    let after = session.trail.digest.take();
    let same = before.map(|d| d.finalize()) == after.map(|d| d.finalize());
    if first.position == position && !same {
        return Err(run::not_deterministic(commit.header.method));
    }
    second
}

fn release(member: Member, lost: Option<&Error>) {
    let outcome = match (lost, member.outcome) {
        (Some(error), _) => Err(error.clone()),
        (None, Some(outcome)) => outcome,
        (None, None) => Err(Error::internal("a command was not run")),
    };
    member.waiting.answer(outcome);
}
