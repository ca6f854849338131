//! Where a node of a test stores, and what it finds there: tables that were made once for all.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use stoa_contract::Contract;
use stoa_kit::{KERNEL, Methods, Service};
use stoa_store::schema::Schema;
use stoa_store::{Options, Place};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::postgres::{self, Database};
use crate::{Engine, TestWorld};

/// A private place, which vanishes with its value.
pub(crate) struct Home {
    store: Store,
    /// Where blobs lie.
    objects: TempDir,
}

enum Store {
    Directory(TempDir),
    Database(Database),
}

/// Everything that a store holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Kept {
    /// In an order of their own.
    pub(crate) rows: Vec<Row>,
}

/// A row as it is kept: numbers as text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) table: String,
    pub(crate) tenant: Vec<u8>,
    pub(crate) values: Vec<Vec<u8>>,
}

impl Home {
    /// A place where the tables of these services are.
    pub(crate) fn new(engine: Engine, services: &[Service], runtime: &Runtime) -> Self {
        let store = match engine {
            // A file is made faster than it is copied.
            Engine::Sqlite => Store::Directory(tempfile::tempdir().unwrap()),
            Engine::Postgres => {
                let schema = tables(services);
                let name = fingerprint(&schema);
                let fill = |url: &str| migrate(url, &schema, runtime);
                Store::Database(postgres::filled(&name, fill))
            }
        };
        Self { store, objects: tempfile::tempdir().unwrap() }
    }

    /// Another with the same in it. No node may be open here.
    pub(crate) fn copy(&self) -> Self {
        let store = match &self.store {
            Store::Directory(from) => {
                let to = tempfile::tempdir().unwrap();
                for entry in std::fs::read_dir(from.path()).unwrap() {
                    let file = entry.unwrap();
                    std::fs::copy(file.path(), to.path().join(file.file_name())).unwrap();
                }
                Store::Directory(to)
            }
            Store::Database(database) => Store::Database(database.copy().unwrap()),
        };
        let to = tempfile::tempdir().unwrap();
        for (name, bytes) in objects(self.objects.path()) {
            let file = to.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, bytes).unwrap();
        }
        Self { store, objects: to }
    }

    /// Where blobs lie.
    pub(crate) fn objects(&self) -> PathBuf {
        self.objects.path().to_owned()
    }

    /// How a node finds it.
    pub(crate) fn place(&self) -> Place {
        match &self.store {
            Store::Directory(directory) => Place::Directory(directory.path().to_owned()),
            Store::Database(database) => Place::Url(database.url().to_owned()),
        }
    }
}

impl Kept {
    pub(crate) fn at(place: &Place) -> Self {
        let rows = match place {
            Place::Directory(directory) => sqlite_rows(&directory.join("stoa.db")),
            Place::Url(url) => postgres::rows(url).unwrap(),
        };
        let rows = rows.into_iter().map(|(table, names, values)| {
            let tenant = names.iter().position(|name| name == "tenant");
            let tenant = tenant.map_or_else(Vec::new, |place| values[place].clone());
            Row { table, tenant, values }
        });
        let mut rows: Vec<Row> = rows.collect();
        rows.sort();
        Self { rows }
    }

    /// The rows of a table, column by column in the order of the table.
    pub(crate) fn table(&self, name: &str) -> impl Iterator<Item = &[Vec<u8>]> {
        let rows = self.rows.iter().filter(move |row| row.table == name);
        rows.map(|row| row.values.as_slice())
    }

    /// Whether these bytes are anywhere: a secret must be nowhere.
    pub fn holds(&self, bytes: impl AsRef<[u8]>) -> bool {
        let wanted = bytes.as_ref();
        assert!(!wanted.is_empty(), "nothing is everywhere");
        let mut values = self.rows.iter().flat_map(|row| &row.values);
        values.any(|value| has(value, wanted))
    }
}

/// The files of an embedded database.
pub(crate) fn files(place: &Place) -> Vec<Vec<u8>> {
    let Place::Directory(directory) = place else { return Vec::new() };
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.map(|file| std::fs::read(file).unwrap()).collect()
}

/// What lies in a directory and below it, by its path there.
pub fn objects(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(directory).unwrap().to_owned();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Whether some bytes stand in others.
pub(crate) fn has(all: &[u8], part: &[u8]) -> bool {
    let first = part[0];
    let starts = all.iter().enumerate().filter(|(_, byte)| **byte == first);
    starts.map(|(at, _)| &all[at..]).any(|rest| rest.starts_with(part))
}

fn sqlite_rows(file: &Path) -> Vec<(String, Vec<String>, Vec<Vec<u8>>)> {
    use rusqlite::types::ValueRef;
    let connection = rusqlite::Connection::open(file).unwrap();
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut tables = connection.prepare(tables).unwrap();
    let tables = tables.query_map((), |row| row.get::<_, String>(0)).unwrap();
    let mut kept = Vec::new();
    for table in tables.map(Result::unwrap) {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query(()).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values = (0..names.len()).map(|index| match row.get_ref(index).unwrap() {
                ValueRef::Null => Vec::new(),
                ValueRef::Integer(number) => number.to_string().into_bytes(),
                ValueRef::Real(number) => number.to_string().into_bytes(),
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
            });
            kept.push((table.clone(), names.clone(), values.collect()));
        }
    }
    kept
}

/// What a store wants to know of services, the kernel being the first.
fn tables(services: &[Service]) -> Vec<Service> {
    static NOTHING: Contract = Contract {
        name: KERNEL,
        full_name: "",
        doc: "",
        methods: &[],
        events: &[],
        descriptors: &[],
    };
    let nothing = || Service::kernel(Methods::new(&NOTHING));
    let mut tables: Vec<Service> = services
        .iter()
        .map(|service| {
            let mut tables = nothing().migrations(service.migrations);
            tables.name = service.name;
            tables
        })
        .collect();
    tables.sort_by_key(|service| service.name);
    tables.insert(0, nothing());
    tables
}

fn fingerprint(tables: &[Service]) -> String {
    let mut hasher = DefaultHasher::new();
    for step in Schema::of(tables).unwrap().steps {
        (step.service, step.name, step.checksum).hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

fn migrate(url: &str, tables: &[Service], runtime: &Runtime) {
    let mut options = Options::at(Place::Url(url.to_owned()));
    options.pool = 1;
    let store = stoa_store::open(options, tables, TestWorld::new()).unwrap();
    runtime.block_on(store.close());
}
