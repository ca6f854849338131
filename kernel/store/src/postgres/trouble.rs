//! Errors of PostgreSQL: what they mean for a transaction, and for a caller.

use stoa_contract::Code;
use stoa_kit::Error;
use tokio_postgres::error::{Severity, SqlState};

use super::link::{cause, lost};
use crate::run;

/// What an error means for a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection is gone.
    Lost,
    /// Another transaction was in the way: run again.
    Conflict,
    /// A key was there already. Among serializable transactions this may be a conflict in
    /// disguise, so the command is run once more.
    Duplicate,
    /// Anything else.
    Other,
}

impl Fault {
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        let Some(refused) = error.as_db_error() else { return Self::Lost };
        let code = refused.code();
        match refused.parsed_severity() {
            Some(Severity::Fatal | Severity::Panic) => return Self::Lost,
            _ if code.code().starts_with("08") || code.code().starts_with("57P") => {
                return Self::Lost;
            }
            _ => {}
        }
        match *code {
            SqlState::T_R_SERIALIZATION_FAILURE
            | SqlState::T_R_DEADLOCK_DETECTED
            | SqlState::LOCK_NOT_AVAILABLE => Self::Conflict,
            SqlState::UNIQUE_VIOLATION => Self::Duplicate,
            // Another node has migrated under a prepared statement: a new connection knows.
            SqlState::FEATURE_NOT_SUPPORTED if refused.message().contains("cached plan") => {
                Self::Lost
            }
            _ => Self::Other,
        }
    }
}

/// Whether a transaction that met this error can be run again.
pub(super) fn is_passing(error: &Error) -> bool {
    matches!(error.reason(), "store.conflict" | "store.lost")
}

/// Why there is no connection.
pub(super) fn refused(error: &tokio_postgres::Error) -> Error {
    if error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS) {
        return Error::unavailable("store.busy", "the database gives this node no connection more")
            .help("Nothing was changed; retry with the same idempotency key.")
            .cause(cause(error));
    }
    super::gone("the database does not answer").cause(cause(error))
}

/// An error as callers see it.
pub(super) fn translate(error: &tokio_postgres::Error, sql: &str) -> Error {
    let because = format!("{}: {sql}", cause(error));
    match Fault::of(error) {
        Fault::Lost => return lost().cause(because),
        Fault::Conflict => return super::conflict(&because),
        Fault::Duplicate | Fault::Other => {}
    }
    let state = error.code();
    if state == Some(&SqlState::QUERY_CANCELED) {
        return run::too_slow().cause(because);
    }
    if state == Some(&SqlState::DISK_FULL) {
        return Error::unavailable("store.disk_full", "the disk is full").cause(because);
    }
    if state == Some(&SqlState::READ_ONLY_SQL_TRANSACTION) {
        return Error::unavailable("store.read_only", "the database takes no writes")
            .cause(because);
    }
    if matches!(state, Some(&SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED)) {
        return Error::new(Code::DataLoss, "store.corrupt", "the database is damaged")
            .cause(because);
    }
    match state.map_or("", |state| &state.code()[..2]) {
        "53" => Error::unavailable("store.busy", "the database has no room").cause(because),
        "58" => Error::unavailable("store.io", "the disk does not answer").cause(because),
        _ => Error::internal(because),
    }
}
