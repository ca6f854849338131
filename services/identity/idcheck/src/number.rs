//! The rules: Skatteverket's SKV 704 for people, SKV 707 for coordination numbers, and the law on
//! identification of legal persons (1974:174). The last digit checks the nine before it (Luhn).

use std::ops::RangeInclusive;

use jiff::civil::Date;
use stoa_idcheck_v1::Kind;

/// What is added to the day of birth in a coordination number.
const COORDINATION: i8 = 60;
/// The century that stands before an organisation's number where twelve digits are wanted.
const ORGANISATION: i16 = 16;
/// The centuries that anybody with a number was born in.
const CENTURIES: RangeInclusive<i16> = 18..=20;
/// The birth numbers of series that numbers for tests are taken from.
const TESTS: [RangeInclusive<u16>; 2] = [238..=239, 980..=999];

/// A number that can be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) kind: Kind,
    /// Twelve digits, ten for an organisation.
    pub(crate) normal: String,
    pub(crate) birth_date: Option<Date>,
    pub(crate) is_test: bool,
}

/// Why a text is no number that was asked for. What the text is, is not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Form,
    Check,
    Date,
    Birth,
    Kind,
}

impl Fault {
    /// The rule that was broken.
    pub(crate) fn rule(self) -> &'static str {
        match self {
            Self::Form => "number.form",
            Self::Check => "number.check",
            Self::Date => "number.date",
            Self::Birth => "number.birth",
            Self::Kind => "number.kind",
        }
    }

    /// The same for people.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Form => {
                "must be ten or twelve digits, with `-` or `+` before the last four or without"
            }
            Self::Check => "has a digit that is wrong: the last one does not fit the others",
            Self::Date => "does not begin with a day on which somebody can have been born",
            Self::Birth => "has a birth number, 000, that is given to nobody",
            Self::Kind => "is not of a kind that was asked for",
        }
    }
}

/// A number as it is written.
struct Written {
    century: Option<i16>,
    digits: [u8; 10],
    plus: bool,
}

/// Reads a number, as it is to be understood on a day.
pub(crate) fn parse(text: &str, today: Date) -> Result<Number, Fault> {
    let written = read(text).ok_or(Fault::Form)?;
    if !checks(&written.digits) {
        return Err(Fault::Check);
    }
    // No month begins with 2: by that people and organisations are told apart.
    if written.digits[2] >= 2 { organisation(&written) } else { person(&written, today) }
}

fn read(text: &str) -> Option<Written> {
    let mut digits = text.as_bytes().to_vec();
    let sign = digits.len().checked_sub(5).and_then(|place| {
        let sign = digits[place];
        matches!(sign, b'-' | b'+').then(|| digits.remove(place))
    });
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits: Vec<u8> = digits.into_iter().map(|digit| digit - b'0').collect();
    let (century, digits) = match *digits.as_slice() {
        [tens, ones, ref rest @ ..] if rest.len() == 10 => (Some(two(tens, ones)), rest),
        ref rest => (None, rest),
    };
    Some(Written { century, digits: digits.try_into().ok()?, plus: sign == Some(b'+') })
}

fn two(tens: u8, ones: u8) -> i16 {
    i16::from(tens) * 10 + i16::from(ones)
}

/// Luhn: every other digit counts twice, and all of them come to a multiple of ten.
fn checks(digits: &[u8; 10]) -> bool {
    let sum: u8 = digits
        .iter()
        .enumerate()
        .map(|(place, digit)| {
            let counted = if place % 2 == 0 { digit * 2 } else { *digit };
            counted / 10 + counted % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

fn organisation(written: &Written) -> Result<Number, Fault> {
    let century = written.century.is_none_or(|century| century == ORGANISATION);
    if !century || written.plus || written.digits[0] == 0 {
        return Err(Fault::Form);
    }
    let normal = text(&written.digits);
    Ok(Number { kind: Kind::Organisation, normal, birth_date: None, is_test: false })
}

fn person(written: &Written, today: Date) -> Result<Number, Fault> {
    let [y, r, m, o, d, a, birth @ .., _] = written.digits;
    let month = two(m, o) as i8;
    let day = two(d, a) as i8;
    let year = match written.century {
        Some(century) if CENTURIES.contains(&century) => century * 100 + two(y, r),
        Some(_) => return Err(Fault::Date),
        None => year(two(y, r), written.plus, today),
    };
    let is_coordination = day >= COORDINATION;
    let birth_date = if is_coordination {
        // Where the day is not known it is 0, and where all of a month's are taken, any other.
        if month > 12 || day > COORDINATION + 31 || year > today.year() {
            return Err(Fault::Date);
        }
        Date::new(year, month, day - COORDINATION).ok()
    } else {
        Some(Date::new(year, month, day).map_err(|_| Fault::Date)?)
    };
    if birth_date.is_some_and(|date| date > today) {
        return Err(Fault::Date);
    }
    let birth = birth.iter().fold(0, |number, digit| number * 10 + u16::from(*digit));
    if birth == 0 {
        return Err(Fault::Birth);
    }
    Ok(Number {
        kind: if is_coordination { Kind::Coordination } else { Kind::Person },
        normal: format!("{:02}{}", year / 100, text(&written.digits)),
        birth_date,
        is_test: TESTS.iter().any(|series| series.contains(&birth)),
    })
}

/// The year of birth that two digits mean: the latest that is not to come, and a hundred years before
/// that with a `+`, which is written from the year in which somebody turns 100.
fn year(digits: i16, plus: bool, today: Date) -> i16 {
    let latest = if plus { today.year() - 100 } else { today.year() };
    latest - (latest - digits).rem_euclid(100)
}

fn text(digits: &[u8; 10]) -> String {
    digits.iter().map(|digit| char::from(b'0' + digit)).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use jiff::civil::date;

    use super::*;

    /// Skatteverket's test numbers, one a line; `tests/data/README.md` says where they are from.
    fn vectors(gz: &[u8]) -> Vec<String> {
        let mut text = String::new();
        flate2::read::GzDecoder::new(gz).read_to_string(&mut text).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    const TODAY: Date = date(2026, 11, 29);
    const PERSONS: &[u8] = include_bytes!("../tests/data/persons.gz");
    const COORDINATIONS: &[u8] = include_bytes!("../tests/data/coordinations.gz");

    #[test]
    fn every_official_test_number_is_accepted_and_none_with_a_digit_changed() {
        let all = [(Kind::Person, PERSONS, 41_129), (Kind::Coordination, COORDINATIONS, 2_264)];
        let (mut dateless, mut of_series) = (0, 0);
        for (kind, gz, count) in all {
            let numbers = vectors(gz);
            assert_eq!(numbers.len(), count);
            for (nth, text) in numbers.iter().enumerate() {
                let found = parse(text, TODAY).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
                assert_eq!((found.kind, &found.normal), (kind, text));
                let written = format!("{}-{}", &text[..8], &text[8..]);
                assert_eq!(parse(&written, TODAY).as_ref(), Ok(&found));
                let sign =
                    if TODAY.year() - text[..4].parse::<i16>().unwrap() >= 100 { '+' } else { '-' };
                let short = format!("{}{sign}{}", &text[2..8], &text[8..]);
                let within = TODAY.year() - 200 < text[..4].parse().unwrap();
                assert!(!within || parse(&short, TODAY).as_ref() == Ok(&found), "{short}");
                for place in 2..12 {
                    let mut changed = text.clone().into_bytes();
                    changed[place] = b'0' + (changed[place] - b'0' + 1 + (nth % 9) as u8) % 10;
                    let changed = String::from_utf8(changed).unwrap();
                    assert_eq!(parse(&changed, TODAY), Err(Fault::Check), "{changed}");
                }
                dateless += usize::from(found.birth_date.is_none());
                of_series += usize::from(found.is_test);
            }
        }
        assert_eq!((dateless, of_series), (194, 41_260));
    }

    #[test]
    fn what_people_write_is_understood_by_the_day() {
        let born = |text: &str, today| parse(text, today).map(|found| found.birth_date);
        let day = date(1926, 12, 31);
        assert_eq!(born("261231-2385", date(2025, 12, 31)), Ok(Some(day)));
        assert_eq!(born("261231+2385", date(2026, 1, 1)), Ok(Some(day)));
        assert_eq!(born("261231-2385", date(2026, 1, 1)), Err(Fault::Date), "it is to come");
        assert_eq!(born("2612312385", date(2026, 12, 31)), Ok(Some(date(2026, 12, 31))));
        assert_eq!(born("0002292399", TODAY), Ok(Some(date(2000, 2, 29))));
        assert_eq!(born("090527+1474", TODAY), Ok(Some(date(1909, 5, 27))));
        assert_eq!(born("090527-1474", TODAY), Ok(Some(date(2009, 5, 27))));
    }

    #[test]
    fn what_is_no_number_is_told_apart_from_one_that_is_mistyped() {
        for (text, fault) in [
            ("", Fault::Form),
            ("1", Fault::Form),
            ("090527 1474", Fault::Form),
            ("0905271474-", Fault::Form),
            ("0905-271474", Fault::Form),
            ("19190905271474", Fault::Form),
            ("０９０５２７1474", Fault::Form),
            ("20000101T220", Fault::Form),
            ("150916-0006", Fault::Birth),
            ("19700428-9895", Fault::Check),
            ("19420566-9899", Fault::Check),
            ("210905271474", Fault::Date),
            ("20260229-2399", Fault::Date),
            ("855104-0722", Fault::Check),
            ("198551040721", Fault::Form),
            ("855104+0721", Fault::Form),
        ] {
            assert_eq!(parse(text, TODAY), Err(fault), "{text}");
        }
    }

    #[test]
    fn organisations_have_ten_digits_with_or_without_16_before_them() {
        for text in ["855104-0721", "8551040721", "16855104-0721", "168551040721"] {
            let found = parse(text, TODAY).unwrap();
            assert_eq!((found.kind, &*found.normal), (Kind::Organisation, "8551040721"));
        }
        for text in ["857209-0606", "802005-1952", "802005-7538", "802406-2302", "802014-4120"] {
            assert_eq!(parse(text, TODAY).unwrap().kind, Kind::Organisation);
        }
    }
}
