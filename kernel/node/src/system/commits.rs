//! The story of a commit.

use std::collections::BTreeSet;

use stoa_kit::{Error, Micros, Result, View};
use stoa_store::kernel;

use super::follow::{EventRow, event};
use super::jobs::{JobRow, job};
use crate::Position;
use crate::contract::{Commit, GetCommitRequest, GetCommitResponse, TableChange};

pub(super) fn get(view: &View, request: GetCommitRequest) -> Result<GetCommitResponse> {
    const COMMIT: &str = "SELECT time, cause, caller, method, trace, tables, touched, \
         duration_us FROM stoa_commit WHERE tenant = :tenant AND position = $1";
    const EVENTS: &str = "SELECT position, ordinal, topic, message, subject, payload \
         FROM stoa_event WHERE tenant = :tenant AND position = $1 ORDER BY ordinal";
    const JOBS: &str = "SELECT id, method, state, attempts, run_at, error, position, behalf \
         FROM stoa_job WHERE tenant = :tenant AND position = $1 ORDER BY id";
    type Row = (i64, String, String, String, String, String, String, i64);
    let position = Position::parse(&request.position)?;
    let row = view.row::<Row>(COMMIT, (position.0,))?;
    let (time, cause, caller, method, trace, tables, touched, duration_us) =
        row.ok_or_else(|| Error::not_found("commit", &request.position))?;
    let tables: Vec<TableChange> = tables.split_whitespace().filter_map(table).collect();
    let services: BTreeSet<String> = tables
        .iter()
        .filter_map(|change| change.table.split_once('_'))
        .map(|(service, _)| service.to_owned())
        .collect();
    let events = view.rows::<EventRow>(EVENTS, (position.0,))?;
    let jobs = view.rows::<JobRow>(JOBS, (position.0,))?;
    let commit = Commit {
        position: position.to_string(),
        time: Micros(time).timestamp(),
        cause,
        caller,
        method,
        trace,
        services: services.into_iter().collect(),
        tables,
        touched: touched.split_whitespace().map(str::to_owned).collect(),
        events: events.into_iter().map(event).collect(),
        jobs: jobs.into_iter().map(job).collect(),
        duration_us,
    };
    Ok(GetCommitResponse { commit: commit.into() })
}

fn table(text: &str) -> Option<TableChange> {
    let (table, rows, _) = kernel::changed(text)?;
    Some(TableChange { table: table.to_owned(), rows: i64::try_from(rows).ok()? })
}
