//! A cell with two small services, on an engine of choice.

use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};

use stoa_contract::{Check, Contract, Shape};
use stoa_kit::registry::ServiceId;
use stoa_kit::tx::{Cause, Gathered, Run};
use stoa_kit::v1::Money;
use stoa_kit::world::Real;
use stoa_kit::{
    Caller, Error, Event, Message, Methods, Migration, Registry, Result, Service, Tx, View, World,
};
use stoa_store::{
    Commit, Committed, Header, Keep, Key, Notice, Options, Outcome, Place, Read, Reply, Store,
};
use stoa_testkit::postgres::Database;
use tempfile::TempDir;

/// The tables of the main tenant that a notice tells of.
pub(crate) fn written(notice: &Notice) -> Vec<&str> {
    assert!(notice.tables.iter().all(|written| &*written.tenant == "main"));
    notice.tables.iter().map(|written| &*written.table).collect()
}

/// An engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Sqlite,
    Postgres,
}

impl On {
    /// The name of its tests.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    /// An empty place.
    pub(crate) fn home(self) -> Home {
        match self {
            Self::Sqlite => Home::Directory(TempDir::new().unwrap()),
            Self::Postgres => Home::Database(stoa_testkit::postgres::shared()),
        }
    }

    /// A fresh cell.
    pub(crate) fn cell(self) -> Cell {
        self.cell_with(|_| {})
    }

    /// A fresh cell, opened with other options.
    pub(crate) fn cell_with(self, adjust: impl FnOnce(&mut Options)) -> Cell {
        Cell::open(Arc::new(self.home()), adjust)
    }
}

/// Where a cell's rows are; gone with the value.
pub(crate) enum Home {
    Directory(TempDir),
    Database(Database),
    /// Somebody else's, who removes it.
    Borrowed(Place),
}

impl Home {
    /// How to open it.
    pub(crate) fn options(&self) -> Options {
        let mut options = Options::at(match self {
            Self::Directory(directory) => Place::Directory(directory.path().to_owned()),
            Self::Database(database) => Place::Url(database.url().to_owned()),
            Self::Borrowed(place) => place.clone(),
        });
        options.pool = 4;
        options
    }

    /// A place that another process made, as [`Home::place`] names it.
    pub(crate) fn at(on: On, place: &str) -> Self {
        Self::Borrowed(match on {
            On::Sqlite => Place::Directory(place.into()),
            On::Postgres => Place::Url(place.to_owned()),
        })
    }

    /// The place's name.
    pub(crate) fn place(&self) -> String {
        match self.options().place {
            Place::Directory(directory) => directory.display().to_string(),
            Place::Url(url) => url,
        }
    }

    /// Runs statements behind the store's back.
    pub(crate) fn execute(&self, sql: &str) {
        match self {
            Self::Database(database) => database.execute(sql).unwrap(),
            _ => self.file().execute_batch(sql).unwrap(),
        }
    }

    /// The names of all tables, sorted.
    pub(crate) fn tables(&self) -> Vec<String> {
        let names = match self {
            Self::Database(database) => database.text(
                "SELECT COALESCE(string_agg(relname, ' ' ORDER BY relname), '') FROM pg_class \
                 WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
            ),
            _ => {
                let sql = "SELECT COALESCE(group_concat(name, ' ' ORDER BY name), '') \
                     FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
                Ok(self.file().query_row(sql, [], |row| row.get(0)).unwrap())
            }
        };
        names.unwrap().split_whitespace().map(str::to_owned).collect()
    }

    /// Everything that a store could have left here.
    pub(crate) fn fingerprint(&self) -> String {
        match self {
            Self::Database(database) => {
                database.text("SELECT string_agg(oid::text, ' ' ORDER BY oid) FROM pg_class")
            }
            _ => Ok(format!("{:?}", std::fs::read(Path::new(&self.place()).join("stoa.db")))),
        }
        .unwrap()
    }

    fn file(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(Path::new(&self.place()).join("stoa.db")).unwrap()
    }
}

const ALPHA: &Contract = &Contract {
    name: "alpha",
    full_name: "stoa.alpha.v1.AlphaService",
    doc: "",
    methods: &[],
    events: &[],
    descriptors: &[],
};
const KERNEL: &Contract =
    &Contract { name: "system", full_name: "stoa.system.v1.SystemService", ..*ALPHA };
const BETA: &Contract = &Contract { name: "beta", full_name: "stoa.beta.v1.BetaService", ..*ALPHA };

/// The tables of `alpha`.
pub(crate) const ALPHA_TABLES: &[Migration] = &[Migration::expand(
    "0001_alpha",
    "CREATE TABLE alpha_value (tenant TEXT NOT NULL, id TEXT NOT NULL, whole BIGINT, words TEXT,
         bytes BYTEA, flag BOOLEAN, fraction DOUBLE PRECISION, PRIMARY KEY (tenant, id));
     CREATE TABLE alpha_account (tenant TEXT NOT NULL, id TEXT NOT NULL, balance BIGINT NOT NULL,
         PRIMARY KEY (tenant, id));
     CREATE TABLE alpha_entry (tenant TEXT NOT NULL, id TEXT NOT NULL, account TEXT NOT NULL,
         amount BIGINT NOT NULL, PRIMARY KEY (tenant, id));",
)];
/// The tables of `beta`.
pub(crate) const BETA_TABLES: &[Migration] = &[Migration::expand(
    "0001_beta",
    "CREATE TABLE beta_note (tenant TEXT NOT NULL, id TEXT NOT NULL, words TEXT NOT NULL,
         PRIMARY KEY (tenant, id));",
)];

/// The kernel, which has nothing but its own tables.
pub(crate) fn kernel() -> Service {
    Service::kernel(Methods::new(KERNEL))
}

/// `alpha` with its tables.
pub(crate) fn alpha(migrations: &'static [Migration]) -> Service {
    Service::new(Methods::new(ALPHA)).migrations(migrations)
}

/// The services of every cell here.
pub(crate) fn services() -> Vec<Service> {
    vec![alpha(ALPHA_TABLES), Service::new(Methods::new(BETA)).migrations(BETA_TABLES)]
}

/// An open cell.
pub(crate) struct Cell {
    pub(crate) store: Store,
    pub(crate) home: Arc<Home>,
    registry: Arc<Registry>,
    runtime: tokio::runtime::Runtime,
}

/// A commit that was accepted and not awaited yet.
pub(crate) struct Pending<T> {
    done: tokio::task::JoinHandle<Result<Committed>>,
    value: Arc<Mutex<Option<T>>>,
}

/// A command that holds the store up: all of SQLite, one connection of PostgreSQL.
pub(crate) struct Gate {
    open: mpsc::Sender<()>,
    held: Pending<()>,
}

impl Gate {
    pub(crate) fn open(self, cell: &Cell) {
        drop(self.open);
        cell.wait(self.held).unwrap();
    }
}

/// What a commit gave.
#[derive(Debug)]
pub(crate) struct Done<T> {
    pub(crate) position: i64,
    /// What the last run of the command returned; none for a replay.
    pub(crate) value: Option<T>,
    /// The remembered reply, for a replay.
    pub(crate) replayed: Option<Vec<u8>>,
    /// Whether the reply was withheld.
    pub(crate) withheld: bool,
}

impl Cell {
    pub(crate) fn open(home: Arc<Home>, adjust: impl FnOnce(&mut Options)) -> Self {
        Self::try_open(home, services(), adjust).unwrap()
    }

    pub(crate) fn try_open(
        home: Arc<Home>, services: Vec<Service>, adjust: impl FnOnce(&mut Options),
    ) -> Result<Self> {
        Self::open_in(Real::new(), home, services, adjust)
    }

    /// Opens a cell in a world of the test's own.
    pub(crate) fn open_in(
        world: Arc<dyn World>, home: Arc<Home>, services: Vec<Service>,
        adjust: impl FnOnce(&mut Options),
    ) -> Result<Self> {
        let registry =
            Arc::new(Registry::new(Service::kernel(Methods::new(KERNEL)), services).unwrap());
        let mut options = home.options();
        adjust(&mut options);
        let store = stoa_store::open(options, registry.services(), world)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        Ok(Self { store, home, registry, runtime })
    }

    /// A header of tenant `main`.
    pub(crate) fn header() -> Header {
        Header {
            tenant: "main".into(),
            cause: "request".to_owned(),
            caller: "user:usr_1".into(),
            method: "stoa.alpha.v1.AlphaService/Try",
            trace: String::new(),
            key: None,
            asked: None,
            deadline: None,
            bytes: 100,
        }
    }

    /// A header with an idempotency key.
    pub(crate) fn keyed(key: u8, request: u8) -> Header {
        let key = Key {
            hash: [key; 16],
            fingerprint: [request; 16],
            keep: Keep::Reply,
            life: std::time::Duration::from_secs(3600),
        };
        Header { key: Some(key), ..Self::header() }
    }

    fn service(&self, name: &str) -> ServiceId {
        let place = self.registry.services().iter().position(|service| service.name == name);
        ServiceId(place.unwrap() as u16)
    }

    /// Hands a command to the store, from the test's own thread: when this returns, the store
    /// has accepted or refused it.
    pub(crate) fn submit<T: Send + 'static>(
        &self, header: Header, mut run: impl FnMut(&mut Tx) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        let value = Arc::new(Mutex::new(None));
        let (slot, registry) = (Arc::clone(&value), Arc::clone(&self.registry));
        let caller = Caller::of(&header.tenant, &header.caller, &[]);
        let service = self.service("alpha");
        let run: stoa_store::Run = Box::new(move |session, stamp| {
            let (registry, caller, cause) = (&registry, &caller, &Cause::Request);
            let command = Run { registry, caller, cause, stamp, nested: false };
            let (value, gathered) = command.command(session, service, |tx| run(tx))?;
            *slot.lock().unwrap() = Some(value);
            Ok(Outcome { reply: Some(Ok(Box::new(reply()))), gathered })
        });
        let done = self.runtime.spawn(self.store.commit(Commit { header, run }));
        Pending { done, value }
    }

    /// Makes a command durable.
    pub(crate) fn commit_as<T: Send + 'static>(
        &self, header: Header, run: impl FnMut(&mut Tx) -> Result<T> + Send + 'static,
    ) -> Result<Done<T>> {
        self.wait(self.submit(header, run))
    }

    /// Makes a command of tenant `main` durable and gives what it returned.
    pub(crate) fn commit<T: Send + 'static>(
        &self, run: impl FnMut(&mut Tx) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.commit_as(Self::header(), run).map(|done| done.value.unwrap())
    }

    /// Waits for a command.
    pub(crate) fn wait<T>(&self, pending: Pending<T>) -> Result<Done<T>> {
        let committed = self.runtime.block_on(pending.done).unwrap()?;
        let position = committed.position;
        let mut done = Done { position, value: None, replayed: None, withheld: false };
        match committed.reply {
            Reply::Fresh(_) => done.value = pending.value.lock().unwrap().take(),
            Reply::Replayed(reply) => done.replayed = Some(reply),
            Reply::Withheld => done.withheld = true,
        }
        Ok(done)
    }

    /// Hands a commit to the store that is built by hand.
    pub(crate) fn raw(
        &self, header: Header,
        run: impl FnMut(&mut dyn stoa_kit::session::Session) -> Result<Gathered> + Send + 'static,
    ) -> Result<Committed> {
        let mut run = run;
        let run: stoa_store::Run =
            Box::new(move |session, _| Ok(Outcome { reply: None, gathered: run(session)? }));
        self.block_on(self.store.commit(Commit { header, run }))
    }

    /// Holds the store up, so that what is submitted until the gate opens waits together.
    pub(crate) fn hold(&self) -> Gate {
        let (open, wait) = mpsc::channel::<()>();
        let (here, arrived) = mpsc::channel();
        let held = self.submit(Self::header(), move |_| {
            // Whoever re-runs it, the gate stays as open as it is.
            let _ = (here.send(()), wait.recv());
            Ok(())
        });
        arrived.recv().unwrap();
        Gate { open, held }
    }

    /// Runs a query of a service for a tenant, on a snapshot that holds a position.
    pub(crate) fn view_as<T: Send + 'static>(
        &self, (service, tenant): (&str, &str), position: Option<i64>,
        mut run: impl FnMut(&View) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let value = Arc::new(Mutex::new(None));
        let (slot, registry) = (Arc::clone(&value), Arc::clone(&self.registry));
        let caller = Caller::of(tenant, "user:usr_1", &[]);
        let service = self.service(service);
        let read: Read<()> = Box::new(move |session, stamp| {
            let (registry, caller, cause) = (&registry, &caller, &Cause::Request);
            let query = Run { registry, caller, cause, stamp, nested: false };
            *slot.lock().unwrap() = Some(query.query(session, service, |view| run(view))?);
            Ok(())
        });
        self.block_on(self.store.read(position, read))?;
        Ok(value.lock().unwrap().take().unwrap())
    }

    /// Runs a query of `alpha`.
    pub(crate) fn view<T: Send + 'static>(
        &self, run: impl FnMut(&View) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.view_as(("alpha", "main"), None, run)
    }

    /// Runs a query of the kernel over its own tables.
    pub(crate) fn kernel<T: Send + 'static>(
        &self, run: impl FnMut(&View) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.view_as(("stoa", "main"), None, run)
    }

    /// How many rows a query counts, for the kernel.
    pub(crate) fn count(&self, sql: &'static str) -> i64 {
        self.kernel(move |view| view.row::<(i64,)>(sql, ())).unwrap().unwrap().0
    }

    /// Waits for anything.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}

/// The place is free for the next cell.
impl Drop for Cell {
    fn drop(&mut self) {
        self.block_on(self.store.close());
    }
}

/// The reply of every command here.
pub(crate) fn reply() -> Money {
    Money { amount: 7, currency: "EUR".to_owned() }
}

/// An error as commands return them.
pub(crate) fn refusal(reason: &'static str) -> Error {
    Error::new(stoa_kit::Code::FailedPrecondition, reason, "refused")
}

pub(crate) const PUT_ACCOUNT: &str = "INSERT INTO alpha_account (tenant, id, balance) \
     VALUES (:tenant, $1, $2)";
pub(crate) const ADD: &str =
    "UPDATE alpha_account SET balance = balance + $2 WHERE tenant = :tenant AND id = $1";
pub(crate) const BALANCE: &str =
    "SELECT balance FROM alpha_account WHERE tenant = :tenant AND id = $1";

/// Opens an account.
pub(crate) fn put_account(tx: &mut Tx, id: &str, balance: i64) -> Result<u64> {
    tx.execute(PUT_ACCOUNT, (id, balance))
}

/// Adds to an account.
pub(crate) fn add(tx: &mut Tx, id: &str, amount: i64) -> Result<u64> {
    tx.execute(ADD, (id, amount))
}

/// What an account holds.
pub(crate) fn balance(view: &View, id: &str) -> Result<Option<i64>> {
    Ok(view.row::<(i64,)>(BALANCE, (id,))?.map(|(balance,)| balance))
}

/// An event, written by hand: there is no contract here to generate it from.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Noted(pub(crate) Money);

impl Noted {
    pub(crate) fn about(subject: &str) -> Self {
        Self(Money { amount: 1, currency: subject.to_owned() })
    }
}

stoa_testkit::wraps!(Noted);

impl Message for Noted {
    const NAME: &'static str = "stoa.alpha.v1.Noted";
    const SHAPE: &'static Shape = Money::SHAPE;

    fn check(&self, _: &mut Check) {}
}

impl Event for Noted {
    const TOPIC: &'static str = "alpha.note";

    fn subject(&self) -> &str {
        &self.0.currency
    }
}
