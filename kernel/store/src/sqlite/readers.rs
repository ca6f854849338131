//! Readers: queries on snapshots.
//!
//! A query starts on the thread that asks, with a small budget: most look up a few rows, and a
//! hand-over to another thread would cost more than they do. One that outgrows the budget is
//! interrupted and run again from the start in the scan lane, whose threads have time.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use futures::future::BoxFuture;
use rusqlite::Connection;
use stoa_kit::session::Stamp;
use stoa_kit::world::Thread;
use stoa_kit::{Error, Result};
use tokio::sync::oneshot;

use super::session::{SqliteSession, translate};
use super::{Budget, Shared, connect};
use crate::inspect::Statement;
use crate::known::Known;
use crate::{Read, run};

/// How long a query may hold up the thread that asks.
const INLINE_BUDGET: Duration = Duration::from_millis(4);
/// How long a query may take in all.
const SCAN_BUDGET: Duration = Duration::from_secs(20);
/// Threads of the scan lane.
const SCANNERS: usize = 2;
/// Queries that may wait for the scan lane.
const SCANS_WAITING: usize = 256;
/// Virtual-machine steps between two looks at the budget.
const STEPS: i32 = 1_000;

/// Holds new snapshots back for the moment in which the rest of the log is copied. Queries of
/// the scan lane pass it by: the writer must not wait for them.
#[derive(Default)]
pub(super) struct Gate(RwLock<()>);

impl Gate {
    pub(super) fn hold(&self) -> RwLockWriteGuard<'_, ()> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self) -> RwLockReadGuard<'_, ()> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection for queries.
struct Reader {
    connection: Connection,
    known: Known<Statement>,
    budget: Arc<Budget>,
}

/// A query in the scan lane.
struct Scan {
    read: Read<()>,
    done: oneshot::Sender<Result<()>>,
}

/// Every reader of a database.
pub(super) struct Readers {
    shared: Arc<Shared>,
    gate: Arc<Gate>,
    idle: Mutex<Vec<Reader>>,
    scans: Mutex<Option<SyncSender<Scan>>>,
    closed: AtomicBool,
}

impl Readers {
    pub(super) fn new(shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self {
            shared,
            gate: Arc::default(),
            idle: Mutex::default(),
            scans: Mutex::default(),
            closed: AtomicBool::new(false),
        })
    }

    pub(super) fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }

    /// Starts the scan lane.
    pub(super) fn start(self: &Arc<Self>) -> Result<Vec<Thread>> {
        let (send, receive) = sync_channel(SCANS_WAITING);
        *self.scans.lock().unwrap_or_else(PoisonError::into_inner) = Some(send);
        let receive = Arc::new(Mutex::new(receive));
        (0..SCANNERS)
            .map(|_| {
                let (this, receive) = (Arc::clone(self), Arc::clone(&receive));
                let lane = move || this.lane(&receive);
                self.shared.world.thread("stoa-scan", Box::new(lane))
            })
            .collect()
    }

    /// Lets the scan lane finish what it has.
    pub(super) fn close(&self) {
        self.closed.store(true, Release);
        self.scans.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Waits for the queries that still run on the threads that asked, and closes every connection.
    pub(super) fn end(&self) {
        let _held = self.gate.hold();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Runs a query.
    pub(super) fn read(&self, mut read: Read<()>) -> BoxFuture<'static, Result<()>> {
        self.shared.metrics.reads.fetch_add(1, Relaxed);
        match self.once(&mut read, INLINE_BUDGET) {
            Err(error) if error.reason() == "store.too_slow" => self.scan(read),
            outcome => Box::pin(std::future::ready(outcome)),
        }
    }

    fn scan(&self, read: Read<()>) -> BoxFuture<'static, Result<()>> {
        self.shared.metrics.scans.fetch_add(1, Relaxed);
        let (done, wait) = oneshot::channel();
        let scans = self.scans.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = scans.as_ref().map(|lane| lane.try_send(Scan { read, done }));
        let refused = match sent {
            Some(Ok(())) => {
                return Box::pin(async move {
                    wait.await.unwrap_or_else(|_| Err(Error::internal("a scan panicked")))
                });
            }
            Some(Err(TrySendError::Full(_))) => Error::exhausted(
                "store.scans_full",
                "too many long queries wait",
                Duration::from_secs(1),
            ),
            Some(Err(TrySendError::Disconnected(_))) | None => {
                Error::unavailable("store.closed", "the store is closing")
            }
        };
        Box::pin(std::future::ready(Err(refused)))
    }

    fn lane(&self, receive: &Mutex<Receiver<Scan>>) {
        loop {
            let next = receive.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(Scan { mut read, done }) = next else { return };
            // Whoever stopped waiting does not miss the result.
            let _ = done.send(self.once(&mut read, SCAN_BUDGET));
        }
    }

    fn once(&self, read: &mut Read<()>, budget: Duration) -> Result<()> {
        self.is_open()?;
        let entered = (budget == INLINE_BUDGET).then(|| self.gate.enter());
        // Whoever has entered is waited for.
        self.is_open()?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => self.open()?,
        };
        reader.budget.start(&self.shared, budget);
        let outcome = self.snapshot(&mut reader, read);
        reader.budget.stop();
        // A reader whose snapshot would not end is thrown away.
        if reader.connection.is_autocommit() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        }
        drop(entered);
        outcome
    }

    fn is_open(&self) -> Result<()> {
        if self.closed.load(Acquire) {
            return Err(Error::unavailable("store.closed", "the store is closing"));
        }
        Ok(())
    }

    fn snapshot(&self, reader: &mut Reader, read: &mut Read<()>) -> Result<()> {
        let Reader { connection, known, .. } = reader;
        let plain = |sql: &str| -> Result<()> {
            let run = || connection.prepare_cached(sql)?.raw_execute();
            run().map(|_| ()).map_err(|error| translate(&error))
        };
        // Before the snapshot, which is not older than that.
        let position = self.shared.position.load(Acquire);
        plain("BEGIN")?;
        // The snapshot is that of the first look at the database, and the time is told after it:
        // a commit in between would be seen, and be younger than now.
        let look = || connection.prepare_cached("PRAGMA data_version")?.exists([]);
        look().map_err(|error| translate(&error))?;
        let now = self.shared.clock.now(self.shared.world.as_ref());
        let stamp = Stamp { now, seed: [0, 0] };
        let inspector = &self.shared.inspector;
        let mut session = SqliteSession::new(connection, inspector, known, position, false);
        let outcome = run::unwound(|| read(&mut session, stamp));
        plain("ROLLBACK")?;
        outcome
    }

    fn open(&self) -> Result<Reader> {
        let mut connection = connect(&self.shared, false)?;
        let budget = Arc::new(Budget::default());
        let (bound, world) = (Arc::clone(&budget), Arc::clone(&self.shared.world));
        connection
            .progress_handler(STEPS, Some(move || bound.is_spent(world.uptime())))
            .map_err(|error| translate(&error))?;
        Ok(Reader { connection, known: Known::default(), budget })
    }
}
