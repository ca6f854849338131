//! When schedules fire: rules over a schedule alone.

use std::ops::RangeInclusive;
use std::time::Duration;

use stoa_kit::{Error, Invocation, Micros, Principal, Result, Schedule as Timing};
use stoa_scheduler_v1::Schedule;

/// Schedules of one owner.
pub(crate) const SCHEDULES_MAX: i64 = 1_000;
/// A time is missed once it is so long ago.
pub(crate) const GRACE: Duration = Duration::from_secs(60);
/// How long an occurrence is known.
pub(crate) const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What may lie between two times of a schedule.
const BETWEEN: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(366 * 24 * 60 * 60);

/// What a schedule goes by.
enum By {
    Cron(Timing),
    Every(Duration),
    At(Micros),
}

fn by(schedule: &Schedule) -> Result<By> {
    let every = schedule.every.as_option().map(length).transpose()?;
    let at = schedule.at.as_option().map(Micros::of);
    match (schedule.cron.as_str(), every, at) {
        ("", Some(every), None) => Ok(By::Every(every)),
        ("", None, Some(at)) => Ok(By::At(at)),
        (cron, None, None) if !cron.is_empty() => Ok(By::Cron(Timing::Cron {
            expression: cron.to_owned().into(),
            zone: schedule.time_zone.clone().into(),
        })),
        _ => Err(Error::field("cron", "schedule.one_way", "say one of `cron`, `every` and `at`")),
    }
}

/// How long lies between two times.
fn length(every: &buffa_types::google::protobuf::Duration) -> Result<Duration> {
    let seconds = u64::try_from(every.seconds).unwrap_or_default();
    let nanos = u32::try_from(every.nanos).unwrap_or_default();
    let every = Duration::new(seconds, nanos.min(999_999_999));
    if BETWEEN.contains(&every) {
        return Ok(every);
    }
    Err(Error::field("every", "duration.within", "is a second at least, and 366 days at most"))
}

/// The first time of a schedule that goes on from `now`.
///
/// # Errors
/// `request.invalid` where no time can be told.
pub(crate) fn first(schedule: &Schedule, now: Micros) -> Result<Micros> {
    Ok(match by(schedule)? {
        By::Cron(timing) => timing.next_if_any(now).map_err(|wrong| {
            let field = if wrong.contains("time zone") { "time_zone" } else { "cron" };
            Error::field(field, "schedule.never", wrong)
        })?,
        By::Every(every) => now.after(every),
        By::At(at) => at,
    })
}

/// The time that follows one, whether or not it has passed.
pub(crate) fn following(schedule: &Schedule, planned: Micros) -> Result<Option<Micros>> {
    Ok(match by(schedule)? {
        By::Cron(timing) => timing.next_if_any(planned).ok(),
        By::Every(every) => Some(planned.after(every)),
        By::At(_) => None,
    })
}

/// The first time after `now`, of those that follow one: a schedule that counts by how long lies between
/// keeps its beat, however late it was.
pub(crate) fn upcoming(
    schedule: &Schedule, planned: Micros, now: Micros,
) -> Result<Option<Micros>> {
    Ok(match by(schedule)? {
        By::Cron(timing) => timing.next_if_any(now.max(planned)).ok(),
        By::Every(every) => {
            let beat = every.as_micros().max(1);
            let passed = now.since(planned).as_micros() / beat;
            let ahead = u64::try_from((passed + 1) * beat).unwrap_or(u64::MAX);
            Some(planned.after(Duration::from_micros(ahead)))
        }
        By::At(_) => None,
    })
}

/// The call that a schedule makes.
pub(crate) fn invocation(schedule: &Schedule) -> Invocation {
    let request = schedule.request.as_option().cloned().unwrap_or_default();
    let principal =
        Principal { subject: schedule.subject.clone(), credential: schedule.key_id.clone() };
    Invocation::new(&schedule.method, request).on_behalf(principal)
}
