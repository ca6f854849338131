//! The rows of schedules and their occurrences.

use stoa_kit::{Micros, Result, Tx, View};
use stoa_scheduler_v1::Schedule;

/// How many schedules somebody has.
pub(crate) fn count(view: &View, owner: &str) -> Result<i64> {
    const COUNT: &str =
        "SELECT COUNT(*) FROM scheduler_schedule WHERE tenant = :tenant AND owner = $1";
    Ok(view.row::<(i64,)>(COUNT, (owner,))?.map_or(0, |(count,)| count))
}

/// When the next schedule fires.
pub(crate) fn next_time(view: &View) -> Result<Option<Micros>> {
    const NEXT: &str = "SELECT next_time FROM scheduler_schedule \
         WHERE tenant = :tenant AND next_time IS NOT NULL ORDER BY next_time LIMIT 1";
    Ok(view.row::<(Micros,)>(NEXT, ())?.map(|(next,)| next))
}

/// Schedules whose time has come, the earliest first.
pub(crate) fn due(view: &View, now: Micros, limit: i64) -> Result<Vec<Schedule>> {
    view.all("next_time IS NOT NULL AND next_time <= $1 ORDER BY next_time LIMIT $2", (now, limit))
}

/// Whether a call of a schedule is not over.
pub(crate) fn is_waiting(view: &View, schedule: &str) -> Result<bool> {
    const WAITING: &str = "SELECT id FROM scheduler_occurrence \
         WHERE tenant = :tenant AND schedule_id = $1 AND state = 'waiting' LIMIT 1";
    Ok(view.row::<(String,)>(WAITING, (schedule,))?.is_some())
}

/// The schedule of an occurrence whose call is not over.
pub(crate) fn schedule_of(view: &View, occurrence: &str) -> Result<Option<Schedule>> {
    view.find(
        "id = (SELECT schedule_id FROM scheduler_occurrence \
               WHERE tenant = :tenant AND id = $1 AND state = 'waiting')",
        (occurrence,),
    )
}

/// Lets go of somebody who is erased: what they scheduled happens no more.
pub(crate) fn erase(tx: &mut Tx, owner: &str) -> Result<()> {
    tx.execute("DELETE FROM scheduler_schedule WHERE tenant = :tenant AND owner = $1", (owner,))?;
    Ok(())
}
