//! What happens when the time of a schedule comes.

use stoa_kit::{JobOptions, Micros, Result, Tx};
use stoa_scheduler_v1::{
    Misfire, Occurrence, OccurrenceState, Overlap, RunOccurrenceRequest, Schedule, ScheduleState,
};

use crate::{model, store};

/// Schedules that fire in one commit.
const CHUNK: i64 = 100;

/// Why a time passed without a call.
const MISSED: (&str, &str) = ("scheduler.missed", "nothing ran when it came");
const OVERLAPS: (&str, &str) = ("scheduler.overlap", "the call before it was not over");

/// Makes occurrences of what is due, a chunk in each commit.
pub(crate) fn due(tx: &mut Tx) -> Result<()> {
    let now = tx.now();
    let due = store::due(tx, now, CHUNK)?;
    tx.again(due.len() == CHUNK as usize);
    due.into_iter().try_for_each(|schedule| fire(tx, schedule, now))
}

/// Fires a schedule for the time that it waited for, and says when it fires next.
fn fire(tx: &mut Tx, schedule: Schedule, now: Micros) -> Result<()> {
    let planned = Micros::of(&schedule.next_time);
    let makes_up = schedule.misfire == Misfire::All;
    let next = if makes_up {
        model::following(&schedule, planned)?
    } else {
        model::upcoming(&schedule, planned, now)?
    };
    let missed = schedule.misfire == Misfire::Skip && planned.after(model::GRACE) < now;
    let overlaps = || store::is_waiting(tx, &schedule.id);
    let skipped = if missed {
        Some(MISSED)
    } else if schedule.overlap == Overlap::Skip && overlaps()? {
        Some(OVERLAPS)
    } else {
        None
    };
    occur(tx, &schedule, planned, skipped)?;
    tx.again(next.is_some_and(|next| next <= now));
    let state = if next.is_some() { ScheduleState::Active } else { ScheduleState::Ended };
    tx.save(Schedule {
        state: state.into(),
        next_time: next.map(Micros::timestamp).unwrap_or_default(),
        last_time: planned.timestamp(),
        ..schedule
    })?;
    Ok(())
}

/// Notes a time of a schedule, and has its call made unless that is skipped. None where the time has
/// come already.
pub(crate) fn occur(
    tx: &mut Tx, schedule: &Schedule, planned: Micros, skipped: Option<(&str, &str)>,
) -> Result<Option<Occurrence>> {
    let now = tx.now();
    let (reason, message) = skipped.unwrap_or_default();
    let state = match skipped {
        Some(_) => OccurrenceState::Skipped,
        None => OccurrenceState::Waiting,
    };
    let occurrence = Occurrence {
        id: tx.new_id("occ"),
        schedule_id: schedule.id.clone(),
        planned_time: planned.timestamp(),
        state: state.into(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        end_time: skipped.map(|_| now.timestamp()).unwrap_or_default(),
        expire_time: now.after(model::KEPT).timestamp(),
        ..Occurrence::default()
    };
    let occurrence = tx.add_new(occurrence, "schedule_id, planned_time")?;
    if let Some(occurrence) = &occurrence
        && skipped.is_none()
    {
        let request = RunOccurrenceRequest { occurrence_id: occurrence.id.clone() };
        let in_turn = schedule.overlap == Overlap::Buffer;
        let lane = in_turn.then(|| schedule.id.clone());
        tx.enqueue(&request, JobOptions { lane, ..JobOptions::default() })?;
    }
    Ok(occurrence)
}
