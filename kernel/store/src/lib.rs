//! The commit: one meaning on two engines.
//!
//! A [`Store`] takes commands as values ([`Commit`]) and makes each of them durable together
//! with its events, jobs, remembered reply and audit entry, or not at all. Queries run on one
//! consistent snapshot. What differs between SQLite and PostgreSQL stays behind this page; what
//! is the same — the kernel's own rows, idempotency, migrations, the inspection of statements —
//! is written once, beside it.
//!
//! **Invariant:** a reply leaves only after the commit that it speaks of is durable.
//!
//! **Invariant:** no statement reaches an engine that [`inspect`] has not seen: it touches only
//! tables of its own service, names the tenant, and stays within the dialect of both engines.
//!
//! **Invariant:** nothing here knows a service or a transport.

#![forbid(unsafe_code)]

pub mod inspect;
pub mod kernel;
mod known;
mod objects;
mod plan;
mod postgres;
mod queue;
mod run;
pub mod schema;
mod scopes;
mod sqlite;
mod statistics;
mod tenancy;
pub mod timeline;
mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use futures::future::BoxFuture;
pub use objects::Directory;
use stoa_contract::{AnyMessage, Code};
use stoa_kit::session::{Extent, Session, Stamp};
use stoa_kit::tx::Gathered;
use stoa_kit::{Error, Micros, Result, Seal, Service, World};

/// A command on its way to an engine.
pub struct Commit {
    /// What the commit record says about it.
    pub header: Header,
    /// The command. It may run several times; only the last run counts.
    pub run: Run,
}

/// What an engine runs: with the same rows and the same stamp it must do the same again.
pub type Run = Box<dyn FnMut(&mut dyn Session, Stamp) -> Result<Outcome> + Send>;

/// A query on its way to an engine. It may run several times; only the last run counts.
pub type Read<T> = Box<dyn FnMut(&mut dyn Session, Stamp) -> Result<T> + Send>;

/// What a commit record says about a command.
#[derive(Debug, Clone)]
pub struct Header {
    /// The tenant whose rows it changes.
    pub tenant: Arc<str>,
    /// Why it ran: `request`, `event:…`, `job:…`, `timer:…`.
    pub cause: String,
    /// Who asked.
    pub caller: Arc<str>,
    /// The path of the method; empty for the kernel's own housekeeping, which leaves no record.
    pub method: &'static str,
    /// The W3C trace it belongs to.
    pub trace: String,
    /// The idempotency key it was sent with.
    pub key: Option<Key>,
    /// Uptime at which it was asked for, where that was before it was handed over.
    pub asked: Option<Duration>,
    /// Uptime after which nobody waits for it any more.
    pub deadline: Option<Duration>,
    /// About how many bytes it keeps in the queue.
    pub bytes: usize,
}

/// An idempotency key, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// A hash over tenant, subject, method and key.
    pub hash: [u8; 16],
    /// A keyed hash over method and canonical request.
    pub fingerprint: [u8; 16],
    /// What is kept of the reply.
    pub keep: Keep,
    /// How long the reply is remembered.
    pub life: Duration,
}

/// What is kept of a reply under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// The reply.
    Reply,
    /// The reply, sealed: only who comes with the key reads it.
    Sealed(Seal),
    /// That there was one: it has fields that are secret.
    Nothing,
}

/// What a run of a command came to.
pub struct Outcome {
    /// Its reply, or the refusal that is committed in its place; none for the kernel's own work.
    pub reply: Option<Result<Box<dyn AnyMessage>>>,
    /// Events, jobs and touched keys.
    pub gathered: Gathered,
}

/// A durable command.
pub struct Committed {
    /// Where it stands among the commits of its cell.
    pub position: i64,
    /// Its reply.
    pub reply: Reply,
}

/// The reply of a durable command.
pub enum Reply {
    /// This run's own.
    Fresh(Option<Result<Box<dyn AnyMessage>>>),
    /// Remembered under the key, canonical protobuf.
    Replayed(Vec<u8>),
    /// The command happened before; its reply had secret fields and was not kept.
    Withheld,
}

/// What a commit has changed, for whoever waits for it.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The position of the youngest durable commit.
    pub position: i64,
    /// The tables written since the last notice, and whose rows.
    pub tables: Arc<[Written]>,
    /// The tenants whose commits they were.
    pub tenants: Vec<Arc<str>>,
    /// The tenants for whom events were appended.
    pub events: Vec<Arc<str>>,
    /// Whether jobs were enqueued.
    pub jobs: bool,
}

/// A table that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The tenant whose commit it was. Those of the main tenant may write rows of another one.
    pub tenant: Arc<str>,
    /// The table.
    pub table: Arc<str>,
    /// Which of its rows, never less.
    pub rows: Extent,
}

/// An engine that is open.
pub trait Engine: Send + Sync + 'static {
    /// Makes a command durable.
    fn commit(&self, commit: Commit) -> BoxFuture<'static, Result<Committed>>;

    /// Runs a query on one snapshot that holds at least everything up to `position`. The result
    /// is handed back through `read` itself.
    fn read(&self, position: Option<i64>, read: Read<()>) -> BoxFuture<'static, Result<()>>;

    /// Tells of commits, also of other nodes on the same cell within a second.
    fn notices(&self) -> tokio::sync::broadcast::Receiver<Notice>;

    /// The highest position below which no commit can appear any more.
    fn settled(&self) -> BoxFuture<'static, Result<i64>>;

    /// The time now, as stamps have it: not before that of any commit which this node knows of.
    /// Where several nodes share the database, it is the database's own.
    fn lease_now(&self) -> BoxFuture<'static, Result<stoa_kit::Micros>>;

    /// Uptime at which this node last knew of every commit of the cell, also those of other nodes:
    /// what it keeps in memory is not younger than that. Without end where there are no others.
    fn fresh_since(&self) -> Duration;

    /// Ends once the engine can never work again, with what is wrong: whoever runs it ends the
    /// process, so that somebody looks.
    fn broken(&self) -> BoxFuture<'static, Error>;

    /// Whether the engine can take work: what is wrong, if not.
    fn health(&self) -> Result<()>;

    /// What it has done.
    fn metrics(&self) -> &Metrics;

    /// How the commits went that it made of late.
    fn timelines(&self) -> &timeline::Timelines;

    /// The last backup that is known to have been made of it.
    fn backed_up(&self) -> Option<BackedUp> {
        None
    }

    /// `sqlite` or `postgres`.
    fn name(&self) -> &'static str;

    /// Finishes what was accepted and closes; later work is refused.
    fn close(&self) -> BoxFuture<'static, ()>;
}

/// An open engine.
pub type Store = Arc<dyn Engine>;

/// What an engine counts.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Commands made durable.
    pub commits: AtomicU64,
    /// Transactions that made them durable.
    pub batches: AtomicU64,
    /// Time spent in those transactions, in microseconds.
    pub batch_us: AtomicU64,
    /// The latest batch's size.
    pub batch_last: AtomicU64,
    /// Batches that were rolled back and run again.
    pub void_batches: AtomicU64,
    /// Commands that ran again after a conflict.
    pub retries: AtomicU64,
    /// Commands waiting.
    pub queue: AtomicI64,
    /// Bytes of the write-ahead log, where the engine is embedded.
    pub wal_bytes: AtomicU64,
    /// By how much this node's clock is ahead of the one that times the store, in microseconds.
    pub clock_ahead_us: AtomicI64,
    /// Queries run.
    pub reads: AtomicU64,
    /// Queries that outgrew the inline budget and moved to the scan lane.
    pub scans: AtomicU64,
}

/// How to open a store.
#[derive(Clone)]
pub struct Options {
    /// Where it is.
    pub place: Place,
    /// Points at which a test makes the process die or an engine fail; empty in service.
    pub faults: Faults,
    /// Run every command twice and compare what it writes: a test's way to find what is not
    /// deterministic.
    pub rehearse: bool,
    /// How long one command may keep the writer, in SQL.
    pub command_budget: Duration,
    /// WAL bytes past which writes are refused.
    pub wal_ceiling: u64,
    /// Whether the database's own clock tells the time where several nodes share it; in a test,
    /// the test's does.
    pub database_clock: bool,
    /// The position at which a start goes on although later commits were acknowledged.
    pub accept_position: Option<i64>,
    /// Connections to PostgreSQL.
    pub pool: usize,
    /// Commands that may wait.
    pub queue: usize,
}

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A directory with an SQLite database.
    Directory(PathBuf),
    /// A PostgreSQL URL.
    Url(String),
}

impl Options {
    /// The usual way to open a store at a place.
    pub fn at(place: Place) -> Self {
        Self {
            place,
            faults: Faults::default(),
            rehearse: false,
            command_budget: Duration::from_millis(250),
            wal_ceiling: 256 << 20,
            database_clock: true,
            accept_position: None,
            pool: 12,
            queue: 4_096,
        }
    }
}

/// Named points where a test can make things go wrong.
#[derive(Clone, Default)]
pub struct Faults(Option<Arc<Choose>>);

type Choose = dyn Fn(&str) -> Option<Fault> + Send + Sync;

/// What goes wrong at a fault point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process ends as by `kill -9`.
    Die,
    /// The engine reports an I/O error.
    Fail,
}

impl Faults {
    /// Asks `choose` at every point.
    pub fn new(choose: impl Fn(&str) -> Option<Fault> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(choose)))
    }

    /// Passes a point.
    pub(crate) fn pass(&self, point: &str) -> Result<()> {
        match self.0.as_ref().and_then(|choose| choose(point)) {
            None => Ok(()),
            Some(Fault::Fail) => {
                Err(Error::unavailable("store.fault", format!("fault at `{point}`")))
            }
            Some(Fault::Die) => std::process::abort(),
        }
    }
}

/// Opens a store: creates or migrates it, and refuses one that is newer than this code or not
/// ours, untouched. `services` come in the registry's order, the kernel first.
///
/// # Errors
/// `store.not_ours`, `store.newer`, `store.changed_migration`, or `unavailable`.
pub fn open(options: Options, services: &[Service], world: Arc<dyn World>) -> Result<Store> {
    let schema = schema::Schema::of(services)?;
    match options.place.clone() {
        Place::Directory(directory) => {
            sqlite::open(&directory, options, schema, world).map(|store| store as Store)
        }
        Place::Url(url) => postgres::open(&url, options, schema, world),
    }
}

/// What a backup came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// The youngest commit in it.
    pub position: i64,
    /// How large it is.
    pub bytes: u64,
    /// How many blobs came along.
    pub blobs: usize,
}

/// A backup that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackedUp {
    /// When.
    pub time: Micros,
    /// What it came to.
    pub copied: Copied,
}

/// Copies a store and the blobs that its rows hold, also of a node that runs, to a directory, and looks
/// through the copy: it can be opened where it is.
///
/// # Errors
/// `backup.exists`, `backup.behind`, `backup.blobs`, `backup.postgres`, or what is wrong with the store.
pub fn back_up(place: &Place, blobs: &Path, to: &Path) -> Result<Copied> {
    match place {
        Place::Directory(directory) => sqlite::back_up(directory, blobs, to),
        Place::Url(_) => Err(Error::new(
            Code::Unimplemented,
            "backup.postgres",
            "a PostgreSQL database is backed up by its own tools",
        )
        .help(
            "Use pg_dump for a copy, pg_basebackup and the archive for every commit; within a day of it, \
             copy the directory of the blobs.",
        )),
    }
}

/// Rows changed by table: how many, and which.
pub(crate) type Changes = BTreeMap<Arc<str>, (u64, Extent)>;

/// What a commit of a tenant changed, as it is told.
pub(crate) fn written(tenant: &Arc<str>, changes: Changes) -> impl Iterator<Item = Written> {
    let tenant = Arc::clone(tenant);
    changes.into_iter().map(move |(table, (_, rows))| Written {
        tenant: Arc::clone(&tenant),
        table,
        rows,
    })
}
