//! Tables: which migrations there are, which are due, and their words on either engine.
//!
//! Migrations are written in a small DDL that PostgreSQL takes nearly as it is. For SQLite every
//! table becomes `STRICT, WITHOUT ROWID`: without `STRICT` an overflow silently becomes a float.

use std::collections::HashMap;

use stoa_contract::Code;
use stoa_kit::blobs::Blobs;
use stoa_kit::{Error, Micros, Migration, Phase, Result, Service};

/// What columns can be.
const TYPES: [&str; 5] = ["TEXT", "BIGINT", "BOOLEAN", "BYTEA", "DOUBLE"];

/// The kernel's own migrations.
const KERNEL: &[Migration] = &[
    Migration::expand("0001_kernel", include_str!("../migrations/0001_kernel.sql")),
    Migration::expand("0002_floor", include_str!("../migrations/0002_floor.sql")),
    Migration::expand("0003_blob", include_str!("../migrations/0003_blob.sql")),
];

/// Every migration of every service of a node.
pub struct Schema {
    /// In the order in which they are applied.
    pub steps: Vec<Step>,
    /// The services' names, by their index in the registry.
    pub services: Vec<&'static str>,
    /// The tables whose rows name blobs.
    pub blobs: Vec<&'static Blobs>,
}

/// One migration of one service.
#[derive(Debug, Clone)]
pub struct Step {
    /// The service.
    pub service: &'static str,
    /// The migration's name.
    pub name: &'static str,
    /// Its statements, as written.
    pub sql: &'static str,
    /// A hash of them.
    pub checksum: String,
    /// Whether older code keeps working after it.
    pub phase: Phase,
}

/// A migration that a database says it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The service.
    pub service: String,
    /// The migration's name.
    pub name: String,
    /// The hash of its statements when it was applied.
    pub checksum: String,
    /// Whether older code breaks after it.
    pub breaks: bool,
}

/// The engines a migration can be put into words for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

impl Schema {
    /// The schema of these services, the kernel being the first.
    ///
    /// # Errors
    /// `store.migration` for names out of order, a table of another service, or DDL that is not
    /// ours.
    pub fn of(services: &[Service]) -> Result<Self> {
        let mut steps = Vec::new();
        for service in services {
            let migrations =
                if service.name == stoa_kit::KERNEL { KERNEL } else { service.migrations };
            let mut last = "";
            for migration in migrations {
                if migration.name <= last {
                    return Err(bad(
                        service.name,
                        migration.name,
                        "its name is not after the last",
                    ));
                }
                last = migration.name;
                let step = Step {
                    service: service.name,
                    name: migration.name,
                    sql: migration.sql,
                    checksum: blake3::hash(migration.sql.as_bytes()).to_hex()[..32].to_owned(),
                    phase: migration.phase,
                };
                step.statements(Dialect::Sqlite)?;
                steps.push(step);
            }
        }
        let blobs = services.iter().flat_map(|service| service.blobs.iter().copied()).collect();
        let services = services.iter().map(|service| service.name).collect();
        Ok(Self { steps, services, blobs })
    }

    /// The steps that a database still needs.
    ///
    /// # Errors
    /// `store.newer` where the database has a breaking migration that this code does not know;
    /// `store.changed_migration` where a migration is not what it was when it was applied.
    pub fn due(&self, applied: &[Applied]) -> Result<Vec<&Step>> {
        let known: HashMap<_, _> =
            self.steps.iter().map(|step| ((step.service, step.name), step)).collect();
        let mut done = std::collections::HashSet::new();
        for row in applied {
            let key = (row.service.as_str(), row.name.as_str());
            match known.get(&key) {
                Some(step) if step.checksum != row.checksum => {
                    return Err(refused(
                        "store.changed_migration",
                        format!(
                            "migration {} of `{}` is not what it was when it was applied",
                            row.name, row.service
                        ),
                    )
                    .help("Undo the edit, and make the change in a new migration."));
                }
                Some(_) => {
                    done.insert(key);
                }
                None if row.breaks && self.services.contains(&key.0) => {
                    return Err(refused("store.newer", format!(
                        "the database has migration {} of `{}`, which this version does not know",
                        row.name, row.service
                    ))
                    .help("Start a version of Stoa at least as new as the one that wrote it."));
                }
                None => {}
            }
        }
        Ok(self.steps.iter().filter(|step| !done.contains(&(step.service, step.name))).collect())
    }
}

/// An order in which rows of a tenant stand.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// The column by which they are sorted.
    pub(crate) first: String,
    /// Whether only some rows are in it.
    pub(crate) partial: bool,
}

impl Schema {
    /// The indexes by their names, and the primary keys by those of their tables.
    pub(crate) fn indexes(&self) -> HashMap<String, Index> {
        let mut indexes = HashMap::new();
        for words in self.steps.iter().flat_map(|step| split(step.sql)) {
            let lower: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
            let is = |place: usize, wanted| word(&lower, place) == wanted;
            let name = 2 + usize::from(is(1, "unique"));
            if !is(0, "create") || !(is(1, "table") || is(name - 1, "index")) {
                continue;
            }
            // Both begin with the tenant.
            let key = lower.windows(3).position(|three| three == ["(", "tenant", ","]);
            let first = key.map_or("", |key| word(&lower, key + 3)).to_owned();
            let partial = lower.iter().any(|word| word == "where");
            indexes.insert(word(&lower, name).to_owned(), Index { first, partial });
        }
        indexes
    }
}

/// All that is due as one script, to be run in one transaction.
///
/// # Errors
/// `store.migration`.
pub fn script(due: &[&Step], dialect: Dialect, now: Micros) -> Result<String> {
    let end = if dialect == Dialect::Sqlite { " STRICT, WITHOUT ROWID" } else { "" };
    let mut script = format!(
        "CREATE TABLE IF NOT EXISTS stoa_schema (service TEXT NOT NULL, name TEXT NOT NULL,
             checksum TEXT NOT NULL, breaks {int} NOT NULL, time {int} NOT NULL,
             PRIMARY KEY (service, name)){end};\n",
        int = if dialect == Dialect::Sqlite { "INTEGER" } else { "BIGINT" },
    );
    for step in due {
        for statement in step.statements(dialect)? {
            script.push_str(&statement);
            script.push_str(";\n");
        }
        let breaks = i32::from(step.phase == Phase::Contract);
        // Names and checksums are our own literals; none holds a quote.
        script.push_str(&format!(
            "INSERT INTO stoa_schema VALUES ('{}', '{}', '{}', {breaks}, {});\n",
            step.service, step.name, step.checksum, now.0
        ));
    }
    Ok(script)
}

/// What a start is told that finds somebody else's database.
pub fn not_ours(what: &str) -> Error {
    refused("store.not_ours", format!("{what} is not a database of Stoa"))
        .help("Choose another place with --data.")
}

impl Step {
    /// The statements in an engine's words.
    ///
    /// # Errors
    /// `store.migration`.
    pub fn statements(&self, dialect: Dialect) -> Result<Vec<String>> {
        let prefix = format!("{}_", self.service);
        split(self.sql).iter().map(|words| self.statement(words, &prefix, dialect)).collect()
    }

    fn statement(&self, words: &[String], prefix: &str, dialect: Dialect) -> Result<String> {
        let bad = |what: &str| bad(self.service, self.name, what);
        let upper: Vec<String> = words.iter().map(|word| word.to_ascii_uppercase()).collect();
        let at = |index: usize| upper.get(index).map_or("", String::as_str);
        let names: Vec<&str> = match (at(0), at(1), at(2)) {
            ("CREATE", "TABLE", _) | ("ALTER", "TABLE", _) | ("DROP", "TABLE", _) => {
                vec![words.get(2).map_or("", String::as_str)]
            }
            ("CREATE", "INDEX", _) if at(3) == "ON" => vec![&words[2], word(words, 4)],
            ("CREATE", "UNIQUE", "INDEX") if at(4) == "ON" => vec![&words[3], word(words, 5)],
            ("DROP", "INDEX", _) => vec![word(words, 2)],
            ("UPDATE" | "DELETE" | "INSERT", _, _) => vec![],
            _ => return Err(bad("only tables and indexes can be made, altered and dropped")),
        };
        if let Some(name) = names.iter().find(|name| !name.starts_with(prefix)) {
            return Err(bad(&format!("`{name}` does not start with `{prefix}`")));
        }
        let is_type = |word: &String| TYPES.contains(&word.as_str());
        if let Some(two) = upper.windows(2).find(|two| two.iter().all(is_type)) {
            let name = two[0].to_lowercase();
            return Err(bad(&format!("`{name}` is a type: call the column otherwise")));
        }
        let makes_table = at(0) == "CREATE" && at(1) == "TABLE";
        let keyed = upper.windows(4).any(|four| four == ["PRIMARY", "KEY", "(", "TENANT"]);
        if makes_table && !keyed {
            return Err(bad("every table has a primary key that begins with `tenant`"));
        }
        let starts = |place: usize| at(place) == "(" && at(place + 1) == "TENANT";
        let unique = upper.windows(3).any(|w| w[0] == "UNIQUE" && w[1] == "(" && w[2] != "TENANT");
        let indexed = match (at(1), at(2)) {
            // What is due is found over the whole cell, so that tenants with nothing to do cost nothing.
            _ if at(0) != "CREATE" || self.service == stoa_kit::KERNEL => true,
            ("INDEX", _) => starts(5),
            ("UNIQUE", "INDEX") => starts(6),
            _ => true,
        };
        if unique || !indexed {
            return Err(bad("every index begins with `tenant`"));
        }
        let mut out = Vec::with_capacity(words.len());
        for (word, upper) in words.iter().zip(&upper) {
            out.push(match (dialect, upper.as_str()) {
                (Dialect::Sqlite, "BIGINT" | "BOOLEAN") => "INTEGER",
                (Dialect::Sqlite, "BYTEA") => "BLOB",
                (Dialect::Sqlite, "DOUBLE") => "REAL",
                (Dialect::Sqlite, "PRECISION") => "",
                (Dialect::Postgres, "TEXT") => "TEXT COLLATE \"C\"",
                (
                    _,
                    "INTEGER" | "INT" | "VARCHAR" | "TIMESTAMP" | "NUMERIC" | "JSON" | "JSONB"
                    | "SERIAL" | "BLOB" | "REAL" | "AUTOINCREMENT",
                ) => {
                    return Err(bad(&format!("`{word}` is not a type of both engines")));
                }
                _ => word,
            });
        }
        let mut sql = out.join(" ");
        if makes_table && dialect == Dialect::Sqlite {
            sql.push_str(" STRICT, WITHOUT ROWID");
        }
        Ok(sql)
    }
}

fn word(words: &[String], index: usize) -> &str {
    words.get(index).map_or("", String::as_str)
}

fn bad(service: &str, name: &str, what: &str) -> Error {
    refused("store.migration", format!("migration {name} of `{service}`: {what}"))
}

fn refused(reason: &'static str, message: String) -> Error {
    Error::new(Code::FailedPrecondition, reason, message)
}

/// Splits a script into statements and those into words, dropping comments.
fn split(script: &str) -> Vec<Vec<String>> {
    let mut statements = vec![Vec::new()];
    let mut chars = script.chars().peekable();
    let mut word = String::new();
    let flush = |word: &mut String, statements: &mut Vec<Vec<String>>| {
        if !word.is_empty()
            && let Some(last) = statements.last_mut()
        {
            last.push(std::mem::take(word));
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '-' if chars.peek() == Some(&'-') => {
                for c in chars.by_ref() {
                    if c == '\n' {
                        break;
                    }
                }
                flush(&mut word, &mut statements);
            }
            '\'' => {
                word.push(c);
                for c in chars.by_ref() {
                    word.push(c);
                    if c == '\'' {
                        break;
                    }
                }
            }
            ';' => {
                flush(&mut word, &mut statements);
                statements.push(Vec::new());
            }
            '(' | ')' | ',' => {
                flush(&mut word, &mut statements);
                word.push(c);
                flush(&mut word, &mut statements);
            }
            c if c.is_whitespace() => flush(&mut word, &mut statements),
            c => word.push(c),
        }
    }
    flush(&mut word, &mut statements);
    statements.retain(|words| !words.is_empty());
    statements
}
