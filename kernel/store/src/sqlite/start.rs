//! The start: whose a database is, whether all of it is there, and what it still needs.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use stoa_contract::Code;
use stoa_kit::{Error, Micros, Result, World};

use super::PAGE;
use super::files::{Files, cannot_open, damaged};
use super::session::translate;
use crate::schema::{self, Applied, Dialect, Schema};
use crate::{Options, statistics};

/// "STOA", in the header of the database file.
const APPLICATION_ID: i32 = 0x5354_4f41;
/// How long a start waits for another program that has the database locked.
const LOCKED_MAX: Duration = Duration::from_millis(500);
/// How long a start may look for damage in a database that was not closed.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// Creates a database or brings it up to date; one that is not ours, or not whole, is not touched.
pub(super) fn prepare(
    files: &Files, options: &Options, schema: &Schema, world: &Arc<dyn World>,
) -> Result<()> {
    files.log_fits()?;
    let access = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = open_file(files, access, world.as_ref())?;
    let failed = |error: rusqlite::Error| cannot_open(files.path(), &error);
    connection.busy_timeout(LOCKED_MAX).map_err(failed)?;
    let owner = owner(&connection).map_err(failed)?;
    if owner == Owner::Another {
        return Err(schema::not_ours(&files.path().display().to_string()));
    }
    let applied = applied(&connection).map_err(failed)?;
    let due = schema.due(&applied)?;
    let position = if applied.is_empty() { 0 } else { last(&connection).map_err(failed)?.0 };
    is_whole(files, position, options.accept_position)?;
    if owner == Owner::Us && !files.mark.said().is_some_and(|said| said.closed) {
        look(&mut connection, files, world)?;
    }
    files.mark.unsettled();
    if owner == Owner::Nobody {
        connection.pragma_update(None, "page_size", PAGE).map_err(failed)?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(failed)?;
        connection.pragma_update(None, "encoding", "UTF-8").map_err(failed)?;
        connection.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    }
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    // The first page of each run is another one: a copy of an earlier run is known by it.
    let mut run = [0; 4];
    world.entropy(&mut run);
    connection.pragma_update(None, "user_version", i32::from_ne_bytes(run)).map_err(failed)?;
    if due.is_empty() {
        return Ok(());
    }
    let script = schema::script(&due, Dialect::Sqlite, world.now())?;
    let mut migrate = || {
        let all = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        all.execute_batch(&script)?;
        statistics::tell(&all)?;
        all.commit()
    };
    migrate().map_err(failed)
}

/// Opens a connection.
pub(super) fn open_file(files: &Files, access: OpenFlags, world: &dyn World) -> Result<Connection> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = match world.vfs() {
        Some(vfs) => Connection::open_with_flags_and_vfs(files.path(), flags, vfs),
        None => Connection::open_with_flags(files.path(), flags),
    };
    opened.map_err(|error| cannot_open(files.path(), &error))
}

/// The youngest commit's position and time: one look-up a tenant.
pub(super) fn last(connection: &Connection) -> rusqlite::Result<(i64, Micros)> {
    const LAST: &str = "WITH RECURSIVE tenants (name) AS (
            SELECT MIN(tenant) FROM stoa_commit
            UNION ALL
            SELECT (SELECT MIN(tenant) FROM stoa_commit WHERE tenant > name)
            FROM tenants WHERE name IS NOT NULL
        )
        SELECT c.position, c.time FROM tenants JOIN stoa_commit c ON c.tenant = name
            AND c.position = (SELECT MAX(position) FROM stoa_commit WHERE tenant = name)
        ORDER BY c.position DESC LIMIT 1";
    let row = connection.query_row(LAST, [], |row| Ok((row.get(0)?, Micros(row.get(1)?))));
    match row {
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok((0, Micros(0))),
        other => other,
    }
}

/// Whether the database goes as far as it was acknowledged to have gone.
fn is_whole(files: &Files, position: i64, accepted: Option<i64>) -> Result<()> {
    let known = files.mark.said().map_or(0, |said| said.position);
    if position >= known || accepted == Some(position) {
        return Ok(());
    }
    let path = files.path().display();
    let what = format!("{path} ends with commit {position}, and {known} was acknowledged here");
    Err(Error::new(Code::FailedPrecondition, "store.lost_commits", what).help(format!(
        "Put the newer stoa.db back, together with its stoa.db-wal if there is one. To go on without \
         the commits that are missing, start once with --accept-position {position}."
    )))
}

/// Looks for damage, as far as there is time: in a database that was not closed, that of a copy made
/// while it was written to.
fn look(connection: &mut Connection, files: &Files, world: &Arc<dyn World>) -> Result<()> {
    let (clock, until) = (Arc::clone(world), world.uptime() + LOOK_MAX);
    let is_over = move || clock.uptime() > until;
    connection.progress_handler(10_000, Some(is_over)).map_err(|error| translate(&error))?;
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    connection.progress_handler(0, None::<fn() -> bool>).map_err(|error| translate(&error))?;
    match found {
        Ok(found) if found == "ok" => Ok(()),
        Ok(found) => Err(damaged(files.path(), &found)),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            tracing::info!("the database is large: it was looked at in part");
            Ok(())
        }
        Err(error) => Err(cannot_open(files.path(), &error)),
    }
}

/// Whose a database is.
#[derive(PartialEq, Eq)]
pub(super) enum Owner {
    Us,
    /// It is empty: new, or its first start ended before it had written anything.
    Nobody,
    Another,
}

pub(super) fn owner(connection: &Connection) -> rusqlite::Result<Owner> {
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let objects: i64 =
        connection.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (id, objects) {
        (APPLICATION_ID, _) => Owner::Us,
        (0, 0) => Owner::Nobody,
        _ => Owner::Another,
    })
}

fn applied(connection: &Connection) -> rusqlite::Result<Vec<Applied>> {
    const KNOWN: &str = "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'stoa_schema'";
    if connection.query_row(KNOWN, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(Vec::new());
    }
    let mut rows = connection.prepare("SELECT service, name, checksum, breaks FROM stoa_schema")?;
    let rows = rows.query_map([], |row| {
        Ok(Applied {
            service: row.get(0)?,
            name: row.get(1)?,
            checksum: row.get(2)?,
            breaks: row.get::<_, i64>(3)? != 0,
        })
    })?;
    rows.collect()
}
