//! The embedded engine: SQLite with one writer thread that commits in groups, readers on
//! snapshots of their own, and a checkpointer that keeps the log short.

mod clock;
mod readers;
mod session;
mod writer;

use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, OpenFlags};
use stoa_contract::Code;
use stoa_kit::{Error, Micros, Result, World};
use tokio::sync::broadcast;

use crate::inspect::Inspector;
use crate::queue::Queue;
use crate::run::{self, Waiting};
use crate::schema::{self, Applied, Dialect, Schema};
use crate::{Commit, Committed, Engine, Metrics, Notice, Options, Read};
use clock::Clock;
use readers::Readers;
use session::translate;
use writer::{Changed, Writer};

/// "STOA", in the header of the database file.
const APPLICATION_ID: i32 = 0x5354_4f41;
/// Bytes of a page.
const PAGE: i64 = 4_096;
/// Bytes of a page and its header in the log.
const WAL_PAGE: u64 = PAGE as u64 + 24;
/// How long the writer may stay with one command before the node is not ready.
const OVERSTAY: Duration = Duration::from_secs(2);

/// What the threads of an open database share.
struct Shared {
    file: PathBuf,
    options: Options,
    world: Arc<dyn World>,
    inspector: Inspector,
    queue: Queue<Waiting>,
    metrics: Metrics,
    notices: broadcast::Sender<Notice>,
    position: AtomicI64,
    clock: Clock,
    budget: Arc<Budget>,
    watch: Watch,
    checkpointer: Checkpointer,
    dead: AtomicBool,
}

/// An open database.
pub(crate) struct Sqlite {
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    threads: Mutex<Vec<stoa_kit::world::Thread>>,
}

/// Opens a database in a directory.
pub(crate) fn open(
    directory: &Path,
    options: Options,
    schema: Schema,
    world: Arc<dyn World>,
) -> Result<Arc<Sqlite>> {
    std::fs::create_dir_all(directory).map_err(|error| {
        Error::unavailable("store.directory", format!("{}: {error}", directory.display()))
    })?;
    let file = directory.join("stoa.db");
    migrate(&file, &schema, world.as_ref())?;
    let inspector = Inspector::new(&schema)?;
    let queue = Queue::new(options.queue);
    let shared = Arc::new(Shared {
        file,
        options,
        inspector,
        queue,
        world: Arc::clone(&world),
        metrics: Metrics::default(),
        notices: broadcast::channel(1_024).0,
        position: AtomicI64::new(0),
        clock: Clock::default(),
        budget: Arc::default(),
        watch: Watch::default(),
        checkpointer: Checkpointer::default(),
        dead: AtomicBool::new(false),
    });
    let readers = Readers::new(Arc::clone(&shared));
    let connection = connect(&shared, true)?;
    let mut writer = Writer::new(Arc::clone(&shared), connection, readers.gate())?;
    shared.position.store(writer.position(), Release);
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
    threads.push(world.thread("stoa-checkpoint", Box::new(move || checkpoint(&copier)))?);
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
        let accepted = self
            .admit()
            .and_then(|()| Waiting::admit(&self.shared.queue, commit, &self.shared.metrics));
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

    fn health(&self) -> Result<()> {
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

    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        self.shared.queue.close();
        self.readers.close();
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

impl Drop for Sqlite {
    /// Nobody can send work any more: the threads end by themselves.
    fn drop(&mut self) {
        self.shared.queue.close();
        self.readers.close();
    }
}

impl Sqlite {
    fn admit(&self) -> Result<()> {
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
    fn publish(&self, position: i64, changed: Changed) {
        self.position.store(position, Release);
        let Changed { tables, events, jobs } = changed;
        let notice = Notice { position, tables: tables.into_iter().collect(), events, jobs };
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
    let mut connection = open_file(&shared.file, access, shared.world.as_ref())?;
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

fn open_file(file: &Path, access: OpenFlags, world: &dyn World) -> Result<Connection> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = match world.vfs() {
        Some(vfs) => Connection::open_with_flags_and_vfs(file, flags, vfs),
        None => Connection::open_with_flags(file, flags),
    };
    opened.map_err(|error| translate(&error))
}

/// Creates a database or brings it up to date; one that is not ours is not touched.
fn migrate(file: &Path, schema: &Schema, world: &dyn World) -> Result<()> {
    let access = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = open_file(file, access, world)?;
    let failed = |error: rusqlite::Error| translate(&error);
    match owner(&connection) {
        Ok(Owner::Us) => {}
        Ok(Owner::Nobody) => {
            connection.pragma_update(None, "page_size", PAGE).map_err(failed)?;
            connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(failed)?;
            connection.pragma_update(None, "encoding", "UTF-8").map_err(failed)?;
            connection.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
        }
        Ok(Owner::Another) | Err(_) => {
            return Err(schema::not_ours(&file.display().to_string()));
        }
    }
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    let due = schema.due(&applied(&connection)?)?;
    if due.is_empty() {
        return Ok(());
    }
    let script = schema::script(&due, Dialect::Sqlite, world.now())?;
    connection.execute_batch(&format!("BEGIN IMMEDIATE;\n{script}COMMIT;")).map_err(failed)
}

/// Whose a database is.
enum Owner {
    Us,
    /// It is empty: new, or its first start ended before it had written anything.
    Nobody,
    Another,
}

fn owner(connection: &Connection) -> rusqlite::Result<Owner> {
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let objects: i64 =
        connection.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (id, objects) {
        (APPLICATION_ID, _) => Owner::Us,
        (0, 0) => Owner::Nobody,
        _ => Owner::Another,
    })
}

fn applied(connection: &Connection) -> Result<Vec<Applied>> {
    const KNOWN: &str = "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'stoa_schema'";
    let read = || -> rusqlite::Result<Vec<Applied>> {
        if connection.query_row(KNOWN, [], |row| row.get::<_, i64>(0))? == 0 {
            return Ok(Vec::new());
        }
        let mut rows =
            connection.prepare("SELECT service, name, checksum, breaks FROM stoa_schema")?;
        let rows = rows.query_map([], |row| {
            Ok(Applied {
                service: row.get(0)?,
                name: row.get(1)?,
                checksum: row.get(2)?,
                breaks: row.get::<_, i64>(3)? != 0,
            })
        })?;
        rows.collect()
    };
    read().map_err(|error| translate(&error))
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

/// The hand-over between the writer, which notices that the log is long, and the thread that
/// copies most of it.
#[derive(Default)]
struct Checkpointer {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    Asked,
    Done,
    Closed,
}

impl Checkpointer {
    fn set(&self, next: State) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *state != State::Closed {
            *state = next;
        }
        self.wake.notify_all();
    }

    fn ask(&self) {
        self.set(State::Asked);
    }

    fn reset(&self) {
        self.set(State::Idle);
    }

    fn close(&self) {
        self.set(State::Closed);
    }

    fn is_done(&self) -> bool {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) == State::Done
    }

    fn wait(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self
            .wake
            .wait_while(state, |state| matches!(state, State::Idle | State::Done))
            .unwrap_or_else(PoisonError::into_inner);
        *state == State::Asked
    }
}

/// Copies the log into the database while commands run.
fn checkpoint(shared: &Arc<Shared>) {
    let mut connection = None;
    while shared.checkpointer.wait() {
        if connection.is_none() {
            connection = connect(shared, true).ok();
        }
        let copied =
            connection.as_ref().is_some_and(|connection| writer::copy_log(connection).is_ok());
        if !copied {
            connection = None;
        }
        shared.checkpointer.set(State::Done);
    }
}
