//! The embedded engine: SQLite with one writer thread that commits in groups, readers on
//! snapshots of their own, a checkpointer that keeps the log short, and a guard that looks after the
//! files.

mod backup;
mod checkpoint;
mod clock;
mod files;
mod mark;
mod readers;
mod session;
mod start;
mod writer;

use std::ffi::c_int;
use std::path::Path;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, OpenFlags};
use stoa_contract::Code;
use stoa_kit::{Error, Micros, Result, World};
use tokio::sync::{broadcast, watch};

use crate::inspect::Inspector;
use crate::queue::Queue;
use crate::run::{self, Waiting};
use crate::schema::Schema;
use crate::timeline::Timelines;
use crate::{BackedUp, Commit, Committed, Engine, Metrics, Notice, Options, Place, Read, Written};
pub(crate) use backup::back_up;
use checkpoint::Checkpointer;
use clock::Clock;
use files::Files;
use readers::Readers;
use session::translate;
use writer::{Changed, Writer};

/// Bytes of a page.
const PAGE: i64 = 4_096;
/// Bytes of a page and its header in the log.
const WAL_PAGE: u64 = PAGE as u64 + 24;
/// How often the files are looked for while nothing is written.
const FILES_EVERY: Duration = Duration::from_millis(500);
/// How long the writer may stay with one command before the node is not ready.
const OVERSTAY: Duration = Duration::from_secs(2);

/// What the threads of an open database share.
struct Shared {
    files: Files,
    options: Options,
    world: Arc<dyn World>,
    inspector: Inspector,
    queue: Queue<Waiting>,
    metrics: Metrics,
    timelines: Timelines,
    notices: broadcast::Sender<Notice>,
    position: AtomicI64,
    clock: Clock,
    budget: Arc<Budget>,
    watch: Watch,
    checkpointer: Checkpointer,
    dead: AtomicBool,
    /// Why it can never work again, once that is so.
    broken: watch::Sender<Option<Error>>,
}

/// An open database.
pub(crate) struct Sqlite {
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    threads: Mutex<Vec<stoa_kit::world::Thread>>,
}

/// Opens a database in a directory.
pub(crate) fn open(
    directory: &Path, options: Options, schema: Schema, world: Arc<dyn World>,
) -> Result<Arc<Sqlite>> {
    let files = Files::take(directory)?;
    start::prepare(&files, &options, &schema, &world)?;
    let inspector = Inspector::new(&schema)?;
    let queue = Queue::new(options.queue);
    let shared = Arc::new(Shared {
        files,
        options,
        inspector,
        queue,
        world: Arc::clone(&world),
        metrics: Metrics::default(),
        timelines: Timelines::default(),
        notices: broadcast::channel(1_024).0,
        position: AtomicI64::new(0),
        clock: Clock::default(),
        budget: Arc::default(),
        watch: Watch::default(),
        checkpointer: Checkpointer::default(),
        dead: AtomicBool::new(false),
        broken: watch::Sender::new(None),
    });
    let readers = Readers::new(Arc::clone(&shared));
    let connection = connect(&shared, true)?;
    let mut writer = Writer::new(Arc::clone(&shared), connection, readers.gate())?;
    shared.position.store(writer.position(), Release);
    shared.files.begun(writer.position());
    let mut threads = readers.start()?;
    let alive = Alive(Arc::clone(&shared));
    threads.push(world.thread(
        "stoa-writer",
        Box::new(move || {
            let _alive = alive;
            while writer.step() {}
        }),
    )?);
    let copier = Arc::clone(&shared);
    threads.push(world.thread("stoa-checkpoint", Box::new(move || checkpoint::run(&copier)))?);
    let guard = Arc::clone(&shared);
    threads.push(world.thread("stoa-files", Box::new(move || guard.watch_files()))?);
    Ok(Arc::new(Sqlite { shared, readers, threads: Mutex::new(threads) }))
}

/// Says that the writer is gone, however it went.
struct Alive(Arc<Shared>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.dead.store(true, Release);
        self.0.queue.close();
        self.0.checkpointer.close();
    }
}

impl Engine for Sqlite {
    fn commit(&self, commit: Commit) -> BoxFuture<'static, Result<Committed>> {
        let shared = &self.shared;
        let accepted = self.admit().and_then(|()| {
            Waiting::admit(&shared.queue, commit, &shared.metrics, shared.world.uptime())
        });
        Box::pin(async move { accepted?.await.unwrap_or_else(|_| Err(run::closed())) })
    }

    fn read(&self, position: Option<i64>, read: Read<()>) -> BoxFuture<'static, Result<()>> {
        // There is one database: every new snapshot holds all that was ever acknowledged.
        if position.is_some_and(|position| position > self.shared.position.load(Acquire)) {
            let ahead = Error::new(
                Code::FailedPrecondition,
                "position.unknown",
                "this position is ahead of the cell's last commit",
            )
            .help("Use a position that this cell gave.");
            return Box::pin(std::future::ready(Err(ahead)));
        }
        self.readers.read(read)
    }

    fn notices(&self) -> broadcast::Receiver<Notice> {
        self.shared.notices.subscribe()
    }

    fn settled(&self) -> BoxFuture<'static, Result<i64>> {
        Box::pin(std::future::ready(Ok(self.shared.position.load(Acquire))))
    }

    fn lease_now(&self) -> BoxFuture<'static, Result<Micros>> {
        Box::pin(std::future::ready(Ok(self.shared.clock.now(self.shared.world.as_ref()))))
    }

    /// Nobody else commits to the database: what this node knows is always young.
    fn fresh_since(&self) -> Duration {
        Duration::MAX
    }

    fn broken(&self) -> BoxFuture<'static, Error> {
        let mut broken = self.shared.broken.subscribe();
        Box::pin(async move {
            let error = broken.wait_for(Option::is_some).await.ok().and_then(|error| error.clone());
            match error {
                Some(error) => error,
                None => std::future::pending().await,
            }
        })
    }

    fn health(&self) -> Result<()> {
        self.shared.works()?;
        if self.shared.dead.load(Acquire) {
            return Err(Error::unavailable("store.closed", "the writer is not running"));
        }
        match self.shared.watch.current() {
            Some((method, since))
                if self.shared.world.uptime().saturating_sub(since) > OVERSTAY =>
            {
                Err(Error::unavailable("store.overstay", format!("the writer is kept by {method}")))
            }
            _ => Ok(()),
        }
    }

    fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    fn backed_up(&self) -> Option<BackedUp> {
        match &self.shared.options.place {
            Place::Directory(directory) => backup::backed_up(directory),
            Place::Url(_) => None,
        }
    }

    fn timelines(&self) -> &Timelines {
        &self.shared.timelines
    }

    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        self.shared.queue.close();
        self.readers.close();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let threads = std::mem::take(&mut *threads);
        let (shared, readers) = (Arc::clone(&self.shared), Arc::clone(&self.readers));
        Box::pin(async move {
            let joined = tokio::task::spawn_blocking(move || {
                threads.into_iter().for_each(|thread| {
                    thread.join();
                });
                readers.end();
                shared.end();
            });
            // A thread that panicked is as gone as one that ended.
            let _ = joined.await;
        })
    }
}

impl Drop for Sqlite {
    /// Nobody can send work any more: the threads end by themselves.
    fn drop(&mut self) {
        self.shared.queue.close();
        self.readers.close();
    }
}

impl Sqlite {
    fn admit(&self) -> Result<()> {
        self.shared.works()?;
        let wal = self.shared.metrics.wal_bytes.load(Relaxed);
        if wal > self.shared.options.wal_ceiling {
            // Commands alone make the writer look after the log, and none gets this far.
            self.shared.queue.wake();
            return Err(Error::exhausted(
                "store.wal_ceiling",
                "the write-ahead log is at its ceiling",
                Duration::from_secs(1),
            ));
        }
        Ok(())
    }
}

impl Shared {
    /// Whether it can work at all.
    fn works(&self) -> Result<()> {
        self.broken.borrow().clone().map_or(Ok(()), Err)
    }

    /// Works no more: whoever runs the node ends the process.
    fn give_up(&self, error: Error) {
        let first = self.broken.send_if_modified(|broken| {
            let first = broken.is_none();
            broken.get_or_insert_with(|| error.clone());
            first
        });
        if first {
            tracing::error!(error = ?error, "the store gives up");
        }
        self.queue.close();
        self.checkpointer.close();
    }

    /// Looks after the files while nobody writes to them.
    fn watch_files(&self) {
        while self.checkpointer.rest(FILES_EVERY) {
            if let Err(error) = self.files.are_there() {
                self.give_up(error);
            }
        }
    }

    /// Closes the database once nobody uses it any more: copies its log into it, so that the one
    /// file holds everything, and gives the directory back.
    fn end(self: &Arc<Self>) {
        let Some(_held) = self.files.give_back() else { return };
        if self.works().is_err() {
            return;
        }
        self.files.mark.unsettled();
        let ended = connect(self, true).and_then(|connection| {
            checkpoint::end_log(&connection).map_err(|error| translate(&error))
        });
        match ended {
            Ok(()) => self.files.closed(),
            Err(error) => tracing::warn!(error = ?error, "the log could not be copied at the end"),
        }
    }

    fn publish(&self, position: i64, changed: Changed) {
        self.position.store(position, Release);
        let Changed { tables, tenants, events, jobs } = changed;
        let written = |((tenant, table), rows)| Written { tenant, table, rows };
        let tables = tables.into_iter().map(written).collect();
        let tenants = tenants.into_iter().collect();
        let events = events.into_iter().collect();
        let notice = Notice { position, tables, tenants, events, jobs };
        // Nobody listening is fine.
        let _ = self.notices.send(notice);
    }
}

/// Opens one connection the way all of them are.
fn connect(shared: &Arc<Shared>, writes: bool) -> Result<Connection> {
    let access = if writes {
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
    } else {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    };
    let mut connection = start::open_file(&shared.files, access, shared.world.as_ref())?;
    let mut setup = || -> rusqlite::Result<()> {
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.pragma_update(None, "mmap_size", 0)?;
        connection.pragma_update(None, "cache_size", if writes { -32_768 } else { -8_192 })?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.set_prepared_statement_cache_capacity(2_048);
        // A plan depends on the statement alone. Otherwise some statements are parsed and planned
        // again at every run, because a value bound to them might have led to another plan: that
        // was a third of the time of a transfer.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        if writes {
            let budget = Arc::clone(&shared.budget);
            let world = Arc::clone(&shared.world);
            connection.progress_handler(2_000, Some(move || budget.is_spent(world.uptime())))?;
            connection.pragma_update(None, "journal_size_limit", 2 * writer::WAL_STEP as i64)?;
            let log = Arc::downgrade(shared);
            connection.wal_hook(Some(move |_: &mut Wal, pages: c_int| {
                if let Some(shared) = log.upgrade() {
                    let bytes = u64::from(pages.unsigned_abs()) * WAL_PAGE;
                    shared.metrics.wal_bytes.store(bytes, Relaxed);
                }
                Ok(())
            }))?;
        }
        Ok(())
    };
    setup().map_err(|error| translate(&error))?;
    Ok(connection)
}

/// A bound on the time one command may spend in SQL.
#[derive(Default)]
struct Budget {
    /// Uptime at which it is spent, in microseconds; 0 for no bound.
    until: AtomicU64,
}

impl Budget {
    fn start(&self, shared: &Shared, budget: Duration) {
        let until = shared.world.uptime() + budget;
        self.until.store(until.as_micros() as u64, Relaxed);
    }

    fn stop(&self) {
        self.until.store(0, Relaxed);
    }

    fn is_spent(&self, uptime: Duration) -> bool {
        let until = self.until.load(Relaxed);
        until != 0 && uptime.as_micros() as u64 > until
    }
}

/// Which command the writer is at, and since when.
#[derive(Default)]
struct Watch(Mutex<Option<(&'static str, Duration)>>);

impl Watch {
    fn enter(&self, method: &'static str, uptime: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((method, uptime));
    }

    fn leave(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn current(&self) -> Option<(&'static str, Duration)> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
