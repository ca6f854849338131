//! The engine beyond one machine: PostgreSQL.
//!
//! Each of a few worker threads owns a connection and runs commands from a bounded queue, one
//! after another, as SERIALIZABLE transactions; readers do the same with queries, on REPEATABLE
//! READ snapshots that cannot write. More connections would not commit more, they would only
//! collide more, so what waits, waits in the queue.
//!
//! # Positions
//!
//! A commit's position is `base + xid`: the 64-bit identifier that PostgreSQL gives the
//! transaction. Identifiers are given in order and commits become visible in another one, so a
//! position that a reader has not seen yet may lie below one that it has. What it may rely on is
//! [`settled`](crate::Engine::settled): below the oldest identifier that is still running nothing
//! can appear any more. A counter in a table would give positions without gaps, and make every
//! commit of the cell wait for the one before it. `base` is 0 until the rows are restored into
//! another server, whose identifiers begin anew; a start notices, and raises it. See
//! `docs/adr/0002-positions.md`.
//!
//! # Conflicts
//!
//! A serializable transaction conflicts with what it reads, and it reads more than it is asked
//! to: a look-up reads its page of the index, a scan the whole table. So commands do not scan
//! (`enable_seqscan`), keys are claimed by inserting them and written to by their place, and the
//! kernel's other rows are only inserted. With keys written to by key, 64 callers that each
//! insert a row of their own made 1,800 commits a second and 1,400 retries; by place, 3,500 and
//! none. What is left are rows that many change at once: [`lanes`] keeps each of them from losing
//! for ever, and [`Delta`](stoa_kit::Delta) makes inserts of the changes.

mod dial;
mod follow;
mod lanes;
mod link;
mod migrate;
mod readers;
mod session;
mod tls;
mod trouble;
mod wire;
mod worker;

use std::collections::HashSet;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use stoa_contract::Code;
use stoa_kit::world::Thread;
use stoa_kit::{Error, Micros, Result, World};
use tokio::sync::{broadcast, watch};

use crate::inspect::Inspector;
use crate::queue::Queue;
use crate::run::{self, Waiting};
use crate::schema::Schema;
use crate::timeline::Timelines;
use crate::{Commit, Committed, Engine, Metrics, Notice, Options, Read};
use dial::{Candidates, Role};
use follow::{Follower, Unseen};
use lanes::Lanes;
use link::Link;
use readers::{Errand, Reader};
use worker::Worker;

/// The server's time, in microseconds: what nodes share is timed by it alone.
const CLOCK: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
/// How far this node's clock may be from the server's before the node is not ready.
const CLOCK_OFF_MAX: Duration = Duration::from_secs(60);
/// The highest identifier below which no transaction runs any more.
const SETTLED: &str = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1";

/// What the threads of an open database share.
struct Shared {
    candidates: Candidates,
    options: Options,
    world: Arc<dyn World>,
    inspector: Inspector,
    queue: Queue<Waiting>,
    errands: Queue<Errand>,
    asked: AtomicI64,
    metrics: Metrics,
    timelines: Timelines,
    notices: broadcast::Sender<Notice>,
    lanes: Lanes,
    /// What is added to a transaction's identifier to give its position.
    base: AtomicI64,
    /// The highest position known to be durable.
    highest: AtomicI64,
    /// A position below which nothing can appear any more, as of the last look.
    settled: AtomicI64,
    /// Positions that this node tells of by itself, until the follower finds them.
    told: Mutex<HashSet<i64>>,
    down: AtomicBool,
    /// When the last look at other nodes' commits began, in microseconds of uptime.
    looked_us: AtomicU64,
    workers: AtomicUsize,
    /// Connections that stand or are being made, by their role.
    places: [AtomicUsize; 3],
    closing: watch::Sender<bool>,
}

/// An open database.
struct Postgres {
    shared: Arc<Shared>,
    threads: Mutex<Vec<Thread>>,
}

/// Opens a database.
pub(crate) fn open(
    url: &str, options: Options, schema: Schema, world: Arc<dyn World>,
) -> Result<Arc<dyn Engine>> {
    let shared = Arc::new(Shared {
        candidates: Candidates::of(url)?,
        inspector: Inspector::new(&schema)?,
        queue: Queue::new(options.queue),
        errands: Queue::new(readers::WAITING),
        asked: AtomicI64::new(0),
        options,
        world: Arc::clone(&world),
        metrics: Metrics::default(),
        timelines: Timelines::default(),
        notices: broadcast::channel(1_024).0,
        lanes: Lanes::default(),
        base: AtomicI64::new(0),
        highest: AtomicI64::new(0),
        settled: AtomicI64::new(0),
        told: Mutex::default(),
        down: AtomicBool::new(false),
        looked_us: AtomicU64::new(0),
        workers: AtomicUsize::new(0),
        places: Default::default(),
        closing: watch::Sender::new(false),
    });
    let mut link = Link::new(Arc::clone(&shared), Role::Keep)?;
    let base = migrate::migrate(&mut link, &schema, world.now())?;
    // Before anybody can ask to be told: what is committed from here on will be found.
    let looked = world.uptime();
    let unseen = Unseen::now(&mut link)?;
    shared.looked_us.store(looked.as_micros() as u64, Release);
    let settled = base + link.number(SETTLED)?;
    let pool = pool(&mut link, shared.options.pool)?;
    shared.base.store(base, Release);
    shared.highest.store(settled, Release);
    shared.settled.store(settled, Release);
    let engine = Arc::new(Postgres { shared: Arc::clone(&shared), threads: Mutex::default() });
    let mut threads = Vec::new();
    for _ in 0..Role::Write.count(pool) {
        let mut worker = Worker::new(Arc::clone(&shared))?;
        let alive = Alive::new(&shared);
        let work = move || {
            let _alive = alive;
            while worker.step() {}
        };
        threads.push(world.thread("stoa-worker", Box::new(work))?);
    }
    for _ in 0..Role::Read.count(pool) {
        let mut reader = Reader::new(Arc::clone(&shared))?;
        threads.push(world.thread("stoa-reader", Box::new(move || while reader.step() {}))?);
    }
    let mut follower = Follower::new(Arc::clone(&shared), link, unseen);
    threads.push(world.thread("stoa-follow", Box::new(move || while follower.step() {}))?);
    *engine.threads.lock().unwrap_or_else(PoisonError::into_inner) = threads;
    Ok(engine)
}

/// How many connections commit: as many as are wanted, or fewer where the database has not so many
/// for this node.
fn pool(link: &mut Link, wanted: usize) -> Result<usize> {
    const ROOM: &str = "SELECT LEAST( \
             current_setting('max_connections')::bigint \
             - current_setting('superuser_reserved_connections')::bigint, \
             NULLIF(r.rolconnlimit, -1), NULLIF(d.datconnlimit, -1)) \
         FROM pg_roles r, pg_database d \
         WHERE r.rolname = current_user AND d.datname = current_database()";
    let room = link.number(ROOM)?;
    let needs = |pool| {
        [Role::Write, Role::Read, Role::Keep].map(|role| role.count(pool)).iter().sum::<usize>()
    };
    let Some(pool) = (1..=wanted.max(1)).rev().find(|pool| needs(*pool) as i64 <= room) else {
        let what =
            format!("the database has {room} connections for this node, which needs {}", needs(1));
        return Err(Error::new(Code::FailedPrecondition, "store.no_room", what)
            .help("Raise the limit of the server, the database or the role."));
    };
    if pool < wanted {
        let wants = needs(wanted);
        tracing::warn!(
            room,
            wants,
            "the database has fewer connections than this node wants: {pool} of them commit. Raise \
             the limit of the server, the database or the role, or lower `pool`"
        );
    }
    Ok(pool)
}

/// A worker that is there, until it is not.
struct Alive(Arc<Shared>);

impl Alive {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.workers.fetch_add(1, AcqRel);
        Self(Arc::clone(shared))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.workers.fetch_sub(1, AcqRel);
    }
}

/// The database cannot be reached.
fn gone(message: &'static str) -> Error {
    Error::unavailable("store.gone", message)
}

/// Another transaction was in the way.
fn conflict(cause: &str) -> Error {
    Error::new(Code::Aborted, "store.conflict", "other commands kept changing the same rows")
        .help("Nothing was changed; retry with the same idempotency key.")
        .cause(cause)
}

impl Shared {
    fn base(&self) -> i64 {
        self.base.load(Acquire)
    }

    /// Marks a position as one that this node tells of by itself.
    fn tell(&self, position: i64) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(position);
    }

    /// Takes the mark back: the position was found, or did not become durable. False if there
    /// was none.
    fn untell(&self, position: i64) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).remove(&position)
    }

    fn publish(&self, notice: Notice) {
        let position = self.highest.fetch_max(notice.position, AcqRel).max(notice.position);
        // Nobody listening is fine.
        let _ = self.notices.send(Notice { position, ..notice });
    }

    fn close(&self) {
        self.queue.close();
        self.errands.close();
        self.closing.send_replace(true);
    }
}

impl Engine for Postgres {
    fn commit(&self, commit: Commit) -> BoxFuture<'static, Result<Committed>> {
        let now = self.shared.world.uptime();
        let accepted = Waiting::admit(&self.shared.queue, commit, &self.shared.metrics, now);
        Box::pin(async move { accepted?.await.unwrap_or_else(|_| Err(run::closed())) })
    }

    fn read(&self, position: Option<i64>, read: Read<()>) -> BoxFuture<'static, Result<()>> {
        self.shared.read(position, read)
    }

    fn notices(&self) -> broadcast::Receiver<Notice> {
        self.shared.notices.subscribe()
    }

    fn settled(&self) -> BoxFuture<'static, Result<i64>> {
        let base = self.shared.base();
        self.shared.ask(move |link| Ok(base + link.number(SETTLED)?))
    }

    fn lease_now(&self) -> BoxFuture<'static, Result<Micros>> {
        if !self.shared.options.database_clock {
            return Box::pin(std::future::ready(Ok(self.shared.world.now())));
        }
        self.shared.ask(Link::clock)
    }

    fn fresh_since(&self) -> Duration {
        Duration::from_micros(self.shared.looked_us.load(Acquire))
    }

    /// A database that is gone may come back.
    fn broken(&self) -> BoxFuture<'static, Error> {
        Box::pin(std::future::pending())
    }

    fn health(&self) -> Result<()> {
        if self.shared.workers.load(Acquire) == 0 {
            return Err(Error::unavailable("store.closed", "no worker is running"));
        }
        if self.shared.down.load(Acquire) {
            return Err(gone("the database does not answer"));
        }
        let ahead =
            Duration::from_micros(self.shared.metrics.clock_ahead_us.load(Relaxed).unsigned_abs());
        if ahead > CLOCK_OFF_MAX {
            let what = format!("this node's clock and the database's differ by {ahead:?}");
            return Err(Error::unavailable("store.clock", what)
                .help("Set the clocks of both machines by a time server."));
        }
        Ok(())
    }

    fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    fn timelines(&self) -> &Timelines {
        &self.shared.timelines
    }

    fn name(&self) -> &'static str {
        "postgres"
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        self.shared.close();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let threads = std::mem::take(&mut *threads);
        Box::pin(async move {
            let joined = tokio::task::spawn_blocking(move || {
                threads.into_iter().for_each(|thread| {
                    thread.join();
                });
            });
            // A thread that panicked is as gone as one that ended.
            let _ = joined.await;
        })
    }
}

impl Drop for Postgres {
    /// Nobody can send work any more: the threads end by themselves.
    fn drop(&mut self) {
        self.shared.close();
    }
}
