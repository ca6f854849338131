//! The stories of commits.

use std::collections::BTreeSet;

use stoa_kit::{Error, Micros, Result, View};
use stoa_store::kernel;

use super::follow::{EventRow, event};
use super::jobs::{JobRow, job};
use crate::Position;
use crate::contract::{
    Commit, GetCommitRequest, GetCommitResponse, ListCommitsRequest, ListCommitsResponse,
    TableChange,
};

/// Commits that a page of a list looks at.
const LOOK_MAX: i64 = 10_000;

/// A commit's row, with its position first.
type CommitRow = (i64, i64, String, String, String, String, String, String, i64);

pub(super) fn list(view: &View, request: ListCommitsRequest) -> Result<ListCommitsResponse> {
    const END: &str = "SELECT position FROM stoa_commit WHERE tenant = :tenant \
         AND position < $1 AND position > $2 ORDER BY position DESC LIMIT 1 OFFSET $3";
    const LOOK: &str = "SELECT position, touched FROM stoa_commit WHERE tenant = :tenant \
         AND position < $1 AND position > $2 AND ($3 = '' OR method = $3) \
         AND ($4 = '' OR caller = $4) AND ($5 = '' OR trace = $5) \
         ORDER BY position DESC LIMIT $6";
    const SHOW: &str = "SELECT position, time, cause, caller, method, trace, tables, touched, \
         duration_us FROM stoa_commit WHERE tenant = :tenant AND position = ANY ($1) \
         ORDER BY position DESC";
    let ListCommitsRequest { position, touched, method, caller, trace, .. } = &request;
    let page = view.page(&request, 1)?;
    let place = |text: &str, none| match text {
        "" => Ok(none),
        text => Position::parse(text).map(|position| position.0),
    };
    let (below, above) = (place(page.after(), i64::MAX)?, place(position, 0)?);
    let looked_to = view.row::<(i64,)>(END, (below, above, LOOK_MAX - 1))?.map(|(last,)| last);
    let above = looked_to.map_or(above, |last| last - 1);
    let most = if touched.is_empty() { page.limit() } else { LOOK_MAX };
    let found = view.rows::<(i64, String)>(LOOK, (below, above, method, caller, trace, most))?;
    let is_wanted = |all: &str| touched.is_empty() || all.split(' ').any(|one| one == touched);
    let wanted = found.into_iter().filter(|(_, all)| is_wanted(all)).map(|(position, _)| position);
    let wanted: Vec<i64> = wanted.take(page.limit().unsigned_abs() as usize).collect();
    let mut commits = view.rows(SHOW, (wanted,))?.into_iter().map(commit).collect();
    let next_page_token = page.cut_at(
        &mut commits,
        |commit| vec![commit.position.clone()],
        looked_to.map(|last| vec![Position(last).to_string()]),
    )?;
    Ok(ListCommitsResponse { commits, next_page_token })
}

pub(super) fn get(view: &View, request: GetCommitRequest) -> Result<GetCommitResponse> {
    const COMMIT: &str = "SELECT position, time, cause, caller, method, trace, tables, touched, \
         duration_us FROM stoa_commit WHERE tenant = :tenant AND position = $1";
    const EVENTS: &str = "SELECT position, ordinal, topic, message, subject, payload \
         FROM stoa_event WHERE tenant = :tenant AND position = $1 ORDER BY ordinal";
    const JOBS: &str = "SELECT id, method, state, attempts, run_at, error, position, behalf \
         FROM stoa_job WHERE tenant = :tenant AND position = $1 ORDER BY id";
    let position = Position::parse(&request.position)?.0;
    let row = view.row(COMMIT, (position,))?;
    let row = row.ok_or_else(|| Error::not_found("commit", &request.position))?;
    let events = view.rows::<EventRow>(EVENTS, (position,))?;
    let jobs = view.rows::<JobRow>(JOBS, (position,))?;
    let commit = Commit {
        events: events.into_iter().map(event).collect(),
        jobs: jobs.into_iter().map(job).collect(),
        ..commit(row)
    };
    Ok(GetCommitResponse { commit: commit.into() })
}

/// A commit without its events and jobs.
fn commit(
    (position, time, cause, caller, method, trace, tables, touched, duration_us): CommitRow,
) -> Commit {
    let tables: Vec<TableChange> = tables.split_whitespace().filter_map(table).collect();
    let services: BTreeSet<&str> =
        tables.iter().filter_map(|change| Some(change.table.split_once('_')?.0)).collect();
    Commit {
        position: Position(position).to_string(),
        time: Micros(time).timestamp(),
        cause,
        caller,
        method,
        trace,
        services: services.into_iter().map(str::to_owned).collect(),
        touched: touched.split_whitespace().map(str::to_owned).collect(),
        tables,
        duration_us,
        ..Commit::default()
    }
}

fn table(text: &str) -> Option<TableChange> {
    let (table, rows, _) = kernel::changed(text)?;
    Some(TableChange { table: table.to_owned(), rows: i64::try_from(rows).ok()? })
}
