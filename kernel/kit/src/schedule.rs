//! When timers fire: fixed intervals, and cron in a time zone.
//!
//! Cron has five fields: minute, hour, day of month, month, day of week. Each is `*` or a list of
//! values, ranges and steps. If both day fields are restricted, either is enough (POSIX).
//!
//! A zone skips some local times and repeats others. An hour field that names hours means those
//! times of day: one that is skipped fires at the instant at which the gap ends, and one that is
//! repeated fires once, the first time. An hour field that begins with `*` means time that passes:
//! it fires whenever a clock on the wall shows what the expression says, so `*/15 * * * *` fires
//! every quarter of an hour, also of the one that is repeated.

use std::borrow::Cow;
use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::{Error, Micros, Result};

/// Years looked ahead before an expression is said never to fire.
const YEARS_MAX: i16 = 8;

/// When a timer fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// So long after it last fired.
    Every(Duration),
    /// By a cron expression of five fields in a time zone.
    Cron {
        /// Minute, hour, day of month, month, day of week.
        expression: Cow<'static, str>,
        /// The zone's name in the IANA database.
        zone: Cow<'static, str>,
    },
}

impl Schedule {
    /// By a cron expression in a time zone, as a manifest writes it.
    pub const fn cron(expression: &'static str, zone: &'static str) -> Self {
        Self::Cron { expression: Cow::Borrowed(expression), zone: Cow::Borrowed(zone) }
    }

    /// The first instant after `after` at which it fires.
    ///
    /// # Errors
    /// `internal` for an expression or a zone that is not understood, or one that never fires.
    pub fn next(&self, after: Micros) -> Result<Micros> {
        self.next_if_any(after).map_err(Error::internal)
    }

    /// The same for what somebody else wrote than whoever wrote the manifest.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn next_if_any(&self, after: Micros) -> std::result::Result<Micros, String> {
        match self {
            Self::Every(interval) => Ok(after.after(*interval)),
            Self::Cron { expression, zone } => {
                let cron = Cron::parse(expression).ok_or_else(|| {
                    format!("`{expression}` is no cron expression of five fields")
                })?;
                let zone = TimeZone::get(zone)
                    .map_err(|_| format!("`{zone}` is no time zone of the IANA database"))?;
                cron.next(&zone, after).ok_or_else(|| format!("`{expression}` never fires"))
            }
        }
    }
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Every(interval) => write!(f, "every {} ms", interval.as_millis()),
            Self::Cron { expression, zone } => write!(f, "{expression} in {zone}"),
        }
    }
}

struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    any_day: bool,
    any_weekday: bool,
    /// Whether the hour field means time that passes, rather than times of day.
    any_hour: bool,
}

impl Cron {
    fn parse(expression: &str) -> Option<Self> {
        let fields: Vec<&str> = expression.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else { return None };
        let sevens = field(weekdays, 0, 7)?;
        Some(Self {
            minutes: field(minutes, 0, 59)?,
            hours: field(hours, 0, 23)?,
            days: field(days, 1, 31)?,
            months: field(months, 1, 12)?,
            // Sunday is 0 and 7.
            weekdays: (sevens | sevens >> 7) & 0x7f,
            any_day: days.starts_with('*'),
            any_weekday: weekdays.starts_with('*'),
            any_hour: hours.starts_with('*'),
        })
    }

    fn matches(&self, date: Date) -> bool {
        let day = self.days & (1 << date.day()) != 0;
        let weekday = self.weekdays & (1 << date.weekday().to_sunday_zero_offset()) != 0;
        let any = match (self.any_day, self.any_weekday) {
            (false, false) => day || weekday,
            _ => day && weekday,
        };
        any && self.months & (1 << date.month()) != 0
    }

    fn next(&self, zone: &TimeZone, after: Micros) -> Option<Micros> {
        let after = jiff::Timestamp::from_microsecond(after.0).ok()?;
        // A day early: the instant a gap ends may belong to a time of the day before.
        let mut date = zone.to_datetime(after).date().yesterday().ok()?;
        let end = date.year().checked_add(YEARS_MAX)?;
        while date.year() < end {
            if self.matches(date)
                && let Some(found) = self.instants(zone, date).find(|instant| *instant > after)
            {
                return Some(Micros(found.as_microsecond()));
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    /// The instants of one day, in order.
    fn instants(&self, zone: &TimeZone, date: Date) -> std::vec::IntoIter<jiff::Timestamp> {
        let mut instants = Vec::new();
        for hour in (0..24i8).filter(|hour| self.hours & (1 << hour) != 0) {
            for minute in (0..60i8).filter(|minute| self.minutes & (1 << minute) != 0) {
                let local = date.at(hour, minute, 0, 0);
                if self.any_hour {
                    instants.extend(shown(zone, local));
                } else {
                    instants.extend(time_of_day(zone, local));
                }
            }
        }
        instants.sort_unstable();
        instants.dedup();
        instants.into_iter()
    }
}

/// Every instant at which a clock on the wall shows a time: none in a gap, two where the zone
/// repeats it.
fn shown(zone: &TimeZone, local: DateTime) -> impl Iterator<Item = jiff::Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let (first, second) = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } => (Some(offset), None),
        AmbiguousOffset::Fold { before, after } => (Some(before), Some(after)),
        AmbiguousOffset::Gap { .. } => (None, None),
    };
    [first, second].into_iter().flatten().filter_map(move |offset| offset.to_timestamp(local).ok())
}

/// The one instant that a time of day means.
fn time_of_day(zone: &TimeZone, local: DateTime) -> Option<jiff::Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    match ambiguous.offset() {
        AmbiguousOffset::Gap { after, .. } => {
            // Read with the offset after the change, a skipped time lies before the change;
            // the next transition is the end of the gap.
            let inside = after.to_timestamp(local).ok()?;
            let before = inside.checked_sub(jiff::Span::new().seconds(1)).ok()?;
            zone.following(before).next().map(|transition| transition.timestamp())
        }
        AmbiguousOffset::Fold { .. } | AmbiguousOffset::Unambiguous { .. } => {
            ambiguous.earlier().ok()
        }
    }
}

/// One field as a set of bits.
fn field(text: &str, least: u32, most: u32) -> Option<u64> {
    let mut bits = 0u64;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<u32>().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (least, most),
            Some((from, to)) => (from.parse().ok()?, to.parse().ok()?),
            None if part.contains('/') => (range.parse().ok()?, most),
            None => {
                let value = range.parse().ok()?;
                (value, value)
            }
        };
        if from < least || to > most || from > to {
            return None;
        }
        (from..=to).step_by(step as usize).for_each(|value| bits |= 1 << value);
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fires(
        expression: &'static str, zone: &'static str, from: &str, count: usize,
    ) -> Vec<String> {
        let mut at = Micros(from.parse::<jiff::Timestamp>().unwrap().as_microsecond());
        (0..count)
            .map(|_| {
                at = Schedule::cron(expression, zone).next(at).unwrap();
                jiff::Timestamp::from_microsecond(at.0).unwrap().to_string()
            })
            .collect()
    }

    #[test]
    fn stockholm_skips_an_hour_in_spring() {
        // 2026-03-29 02:00 does not exist; the gap ends at 01:00 UTC.
        assert_eq!(
            fires("30 2 * * *", "Europe/Stockholm", "2026-03-28T00:00:00Z", 3),
            ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
    }

    #[test]
    fn stockholm_repeats_an_hour_in_autumn() {
        assert_eq!(
            fires("30 2 * * *", "Europe/Stockholm", "2026-10-24T00:00:00Z", 3),
            ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
    }

    #[test]
    fn a_wildcard_hour_goes_by_time_that_passes() {
        assert_eq!(
            fires("*/30 * * * *", "Europe/Stockholm", "2026-10-24T23:59:00Z", 5),
            [
                "2026-10-25T00:00:00Z",
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T01:30:00Z",
                "2026-10-25T02:00:00Z"
            ]
        );
        // In spring no time passes between 02:00 and 03:00, and nothing fires twice at its end.
        assert_eq!(
            fires("15,45 * * * *", "Europe/Stockholm", "2026-03-29T00:00:00Z", 3),
            ["2026-03-29T00:15:00Z", "2026-03-29T00:45:00Z", "2026-03-29T01:15:00Z"]
        );
        assert_eq!(
            fires("0 */2 * * *", "Europe/Stockholm", "2026-10-24T23:00:00Z", 3),
            ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T03:00:00Z"]
        );
    }

    #[test]
    fn lord_howe_moves_by_half_an_hour() {
        // 2026-10-04 02:00 becomes 02:30 (UTC+10:30 to +11); 2026-04-05 02:00 becomes 01:30.
        assert_eq!(
            fires("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T20:00:00Z", 3),
            ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z", "2026-10-05T15:15:00Z"]
        );
        assert_eq!(
            fires("45 1 * * *", "Australia/Lord_Howe", "2026-04-03T20:00:00Z", 3),
            ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z", "2026-04-06T15:15:00Z"]
        );
    }

    #[test]
    fn either_day_field_is_enough_when_both_are_given() {
        assert_eq!(
            fires("0 0 13 * 5", "UTC", "2026-11-01T00:00:00Z", 3),
            ["2026-11-06T00:00:00Z", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"]
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["", "* * * *", "60 * * * *", "5-1 * * * *", "*/0 * * * *", "a * * * *"] {
            assert!(Cron::parse(bad).is_none(), "{bad}");
        }
        assert!(Schedule::cron("0 0 31 2 *", "UTC").next(Micros(0)).is_err());
    }
}
