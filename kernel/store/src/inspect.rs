//! Statements are looked at before any engine sees them.
//!
//! Each is prepared once on an in-memory SQLite that has the cell's schema and an authorizer:
//! one mechanism gives ownership (only tables of its own service), tenancy (see [`tenancy`]) of the
//! tables that it touches, the dialect of both engines, and the set of
//! tables it reads and writes.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use stoa_contract::{Code, Error, Result};
use stoa_kit::blobs::Blobs;
use stoa_kit::session::{Origin, Sql};
use stoa_kit::value::Value;

use crate::known::Known;
use crate::schema::{Dialect, Index, Schema};
use crate::scopes::{self, Scope};
use crate::{plan, statistics, tenancy, words};

/// A statement that has been looked at.
#[derive(Debug)]
pub struct Statement {
    /// In the words of SQLite.
    pub sqlite: String,
    /// In the words of PostgreSQL.
    pub postgres: String,
    /// The tables it writes, and which of their rows.
    pub writes: Vec<Scope>,
    /// The tables it reads, and which of their rows.
    pub reads: Vec<Scope>,
    /// Whether it gives rows.
    pub returns: bool,
    /// Whether it names the tenant, its first parameter then.
    pub tenant: bool,
    /// How many parameters it takes, besides the tenant.
    pub params: usize,
}

impl Statement {
    /// Whether it may run like this: values that one engine refuses and the other bends are
    /// refused on both.
    ///
    /// # Errors
    /// `internal` for a query that writes, or a wrong number of parameters; `store.value` for a
    /// text with U+0000, which PostgreSQL cannot keep, and for NaN, which SQLite turns into NULL.
    pub fn check(&self, origin: Origin<'_>, params: &[Value<'_>]) -> Result<()> {
        if !self.writes.is_empty() && !origin.writes {
            return Err(Error::internal(format!("a query writes: {}", self.postgres)));
        }
        if params.len() != self.params {
            return Err(Error::internal(format!(
                "the statement takes {} parameters and is given {}: {}",
                self.params,
                params.len(),
                self.postgres
            )));
        }
        let refused = |what| Err(Error::new(Code::InvalidArgument, "store.value", what));
        for value in params {
            if value.count() > LIST_MAX {
                return refused("a list has more values than a statement takes");
            }
            match value {
                Value::Text(text) if text.contains('\0') => {
                    return refused("a text cannot hold the character U+0000");
                }
                Value::Texts(texts) if texts.iter().any(|text| text.contains('\0')) => {
                    return refused("a text cannot hold the character U+0000");
                }
                Value::Float(number) if number.is_nan() => {
                    return refused("a number must be a number, and NaN is none");
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Values that one parameter may have.
const LIST_MAX: usize = 10_000;

/// Looks at statements.
pub struct Inspector {
    services: Vec<&'static str>,
    inner: Mutex<Inner>,
}

struct Inner {
    connection: Connection,
    touched: Arc<Mutex<Touched>>,
    seen: Known<Statement>,
    indexes: HashMap<String, Index>,
    /// The tables whose rows name blobs.
    blobs: Vec<&'static Blobs>,
}

#[derive(Default)]
struct Touched {
    reads: BTreeSet<String>,
    writes: BTreeSet<String>,
    /// Columns that are written; of rows that are added or deleted, all of them, as "".
    columns: BTreeSet<(String, String)>,
    refused: Option<String>,
}

impl Inspector {
    /// An inspector for a schema.
    ///
    /// # Errors
    /// `store.migration` where the schema's own statements do not fit together.
    pub fn new(schema: &Schema) -> Result<Self> {
        let mut connection = Connection::open_in_memory().map_err(Error::internal)?;
        for step in &schema.steps {
            for sql in step.statements(Dialect::Sqlite)? {
                connection.execute_batch(&sql).map_err(|error| {
                    Error::new(
                        Code::FailedPrecondition,
                        "store.migration",
                        format!("migration {} of `{}`: {error}", step.name, step.service),
                    )
                })?;
            }
        }
        statistics::tell(&connection).map_err(Error::internal)?;
        let touched = Arc::new(Mutex::new(Touched::default()));
        let record = Arc::clone(&touched);
        connection
            .authorizer(Some(move |context: AuthContext<'_>| lock(&record).note(&context)))
            .map_err(Error::internal)?;
        let indexes = schema.indexes();
        let (seen, blobs) = (Known::default(), schema.blobs.clone());
        let inner = Inner { connection, touched, seen, indexes, blobs };
        Ok(Self { services: schema.services.clone(), inner: Mutex::new(inner) })
    }

    /// Looks at a statement of a service; the second time costs a look-up.
    ///
    /// # Errors
    /// `internal`, saying what is wrong with the statement.
    pub fn inspect(&self, service: u16, sql: Sql<'_>) -> Result<Arc<Statement>> {
        let mut inner = lock(&self.inner);
        if let Some(known) = inner.seen.get(service, sql) {
            return Ok(known);
        }
        let name = self.services.get(usize::from(service)).copied().unwrap_or("?");
        let text = sql.text();
        let statement = inner.look(name, sql).map_err(|what| {
            Error::internal(format!("a statement of `{name}` is refused: {what}: {text}"))
        })?;
        let statement = Arc::new(statement);
        inner.seen.put(service, sql, &statement);
        Ok(statement)
    }
}

impl Inner {
    fn look(&self, service: &str, sql: Sql<'_>) -> Result<Statement, String> {
        let made = matches!(sql, Sql::Made(_));
        let sql = sql.text();
        let words = words::words(sql);
        dialect(sql, &words)?;
        let (sqlite, postgres) = rewrite(sql);
        *lock(&self.touched) = Touched::default();
        let prepared = self.connection.prepare(&sqlite);
        let mut touched = std::mem::take(&mut *lock(&self.touched));
        touched.reads.retain(|name| name != LISTED && self.exists(name));
        if let Some(what) = touched.refused {
            return Err(what);
        }
        let prepared = prepared.map_err(|error| error.to_string())?;
        let prefix = format!("{service}_");
        for table in touched.reads.iter().chain(&touched.writes) {
            let granted = table == "stoa_grant" && !touched.writes.contains(table);
            if service != "stoa" && !table.starts_with(&prefix) && !granted {
                return Err(format!("`{table}` belongs to another service"));
            }
        }
        for (table, column) in &touched.columns {
            let of = self.blobs.iter().find(|of| of.table == table);
            if of.is_some_and(|of| (column.is_empty() || of.names(column)) && !of.knows(sql)) {
                return Err(format!(
                    "rows of `{table}` hold blobs: add, save and delete them by tx.add, tx.save and \
                     tx.delete"
                ));
            }
        }
        let tables = touched.reads.union(&touched.writes).cloned().collect();
        if service != "stoa" {
            tenancy::check(&words, &tables)?;
        }
        let tenant = sql.contains(":tenant");
        if service != "stoa" && !tenant {
            return Err("it does not name :tenant".to_owned());
        }
        // What the kernel does for all tenants at once has no bound to speak of.
        let whole = match tenant {
            true => plan::whole(&words, &tables, &self.indexes, &self.plan(&sqlite)?),
            false => None,
        };
        match (whole, plan::reason(sql)?) {
            (Some(table), None) => {
                return Err(format!(
                    "it reads the whole of `{table}`: give it an index to go by, or say why that is \
                     right, /* whole: … */"
                ));
            }
            // One of several combinations may need it, and others not.
            (None, Some(_)) if !made => {
                return Err("it does not read the whole of anything, and says so".to_owned());
            }
            _ => {}
        }
        let scopes = scopes::of(&words, &tables, &self.indexes);
        let shared = |names: BTreeSet<String>| {
            let scope = |table: String| Scope {
                params: scopes.get(&table).cloned().flatten(),
                table: table.into(),
            };
            names.into_iter().map(scope).collect()
        };
        Ok(Statement {
            returns: prepared.column_count() > 0,
            params: prepared.parameter_count().saturating_sub(usize::from(tenant)),
            tenant,
            sqlite,
            postgres,
            writes: shared(touched.writes),
            reads: shared(touched.reads),
        })
    }
}

impl Inner {
    /// How SQLite would go about a statement.
    fn plan(&self, sqlite: &str) -> Result<Vec<plan::Step>, String> {
        let steps = || {
            let mut explained = self.connection.prepare(&format!("EXPLAIN QUERY PLAN {sqlite}"))?;
            let count = explained.parameter_count();
            let nothing = rusqlite::params_from_iter(std::iter::repeat_n(None::<i64>, count));
            let step = |row: &rusqlite::Row<'_>| Ok(plan::Step::new(row.get(1)?, row.get(3)?));
            explained.query_map(nothing, step)?.collect::<rusqlite::Result<Vec<_>>>()
        };
        steps().map_err(|error| error.to_string())
    }

    /// Whether something outside of a statement has this name: a `COUNT(*)` over a part of the
    /// statement itself is noted like one over a table.
    fn exists(&self, name: &str) -> bool {
        self.connection.prepare(&format!("SELECT 1 FROM \"{name}\"")).is_ok()
    }
}

impl Touched {
    fn note(&mut self, context: &AuthContext<'_>) -> Authorization {
        match context.action {
            AuthAction::Read { table_name, .. } => {
                self.reads.insert(table_name.to_owned());
            }
            AuthAction::Insert { table_name } | AuthAction::Delete { table_name } => {
                self.columns.insert((table_name.to_owned(), String::new()));
                self.writes.insert(table_name.to_owned());
            }
            AuthAction::Update { table_name, column_name } => {
                if column_name == "tenant" {
                    self.refused = Some("a row cannot move to another tenant".to_owned());
                }
                self.columns.insert((table_name.to_owned(), column_name.to_owned()));
                self.writes.insert(table_name.to_owned());
            }
            AuthAction::Select | AuthAction::Recursive => {}
            AuthAction::Function { function_name } if FUNCTIONS.contains(&function_name) => {}
            other => self.refused = Some(format!("{other:?} is not allowed")),
        }
        if self.refused.is_some() { Authorization::Deny } else { Authorization::Allow }
    }
}

/// The functions that mean the same on both engines.
const FUNCTIONS: &[&str] = &[
    "abs",
    "avg",
    "coalesce",
    "count",
    "length",
    "lag",
    "lead",
    "max",
    "min",
    "nullif",
    "rank",
    "row_number",
    "substr",
    "sum",
];

/// Words that mean something else on the other engine, and what to write instead.
const REFUSED: &[(&str, &str)] = &[
    ("LIKE", "store a normalised column and compare it"),
    ("GLOB", "store a normalised column and compare it"),
    ("LOWER", "normalise in Rust, into a column"),
    ("UPPER", "normalise in Rust, into a column"),
    ("RANDOM", "use tx.random()"),
    ("CURRENT_TIMESTAMP", "use tx.now()"),
    ("CURRENT_TIME", "use tx.now()"),
    ("CURRENT_DATE", "use tx.now()"),
    ("ROWID", "tables have none"),
    ("PRAGMA", "it is SQLite's own"),
    ("REPLACE", "use ON CONFLICT"),
    ("JSON_EACH", "compare with a list: = ANY ($1)"),
];

/// What SQLite reads the values of a list from; no statement says so itself.
const LISTED: &str = "json_each";

fn dialect(sql: &str, all: &[String]) -> Result<(), String> {
    let upper = sql.to_ascii_uppercase();
    let mut words = upper.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    if let Some(word) = words.clone().find(|word| REFUSED.iter().any(|(bad, _)| bad == word)) {
        let instead = REFUSED.iter().find(|(bad, _)| *bad == word).map_or("", |(_, text)| text);
        return Err(format!("{word}: {instead}"));
    }
    let sums = words.clone().filter(|word| *word == "SUM").count();
    let casts = words.clone().filter(|word| *word == "CAST").count();
    if sums > 0 && casts == 0 {
        return Err("SUM: cast sums to BIGINT, the engines give other types".to_owned());
    }
    if !words::divides_safely(all) {
        return Err(
            "/: divide by a number, or by NULLIF(…, 0): by zero one engine gives NULL, and \
             the other an error"
                .to_owned(),
        );
    }
    if upper.contains(';') {
        return Err("one statement at a time".to_owned());
    }
    if words.next().is_none() { Err("it is empty".to_owned()) } else { Ok(()) }
}

/// The statement in both engines' words. The tenant is the first parameter where it is named, and
/// `$n` the n-th of the others: SQLite would bind `$2, $1` in the order of appearance.
fn rewrite(sql: &str) -> (String, String) {
    let first = usize::from(sql.contains(":tenant"));
    let (mut sqlite, mut postgres) = (String::new(), String::new());
    let mut rest = sql;
    while let Some(at) = rest.find(['$', ':']) {
        let (before, after) = rest.split_at(at);
        sqlite.push_str(before);
        postgres.push_str(before);
        let digits: String = after[1..].chars().take_while(char::is_ascii_digit).collect();
        if let Some(after) = after.strip_prefix(":tenant") {
            sqlite.push_str("?1");
            postgres.push_str("$1");
            rest = after;
        } else if after.starts_with('$') && !digits.is_empty() {
            let number = digits.parse::<usize>().unwrap_or(0) + first;
            sqlite.push_str(&format!("?{number}"));
            postgres.push_str(&format!("${number}"));
            rest = &after[1 + digits.len()..];
        } else {
            sqlite.push_str(&after[..1]);
            postgres.push_str(&after[..1]);
            rest = &after[1..];
        }
    }
    sqlite.push_str(rest);
    postgres.push_str(rest);
    let sqlite = sqlite.replace("BIGINT", "INTEGER").replace("DOUBLE PRECISION", "REAL");
    (listed(&sqlite), postgres)
}

/// `= ANY (?1)` in the words of SQLite, which has no lists.
fn listed(sqlite: &str) -> String {
    let mut out = String::new();
    let mut rest = sqlite;
    while let Some((before, after)) = rest.split_once("= ANY (?") {
        let Some((number, behind)) = after.split_once(')') else { break };
        out.push_str(&format!("{before}IN (SELECT value FROM {LISTED}(?{number}))"));
        rest = behind;
    }
    out + rest
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
