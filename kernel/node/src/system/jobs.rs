//! Jobs, as whoever looks after them sees them.

use stoa_kit::{Micros, Reason as _, Result, Tx, View};

use crate::Position;
use crate::contract::*;

/// Dead jobs tried again in one commit.
const RETRIED_MAX: i64 = 1_000;

pub(super) type JobRow = (String, String, String, i64, i64, String, i64, String);

pub(super) fn list(view: &View, request: ListJobsRequest) -> Result<ListJobsResponse> {
    const LIST: &str = "SELECT id, method, state, attempts, run_at, error, position, behalf \
         FROM stoa_job WHERE tenant = :tenant AND ($1 = '' OR state = $1) \
         AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3 \
     /* whole: a day of jobs, for people who look */";
    let page = view.page(&request, 1)?;
    let rows = view.rows::<JobRow>(LIST, (&request.state, page.after(), page.limit()))?;
    let mut jobs = rows.into_iter().map(job).collect();
    let next_page_token = page.cut(&mut jobs, |job: &Job| vec![job.id.clone()])?;
    Ok(ListJobsResponse { jobs, next_page_token })
}

pub(super) fn retry(tx: &mut Tx, request: RetryJobRequest) -> Result<RetryJobResponse> {
    const RETRY: &str = "UPDATE stoa_job SET state = 'ready', attempts = 0, run_at = $2, \
         time = $2 WHERE tenant = :tenant AND id = $1 AND state = 'dead'";
    let now = tx.now();
    if tx.execute(RETRY, (&request.id, now.0))? == 0 {
        return Err(Reason::JobNotDead.because("there is no dead job of this name"));
    }
    Ok(RetryJobResponse {})
}

pub(super) fn retry_all(tx: &mut Tx, request: RetryJobsRequest) -> Result<RetryJobsResponse> {
    const RETRY: &str = "UPDATE stoa_job SET state = 'ready', attempts = 0, run_at = $2, \
         time = $2 WHERE tenant = :tenant AND id IN (SELECT id FROM stoa_job \
         WHERE tenant = :tenant AND state = 'dead' AND method = $1 ORDER BY id LIMIT $3)";
    const LEFT: &str = "SELECT COUNT(*) FROM stoa_job \
         WHERE tenant = :tenant AND state = 'dead' AND method = $1";
    let now = tx.now();
    let retried = tx.execute(RETRY, (&request.method, now.0, RETRIED_MAX))?;
    let left = tx.row::<(i64,)>(LEFT, (&request.method,))?.map_or(0, |(count,)| count);
    Ok(RetryJobsResponse { retried: i64::try_from(retried).unwrap_or(i64::MAX), left })
}

pub(super) fn drop(tx: &mut Tx, request: DropJobRequest) -> Result<DropJobResponse> {
    const DROP: &str = "DELETE FROM stoa_job WHERE tenant = :tenant AND id = $1 AND state = 'dead'";
    if tx.execute(DROP, (&request.id,))? == 0 {
        return Err(Reason::JobNotDead.because("there is no dead job of this name"));
    }
    Ok(DropJobResponse {})
}

pub(super) fn job(
    (id, method, state, attempts, run_at, error, position, on_behalf): JobRow,
) -> Job {
    Job {
        id,
        method,
        state,
        attempts,
        run_time: Micros(run_at).timestamp(),
        error,
        position: Position(position).to_string(),
        on_behalf,
    }
}
