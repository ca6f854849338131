//! The calls that schedules make, and what becomes of them.

use stoa_kit::{Code, Ctx, Error, Result, Tx};
use stoa_scheduler_v1::{
    FindScheduleRequest, Occurrence, OccurrenceEnded, OccurrenceState, RunOccurrenceRequest,
    RunOccurrenceResponse, Schedule, ScheduleState,
};

use crate::model;

/// Why a call is refused that will be refused again.
const REFUSED: [&str; 5] = [
    "job.principal",
    "auth.permission_denied",
    "auth.required",
    "node.no_such_method",
    "node.not_later",
];

/// Makes the call of an occurrence. What the method refuses is an answer; what may succeed later is tried
/// again, under the same key.
pub(crate) async fn run(ctx: &Ctx, request: RunOccurrenceRequest) -> Result<RunOccurrenceResponse> {
    let find = FindScheduleRequest { occurrence_id: request.occurrence_id };
    let found = ctx.call(find).await?.schedule.into_option();
    let Some(schedule) = found else {
        return Ok(refused("scheduler.deleted", "the schedule was deleted"));
    };
    match ctx.invoke(model::invocation(&schedule)).await {
        Ok(_) => Ok(RunOccurrenceResponse::default()),
        Err(error) if may_pass(error.code()) => Err(error),
        Err(error) => Ok(refused(error.reason(), error.message())),
    }
}

/// Whether what stands in the way may be gone later.
fn may_pass(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::DeadlineExceeded
            | Code::Internal
            | Code::Unknown
    )
}

fn refused(reason: &str, message: &str) -> RunOccurrenceResponse {
    RunOccurrenceResponse { reason: reason.to_owned(), message: message.to_owned() }
}

/// Notes what a call came to; a schedule whose calls will be refused pauses.
pub(crate) fn settled(
    tx: &mut Tx, request: &RunOccurrenceRequest, outcome: Result<&RunOccurrenceResponse, &Error>,
) -> Result<()> {
    let Some(occurrence) = tx.get::<Occurrence>(&request.occurrence_id)? else { return Ok(()) };
    let (reason, message) = match outcome {
        Ok(reply) => (reply.reason.clone(), reply.message.clone()),
        Err(error) => (error.reason().to_owned(), error.message().to_owned()),
    };
    let state = match reason.as_str() {
        "" => OccurrenceState::Succeeded,
        _ => OccurrenceState::Failed,
    };
    tx.emit(&OccurrenceEnded {
        schedule_id: occurrence.schedule_id.clone(),
        occurrence_id: occurrence.id.clone(),
        state: state.into(),
        reason: reason.clone(),
    });
    if REFUSED.contains(&reason.as_str()) {
        pause(tx, &occurrence.schedule_id, &reason)?;
    }
    let end_time = tx.now().timestamp();
    tx.save(Occurrence { state: state.into(), reason, message, end_time, ..occurrence })?;
    Ok(())
}

fn pause(tx: &mut Tx, id: &str, reason: &str) -> Result<()> {
    let Some(schedule) = tx.get::<Schedule>(id)? else { return Ok(()) };
    if schedule.state == ScheduleState::Active {
        tx.save(paused(schedule, reason))?;
    }
    Ok(())
}

/// A schedule that waits for no time any more, and why.
pub(crate) fn paused(schedule: Schedule, reason: &str) -> Schedule {
    Schedule {
        state: ScheduleState::Paused.into(),
        pause_reason: reason.to_owned(),
        next_time: Default::default(),
        ..schedule
    }
}
