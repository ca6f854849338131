//! Times and durations, as people write them.

use jiff::civil::Date;
use jiff::fmt::friendly::{Direction, Spacing, SpanPrinter};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

const TIME: &str = "write a time as 2026-11-29T15:04:05Z, 2026-11-29 (its midnight in UTC), now, \
                    -2h or +30m from now";
const DURATION: &str = "write a duration as 90s, 1h30m or 2d";

/// A time, in the form that JSON has.
pub(crate) fn timestamp(text: &str, now: Timestamp) -> Result<String, String> {
    let wrong = || TIME.to_owned();
    let time = if text == "now" {
        Some(now)
    } else if text.starts_with(['-', '+']) {
        span(text).and_then(|span| now.checked_add(span).ok())
    } else if let Ok(date) = text.parse::<Date>()
        && text.len() == 10
    {
        date.to_zoned(TimeZone::UTC).ok().map(|midnight| midnight.timestamp())
    } else {
        text.parse().ok()
    };
    Ok(time.ok_or_else(wrong)?.to_string())
}

/// A duration, in the form that JSON has.
pub(crate) fn duration(text: &str) -> Result<String, String> {
    let all = span(text).ok_or_else(|| DURATION.to_owned())?;
    let (seconds, nanos) = (all.as_secs(), all.subsec_nanos());
    let sign = if all.is_negative() { "-" } else { "" };
    let (seconds, nanos) = (seconds.unsigned_abs(), nanos.unsigned_abs());
    let part = if nanos == 0 { String::new() } else { format!(".{nanos:09}") };
    Ok(format!("{sign}{seconds}{part}s"))
}

/// A duration as people write it, from the form that JSON has: `5400s` is `1h30m`.
pub(crate) fn words(text: &str) -> Option<String> {
    let printer = SpanPrinter::new().spacing(Spacing::None).direction(Direction::Sign);
    Some(printer.duration_to_string(&span(text)?))
}

/// A duration that somebody waits.
///
/// # Errors
/// What is wrong with it, for people.
pub fn length(text: &str) -> Result<std::time::Duration, String> {
    let length = span(text).and_then(|span| span.try_into().ok());
    length.ok_or_else(|| DURATION.to_owned())
}

/// A day has 24 hours; what depends on a calendar is no duration.
fn span(text: &str) -> Option<SignedDuration> {
    let span: Span = text.parse().ok()?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let now: Timestamp = "2026-11-29T12:00:00Z".parse().unwrap();
        for (text, time) in [
            ("now", "2026-11-29T12:00:00Z"),
            ("-2h", "2026-11-29T10:00:00Z"),
            ("+30m", "2026-11-29T12:30:00Z"),
            ("+2d", "2026-12-01T12:00:00Z"),
            ("2026-11-29", "2026-11-29T00:00:00Z"),
            ("2026-11-29T15:04:05+01:00", "2026-11-29T14:04:05Z"),
            ("2026-11-29T15:04:05.25Z", "2026-11-29T15:04:05.25Z"),
        ] {
            assert_eq!(timestamp(text, now).as_deref(), Ok(time), "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "15:04", "2h", "+1mo", "2026-11-29T15:04:05"] {
            assert_eq!(timestamp(text, now).unwrap_err(), TIME, "{text}");
        }
    }

    #[test]
    fn durations_are_read() {
        for (text, duration) in [
            ("90s", "90s"),
            ("1h30m", "5400s"),
            ("2d", "172800s"),
            ("250ms", "0.250000000s"),
            ("1.5s", "1.500000000s"),
            ("-90s", "-90s"),
            ("0s", "0s"),
        ] {
            assert_eq!(super::duration(text).as_deref(), Ok(duration), "{text}");
            let words = words(duration).unwrap();
            assert_eq!(super::duration(&words).as_deref(), Ok(duration), "{words}");
        }
        assert_eq!(words("5400s").as_deref(), Some("1h30m"));
        for text in ["", "90", "1 fortnight", "1y", "1mo"] {
            assert_eq!(super::duration(text).unwrap_err(), DURATION, "{text}");
        }
    }
}
