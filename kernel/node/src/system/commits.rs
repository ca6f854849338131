//! The stories of commits.

use std::collections::BTreeSet;
use std::time::Duration;

use stoa_kit::{Error, Micros, Result, View};
use stoa_store::kernel;
use stoa_store::timeline::What;

use super::Own;
use super::follow::{EventRow, event};
use super::jobs::{JobRow, job};
use crate::Position;
use crate::contract::{
    Commit, Event, GetCommitRequest, GetCommitResponse, Job, ListCommitsRequest,
    ListCommitsResponse, Span, TableChange, Timeline,
};

/// Commits that a page of a list looks at.
const LOOK_MAX: i64 = 10_000;

/// Events and jobs of a commit that are looked for as causes of others.
const CAUSES_MAX: usize = 1_000;
/// Commits that are shown as caused by one.
const CAUSED_MAX: i64 = 200;

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

pub(super) fn get(view: &View, own: &Own, request: GetCommitRequest) -> Result<GetCommitResponse> {
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
    let caused = caused(view, position, &commit)?;
    let timeline = timeline(own, &view.caller().tenant, position);
    Ok(GetCommitResponse { commit: commit.into(), caused, timeline: timeline.into() })
}

/// What the events and jobs of a commit caused, as far as it is among the next commits.
fn caused(view: &View, position: i64, of: &Commit) -> Result<Vec<Commit>> {
    const END: &str = "SELECT position FROM stoa_commit WHERE tenant = :tenant AND position > $1 \
         ORDER BY position LIMIT 1 OFFSET $2";
    const CAUSED: &str = "SELECT position, time, cause, caller, method, trace, tables, touched, \
         duration_us FROM stoa_commit WHERE tenant = :tenant AND position > $1 AND position < $2 \
         AND cause = ANY ($3) ORDER BY position LIMIT $4";
    let event = |event: &Event| format!("event:{}.{}", event.position, event.ordinal);
    let job = |job: &Job| format!("job:{}", job.id);
    let causes = of.events.iter().map(event).chain(of.jobs.iter().map(job));
    let causes: Vec<String> = causes.take(CAUSES_MAX).collect();
    if causes.is_empty() {
        return Ok(Vec::new());
    }
    let end = view.row::<(i64,)>(END, (position, LOOK_MAX))?.map_or(i64::MAX, |(end,)| end);
    let rows = view.rows(CAUSED, (position, end, causes, CAUSED_MAX))?;
    Ok(rows.into_iter().map(commit).collect())
}

/// How a commit went, where this node made it and still knows.
fn timeline(own: &Own, tenant: &str, position: i64) -> Option<Timeline> {
    let known = own.timelines()?.find(tenant, position)?;
    let us = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    let span = |kind: &str, depth: u8, (from, to): (Duration, Duration)| Span {
        kind: kind.to_owned(),
        depth: 1 + i64::from(depth),
        start_us: us(from.saturating_sub(known.asked)),
        duration_us: us(to.saturating_sub(from)),
        ..Span::default()
    };
    let (began, ended) = known.ran;
    let mut spans = vec![
        Span { depth: 0, ..span("request", 0, (known.asked, known.durable)) },
        span("checks", 0, (known.asked, known.queued)),
        span("queue", 0, (known.queued, known.taken)),
        span("turn", 0, (known.taken, began)),
        span("command", 0, (began, ended)),
    ];
    spans.extend(known.spans.iter().map(|one| {
        let (kind, name) = match &one.what {
            What::Call(path) => ("call", (*path).to_owned()),
            What::Statement(statement) => ("statement", statement.postgres.clone()),
        };
        let rows = i64::try_from(one.rows).unwrap_or(i64::MAX);
        Span { name, rows, ..span(kind, 1 + one.depth, one.time) }
    }));
    spans.push(span("record", 0, (ended, known.recorded)));
    spans.push(span("batch", 0, (known.recorded, known.sealed)));
    spans.push(span("disk", 0, (known.sealed, known.durable)));
    Some(Timeline {
        node: own.name.to_string(),
        commands: i64::try_from(known.commands).unwrap_or(i64::MAX),
        spans,
        left_out: i64::try_from(known.left_out).unwrap_or(i64::MAX),
    })
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
