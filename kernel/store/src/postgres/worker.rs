//! A worker: one thread with one connection, which makes commands durable one after another.
//!
//! A command costs two round trips besides its own statements. The first begins the transaction,
//! claims the key and asks for the transaction's identifier; the last writes the kernel's rows
//! and commits. What loses against another transaction is run again with the same stamp.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use stoa_kit::session::{Session, Stamp};
use stoa_kit::value::{Type, Value};
use stoa_kit::{Error, Result};

use super::Shared;
use super::dial::Role;
use super::lanes::LEAVE;
use super::link::{Given, Link, Step, is_crowded};
use super::session::PgSession;
use super::trouble::{Fault, is_passing};
use super::wire::encode;
use crate::timeline::{Recorded, Recorder, Timeline};
use crate::{Changes, Commit, Committed, Header, Notice, Outcome, Reply, kernel, run, written};

/// How often a command is run again after a conflict.
const RETRIES_MAX: u32 = 24;
/// How many times the budget of one statement a command has for all of them: each pays a round
/// trip, and keeps one connection of several, not the only writer.
const STATEMENTS: u32 = 4;
/// The wait before the first retry at the most, doubled for each later one.
const WAIT: Duration = Duration::from_micros(500);
/// The longest wait before a retry.
const WAIT_MAX: Duration = Duration::from_millis(40);

/// A worker's state.
pub(super) struct Worker {
    shared: Arc<Shared>,
    link: Link,
}

/// How a transaction began.
enum Begun {
    /// At this position, with this stamp; and where the key is, if there is one.
    At(i64, Stamp, Option<String>),
    /// Not at all: the command was done before.
    Before(kernel::Remembered),
}

/// A command that ran.
struct Done {
    position: i64,
    reply: Reply,
    changes: Changes,
    events: bool,
    jobs: bool,
    /// How it went, and when its record was on its way.
    course: Option<(Recorded, Duration)>,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>) -> Result<Self> {
        let link = Link::new(Arc::clone(&shared), Role::Write)?;
        Ok(Self { shared, link })
    }

    /// One step: waits for a command and makes it durable. False when the store closes.
    pub(super) fn step(&mut self) -> bool {
        let depth = &self.shared.metrics.queue;
        let Some(taken) = self.shared.queue.take(1, depth) else { return false };
        let uptime = self.shared.world.uptime();
        for mut waiting in taken.into_iter().filter_map(|waiting| waiting.unless_late(uptime)) {
            let outcome = self.commit(&mut waiting.commit, (waiting.since, uptime));
            if outcome.as_ref().is_err_and(is_crowded) && self.link.is_left_out() {
                waiting.put_back(&self.shared.queue, &self.shared.metrics);
                return self.link.rest();
            }
            waiting.answer(outcome);
        }
        true
    }

    /// Runs a command until it is durable, or failed by itself, or lost too often.
    fn commit(&mut self, commit: &mut Commit, waited: (Duration, Duration)) -> Result<Committed> {
        let shared = Arc::clone(&self.shared);
        let mut stamp = None;
        let method = commit.header.method;
        let mut twice = false;
        let mut tried = 0;
        loop {
            let started = shared.world.uptime();
            let error = match self.once(commit, &mut stamp, tried) {
                Ok(done) => {
                    shared.lanes.count(method, false);
                    let spent = shared.world.uptime().saturating_sub(started);
                    return Ok(self.publish(&commit.header, done, spent, waited));
                }
                Err(error) => error,
            };
            let again = std::mem::take(&mut self.link.duplicate) && !twice;
            twice |= again;
            if error.reason() == "store.conflict" {
                shared.lanes.count(method, true);
            }
            let late = commit.header.deadline.is_some_and(|end| end <= shared.world.uptime());
            if late || tried == RETRIES_MAX || !(again || is_passing(&error)) {
                return Err(error);
            }
            shared.metrics.retries.fetch_add(1, Relaxed);
            self.pause(tried);
            tried += 1;
            // A connection that was lost is tried once more at once; after that it is gone.
            self.link.connect()?;
        }
    }

    /// Waits a while that is different for each: whoever collided does not meet again.
    fn pause(&self, tried: u32) {
        let mut chance = [0];
        self.shared.world.entropy(&mut chance);
        let most = (WAIT * (1 << tried.min(10))).min(WAIT_MAX);
        let world = Arc::clone(&self.shared.world);
        self.link.wait(async move { world.sleep(most * u32::from(chance[0]) / 255).await });
    }

    /// Runs a command once, with the stamp of the run before it, if there was one.
    fn once(
        &mut self, commit: &mut Commit, stamp: &mut Option<Stamp>, losses: u32,
    ) -> Result<Done> {
        self.link.connect()?;
        let header = &commit.header;
        let lock = self.shared.lanes.enter(&header.tenant, header.method, losses);
        let locked = lock.is_some();
        let done = match self.begin(header, stamp, lock) {
            Ok(Begun::At(position, stamp, key)) => self.run(commit, stamp, (position, key), locked),
            Ok(Begun::Before(found)) => {
                self.abandon(locked);
                let position = found.position;
                let (reply, changes) = (kernel::replay(found), Changes::new());
                let (events, jobs, course) = (false, false, None);
                return Ok(Done { position, reply, changes, events, jobs, course });
            }
            Err(error) => Err(error),
        };
        if done.is_err() {
            self.abandon(locked);
        }
        done
    }

    /// Undoes what the transaction did, and leaves the lane.
    fn abandon(&mut self, locked: bool) {
        self.link.forget_lead();
        let undo = if locked { format!("ROLLBACK; {LEAVE}") } else { "ROLLBACK".to_owned() };
        if self.link.plain(&undo).is_err() {
            self.link.reset();
        }
    }

    /// Begins a transaction, claims the key and obtains position and time, in one round trip.
    fn begin(
        &mut self, header: &Header, stamp: &mut Option<Stamp>, lock: Option<String>,
    ) -> Result<Begun> {
        let shared = Arc::clone(&self.shared);
        let own = || (!shared.options.database_clock).then(|| shared.world.now());
        let known = stamp.map(|stamp| stamp.now).or_else(own);
        let known = known.map_or(Value::Null(Type::Int), |now| Value::Int(now.0));
        let mut steps = Vec::with_capacity(3);
        steps.extend(lock.map(Step::Plain));
        steps.push(Step::plain("BEGIN ISOLATION LEVEL SERIALIZABLE"));
        steps.push(match &header.key {
            None => Step::Identify([encode(known)]),
            Some(key) => {
                let (hash, fingerprint) = (Value::Bytes(&key.hash), Value::Bytes(&key.fingerprint));
                let life = Value::Int(i64::try_from(key.life.as_micros()).unwrap_or(i64::MAX));
                let tenant = Value::Text(&header.tenant);
                Step::Claim([known, tenant, hash, fingerprint, life].map(encode))
            }
        });
        let mut given = Given::default();
        for answer in self.link.send(steps)? {
            given = answer.map_err(|error| self.link.failed(&error, "BEGIN"))?;
        }
        shared.options.faults.pass("begin")?;
        if header.key.is_none() || given.claimed.is_some() {
            let world = shared.world.as_ref();
            let stamp = *stamp.get_or_insert_with(|| run::stamp(world, given.now));
            return Ok(Begun::At(shared.base() + given.identifier, stamp, given.claimed));
        }
        let mut session = session(&mut self.link, &shared);
        let Some(key) = &header.key else { return Err(Error::internal("there is no key")) };
        match kernel::remembered(&mut session, &header.tenant, key)? {
            Some(found) => Ok(Begun::Before(found)),
            // It went away in between, as keys do that are past their time.
            None => Err(super::conflict("a key went away while it was read")),
        }
    }

    /// Runs the command, and commits it with the kernel's rows.
    fn run(
        &mut self, commit: &mut Commit, stamp: Stamp, (position, place): (i64, Option<String>),
        locked: bool,
    ) -> Result<Done> {
        let shared = Arc::clone(&self.shared);
        let started = shared.world.uptime();
        let mut session = session(&mut self.link, &shared);
        session.trail.recorder = Some(Recorder::new(&shared.world));
        let outcome = if shared.options.rehearse {
            rehearse(&mut session, commit, stamp, &shared)
        } else {
            run::guarded(&mut commit.run, &mut session, stamp)
        };
        let course = session.trail.recorder.take().map(Recorder::done);
        // What broke the transaction counts, whatever the command made of it.
        session.trail.whole()?;
        let outcome = outcome?;
        shared.options.faults.pass("command")?;
        let header = &commit.header;
        let changes = std::mem::take(&mut session.trail.changes);
        let spent = shared.world.uptime().saturating_sub(started);
        let record = kernel::Record {
            position,
            now: stamp.now,
            changes: &changes,
            duration_us: spent.as_micros() as i64,
        };
        let forgets = outcome.gathered.forgets_key;
        if let (true, Some(key)) = (forgets, &header.key) {
            kernel::forget(&mut session, &header.tenant, key)?;
        }
        let mut rows = session
            .collect(|session| kernel::record(session, header, &outcome.gathered, &record))?;
        if let (Some(key), Some(place), false) = (&header.key, &place, forgets) {
            let kept = kernel::kept(key, &outcome)?;
            let values = [Value::Text(place), Value::Int(position), Value::Bytes(&kept)];
            rows.push(Step::Remember(values.map(encode)));
        }
        for point in ["recorded", "ran", "commit"] {
            shared.options.faults.pass(point)?;
        }
        // Marked before it is durable: the follower must not find its record and tell it too.
        if !header.method.is_empty() {
            shared.tell(position);
        }
        let recorded = shared.world.uptime();
        self.make_durable(rows, locked).inspect_err(|_| {
            shared.untell(position);
        })?;
        let gathered = &outcome.gathered;
        let (events, jobs) = (!gathered.events.is_empty(), !gathered.jobs.is_empty());
        let (reply, course) = (Reply::Fresh(outcome.reply), course.map(|all| (all, recorded)));
        Ok(Done { position, reply, changes, events, jobs, course })
    }

    /// Sends the kernel's rows and COMMIT in one go.
    ///
    /// If an answer to a row is an error, PostgreSQL has turned COMMIT into ROLLBACK. Without
    /// any answer nobody can know: also the transaction's identifier, looked up after
    /// reconnecting, may be somebody else's on a server that took over. A caller who sent a key
    /// can simply ask again.
    fn make_durable(&mut self, mut steps: Vec<Step>, locked: bool) -> Result<()> {
        // A timeout that strikes while COMMIT waits for a standby would not undo it: PostgreSQL
        // would stop waiting, and call durable what is on one machine only.
        steps.push(Step::plain("SET LOCAL statement_timeout = 0; COMMIT"));
        if locked {
            steps.push(Step::plain(LEAVE));
        }
        let mut answers = self.link.send(steps)?;
        if locked && answers.pop().is_some_and(|unlocked| unlocked.is_err()) {
            // The commit stands; the lock ends with the connection.
            self.link.reset();
        }
        let last = answers.pop();
        for answer in answers {
            let Err(error) = answer else { continue };
            let failed = self.link.failed(&error, "the kernel's rows");
            let answered = error.as_db_error().is_some();
            return Err(if answered { failed } else { self.unknown(&failed) });
        }
        match last {
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                let failed = self.link.failed(&error, "COMMIT");
                let lost = Fault::of(&error) == Fault::Lost;
                return Err(if lost { self.unknown(&failed) } else { failed });
            }
            None => return Err(Error::internal("a pipeline gave no answer")),
        }
        let committed = self.shared.options.faults.pass("committed");
        committed.map_err(|error| self.unknown(&error))
    }

    fn unknown(&mut self, cause: &Error) -> Error {
        self.link.reset();
        run::outcome_unknown(cause)
    }

    /// Counts a durable command and tells of it.
    fn publish(
        &self, header: &Header, done: Done, spent: Duration, (queued, taken): (Duration, Duration),
    ) -> Committed {
        let course = done.course.filter(|_| !header.method.is_empty());
        self.shared.timelines.keep(course.into_iter().map(|(course, recorded)| Timeline {
            tenant: Arc::clone(&header.tenant),
            position: done.position,
            asked: header.asked.unwrap_or(queued),
            queued,
            taken,
            ran: course.ran,
            recorded,
            sealed: recorded,
            durable: self.shared.world.uptime(),
            commands: 1,
            spans: course.spans,
            left_out: course.left_out,
        }));
        let metrics = &self.shared.metrics;
        metrics.commits.fetch_add(1, Relaxed);
        metrics.batches.fetch_add(1, Relaxed);
        metrics.batch_last.store(1, Relaxed);
        metrics.batch_us.fetch_add(spent.as_micros() as u64, Relaxed);
        let housekeeping = header.method.is_empty() && !done.events && !done.jobs;
        if matches!(done.reply, Reply::Fresh(_)) && !housekeeping {
            let tenant = &header.tenant;
            let tables = written(tenant, done.changes).collect();
            let events = done.events.then(|| Arc::clone(tenant)).into_iter().collect();
            let (position, jobs) = (done.position, done.jobs);
            let tenants = vec![Arc::clone(tenant)];
            self.shared.publish(Notice { position, tables, tenants, events, jobs });
        }
        Committed { position: done.position, reply: done.reply }
    }
}

fn session<'l>(link: &'l mut Link, shared: &'l Shared) -> PgSession<'l> {
    PgSession::new(link, shared, shared.options.command_budget * STATEMENTS)
}

/// Runs a command, undoes it, runs it again, and compares what both runs wrote and gathered.
fn rehearse(
    session: &mut PgSession<'_>, commit: &mut Commit, stamp: Stamp, shared: &Shared,
) -> Result<Outcome> {
    session.trail.digest = Some(blake3::Hasher::new());
    session.savepoint()?;
    let first = run::guarded(&mut commit.run, session, stamp)?;
    let before = session.trail.digest.replace(blake3::Hasher::new());
    session.rollback()?;
    session.trail.recorder = Some(Recorder::new(&shared.world));
    let second = run::guarded(&mut commit.run, session, stamp)?;
    let after = session.trail.digest.take();
    let same = before.map(|digest| digest.finalize()) == after.map(|digest| digest.finalize());
    if !same || first.gathered != second.gathered {
        return Err(run::not_deterministic(commit.header.method));
    }
    Ok(second)
}
