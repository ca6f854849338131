//! One connection as a [`Session`].

use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql};
use stoa_contract::Code;
use stoa_kit::session::{Origin, Reads, Session, Sql};
use stoa_kit::value::{Row, Type, Value};
use stoa_kit::{Error, Result};

use crate::inspect::{Inspector, Statement};
use crate::known::Known;
use crate::run::{self, Trail};

/// One connection while a command or a query runs on it.
pub(super) struct SqliteSession<'c> {
    connection: &'c Connection,
    inspector: &'c Inspector,
    known: &'c mut Known<Statement>,
    /// Whether the first write opens a savepoint, so that the command alone can be undone.
    pub guarded: bool,
    /// Whether anything was written.
    pub wrote: bool,
    /// Whether the guarding savepoint is open.
    pub guard_open: bool,
    /// What the run leaves behind.
    pub trail: Trail,
    /// The last commit that was durable before it began.
    position: i64,
}

impl<'c> SqliteSession<'c> {
    pub(super) fn new(
        connection: &'c Connection, inspector: &'c Inspector, known: &'c mut Known<Statement>,
        position: i64, guarded: bool,
    ) -> Self {
        Self {
            connection,
            inspector,
            known,
            guarded,
            wrote: false,
            guard_open: false,
            trail: Trail::default(),
            position,
        }
    }

    /// Closes the guard: keeps or undoes what the command wrote.
    pub(super) fn close_guard(&mut self, keep: bool) -> Result<()> {
        if !self.guard_open {
            return Ok(());
        }
        self.guard_open = false;
        if !keep {
            self.plain("ROLLBACK TO guard")?;
        }
        self.plain("RELEASE guard")
    }

    /// Turns the order of unordered selects around, so that a rehearsal finds who relies on it.
    pub(super) fn reverse(&self, on: bool) -> Result<()> {
        self.connection
            .pragma_update(None, "reverse_unordered_selects", on)
            .map_err(|error| translate(&error))
    }

    fn plain(&self, sql: &str) -> Result<()> {
        let run = || self.connection.prepare_cached(sql)?.raw_execute();
        run().map(|_| ()).map_err(|error| translate(&error))
    }

    fn statement(&mut self, service: u16, sql: Sql<'_>) -> Result<Arc<Statement>> {
        if let Some(known) = self.known.get(service, sql) {
            return Ok(known);
        }
        let statement = self.inspector.inspect(service, sql)?;
        self.known.put(service, sql, &statement);
        Ok(statement)
    }

    /// The guard stands outside of every other savepoint: one opened inside of an attempt would
    /// be gone when the attempt ends, and with it the way to undo what the command writes next.
    fn guard(&mut self) -> Result<()> {
        if self.guarded && !self.guard_open {
            self.plain("SAVEPOINT guard")?;
            self.guard_open = true;
        }
        Ok(())
    }

    fn perform(
        &mut self, origin: Origin<'_>, sql: Sql<'_>, params: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<bool>,
    ) -> Result<u64> {
        let statement = self.statement(origin.service, sql)?;
        let writes = !statement.writes.is_empty();
        statement.check(origin, params)?;
        self.trail.note_reads(&statement, params);
        if writes {
            self.guard()?;
        }
        self.wrote |= writes;
        let began = self.trail.begins();
        let mut failed = None;
        let mut run = || -> rusqlite::Result<u64> {
            let mut prepared = self.connection.prepare_cached(&statement.sqlite)?;
            if statement.tenant {
                prepared.raw_bind_parameter(1, origin.tenant)?;
            }
            let first = 1 + usize::from(statement.tenant);
            for (index, value) in params.iter().enumerate() {
                prepared.raw_bind_parameter(index + first, Bound(*value))?;
            }
            if !statement.returns {
                return Ok(prepared.raw_execute()? as u64);
            }
            let mut rows = prepared.raw_query();
            while let Some(row) = rows.next()? {
                match each(&SqliteRow(row)) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
            }
            drop(rows);
            Ok(if writes { self.connection.changes() } else { 0 })
        };
        let rows =
            run().map_err(|error| translate(&error).cause(format!("{error}: {}", sql.text())))?;
        if let Some(error) = failed {
            return Err(error);
        }
        self.trail.ran(&statement, began, rows);
        if writes {
            self.trail.note(origin, &statement, params, rows);
        }
        Ok(rows)
    }
}

impl Session for SqliteSession<'_> {
    fn run(
        &mut self, origin: Origin<'_>, sql: Sql<'_>, params: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<bool>,
    ) -> Result<u64> {
        self.trail.whole()?;
        let result = self.perform(origin, sql, params, each);
        self.trail.keep(result)
    }

    fn insert(&mut self, origin: Origin<'_>, sql: Sql<'_>, params: &[Value<'_>]) -> Result<()> {
        let rows = self.run(origin, sql, params, &mut |_| Ok(true))?;
        self.trail.keep(run::one_row(rows, sql.text()))
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn unseen(&mut self, unseen: bool) {
        self.trail.unseen = unseen;
    }

    fn enter(&mut self, path: &'static str) {
        self.trail.enter(path);
    }

    fn leave(&mut self) {
        self.trail.leave();
    }

    fn written(&self) -> Vec<(String, u64)> {
        self.trail.written()
    }

    fn savepoint(&mut self) -> Result<()> {
        self.trail.whole()?;
        self.guard()?;
        self.trail.savepoint();
        self.plain("SAVEPOINT attempt")
    }

    fn release(&mut self) -> Result<()> {
        self.trail.whole()?;
        self.trail.release();
        self.plain("RELEASE attempt")
    }

    fn rollback(&mut self) -> Result<()> {
        self.trail.rollback();
        self.plain("ROLLBACK TO attempt")?;
        self.plain("RELEASE attempt")
    }

    fn is_serial(&self) -> bool {
        true
    }

    fn watch(&mut self) {
        self.trail.reads = Some(Reads::default());
    }

    fn reads(&mut self) -> Reads {
        self.trail.reads.take().unwrap_or_default()
    }

    fn position(&self) -> i64 {
        self.position
    }
}

struct Bound<'a>(Value<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null(_) => ValueRef::Null,
            Value::Int(value) => ValueRef::Integer(value),
            Value::Float(value) => ValueRef::Real(value),
            Value::Bool(value) => ValueRef::Integer(value.into()),
            Value::Text(value) => ValueRef::Text(value.as_bytes()),
            Value::Bytes(value) => ValueRef::Blob(value),
            Value::Texts(values) => return json(serde_json::to_string(values)),
            Value::Ints(values) => return json(serde_json::to_string(values)),
        }))
    }
}

/// A list, as `json_each` takes it.
fn json(text: serde_json::Result<String>) -> rusqlite::Result<ToSqlOutput<'static>> {
    let text = text.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    Ok(ToSqlOutput::Owned(text.into()))
}

struct SqliteRow<'a, 's>(&'a rusqlite::Row<'s>);

impl Row for SqliteRow<'_, '_> {
    fn value(&self, column: usize) -> Result<Value<'_>> {
        match self.0.get_ref(column).map_err(Error::internal)? {
            ValueRef::Null => Ok(Value::Null(Type::Text)),
            ValueRef::Integer(value) => Ok(Value::Int(value)),
            ValueRef::Real(value) => Ok(Value::Float(value)),
            ValueRef::Text(value) => {
                std::str::from_utf8(value).map(Value::Text).map_err(Error::internal)
            }
            ValueRef::Blob(value) => Ok(Value::Bytes(value)),
        }
    }

    fn columns(&self) -> usize {
        self.0.as_ref().column_count()
    }
}

/// An error of SQLite, as callers see it. What it means for the transaction is the writer's
/// business.
pub(super) fn translate(error: &rusqlite::Error) -> Error {
    let code = error.sqlite_error_code();
    // Positions are given by one process alone.
    if code == Some(ErrorCode::ConstraintViolation) && error.to_string().contains("stoa_commit.") {
        return Error::unavailable("store.position_taken", "somebody else writes to the database")
            .cause(error);
    }
    match code {
        Some(ErrorCode::DiskFull) => {
            Error::unavailable("store.disk_full", "the disk is full").cause(error)
        }
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly) => {
            Error::unavailable("store.io", "the disk does not answer").cause(error)
        }
        Some(ErrorCode::OperationInterrupted) => run::too_slow().cause(error),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::unavailable("store.busy", "the database is locked by somebody else").cause(error)
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::new(Code::DataLoss, "store.corrupt", "the database is damaged").cause(error)
        }
        _ => Error::internal(error),
    }
}
