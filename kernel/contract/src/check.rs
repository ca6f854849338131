//! Field rules, in the vocabulary of `buf.validate`. Generated code calls these; what they
//! report has the field's path, the rule's name and words for people.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::sync::LazyLock;

use regex::Regex;

use crate::error::shown;
use crate::{Error, Result, Violation};

/// Collects what is wrong with a message while generated code walks through it.
#[derive(Default)]
pub struct Check {
    path: String,
    violations: Vec<Violation>,
}

/// A compiled pattern that generated code keeps in a static.
pub type Pattern = LazyLock<Option<Regex>>;

/// Compiles a pattern. The code generator has already proved that it compiles.
pub const fn pattern(compile: fn() -> Option<Regex>) -> Pattern {
    LazyLock::new(compile)
}

/// What [`pattern`] runs on first use.
pub fn compile(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

/// More violations than this say nothing new.
const VIOLATIONS_MAX: usize = 32;

impl Check {
    /// The error, if any rule is broken.
    pub fn finish(self) -> Result<()> {
        if self.violations.is_empty() { Ok(()) } else { Err(Error::invalid(self.violations)) }
    }

    /// Checks what lies below a field.
    pub fn within(&mut self, field: &str, body: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(field);
        body(self);
        self.path.truncate(length);
    }

    /// Checks each item of a list.
    pub fn each<T>(
        &mut self, field: &str, items: impl IntoIterator<Item = T>,
        mut body: impl FnMut(&mut Self, T),
    ) {
        self.within(field, |check| {
            let length = check.path.len();
            for (index, item) in items.into_iter().enumerate() {
                let _ = write!(check.path, "[{index}]");
                body(check, item);
                check.path.truncate(length);
            }
        });
    }

    /// Checks each entry of a map, its key and its value.
    pub fn each_entry<'a, K: Display + 'a, V: 'a>(
        &mut self, field: &str, entries: impl IntoIterator<Item = (&'a K, &'a V)>,
        mut body: impl FnMut(&mut Self, &'a K, &'a V),
    ) {
        self.within(field, |check| {
            let length = check.path.len();
            for (key, value) in entries {
                let _ = write!(check.path, "[\"{}\"]", shown(&key.to_string()));
                body(check, key, value);
                check.path.truncate(length);
            }
        });
    }

    /// Reports a broken rule at a field of the message being checked; an empty field is the
    /// message itself.
    pub fn broken(&mut self, field: &str, rule: &'static str, message: impl Into<String>) {
        if self.violations.len() == VIOLATIONS_MAX {
            return;
        }
        let path = match (self.path.is_empty(), field.is_empty()) {
            (true, _) => field.to_owned(),
            (false, true) => self.path.clone(),
            (false, false) => format!("{}.{field}", self.path),
        };
        self.violations.push(Violation {
            path,
            rule: Cow::Borrowed(rule),
            message: message.into(),
        });
    }

    /// The field must be set.
    pub fn required(&mut self, field: &str, set: bool) {
        if !set {
            self.broken(field, "required", "is required");
        }
    }

    /// No text may hold U+0000: PostgreSQL cannot store it.
    pub fn text(&mut self, field: &str, value: &str) {
        if value.as_bytes().contains(&0) {
            self.broken(field, "string.no_nul", "must not contain the character U+0000");
        }
    }

    /// A value of a well-known type must be one that JSON can say and reads back as the same:
    /// binary protobuf carries times after the year 9999, durations of mixed signs and names in
    /// any case, and what was stored of one could be shown to nobody.
    pub fn sayable<T>(&mut self, field: &str, value: &T)
    where
        T: serde::Serialize + serde::de::DeserializeOwned + PartialEq,
    {
        let text = serde_json::to_vec(value);
        let back = text.and_then(|text| serde_json::from_slice::<T>(&text));
        if back.is_ok_and(|back| back == *value) {
            return;
        }
        self.broken(field, "json.range", "must lie within what the JSON of its type can say");
    }

    /// At least so many characters.
    pub fn min_len(&mut self, field: &str, value: &str, least: u64) {
        if (value.chars().count() as u64) < least {
            let unit = if least == 1 { "character" } else { "characters" };
            self.broken(field, "string.min_len", format!("must have at least {least} {unit}"));
        }
    }

    /// At most so many characters.
    pub fn max_len(&mut self, field: &str, value: &str, most: u64) {
        if value.len() as u64 > most && value.chars().count() as u64 > most {
            self.broken(field, "string.max_len", format!("must have at most {most} characters"));
        }
    }

    /// At least so many bytes.
    pub fn min_bytes(&mut self, field: &str, rule: &'static str, value: &[u8], least: u64) {
        if (value.len() as u64) < least {
            self.broken(field, rule, format!("must have at least {least} bytes"));
        }
    }

    /// At most so many bytes.
    pub fn max_bytes(&mut self, field: &str, rule: &'static str, value: &[u8], most: u64) {
        if value.len() as u64 > most {
            self.broken(field, rule, format!("must have at most {most} bytes"));
        }
    }

    /// The text must match.
    pub fn matches(&mut self, field: &str, value: &str, pattern: &Pattern, source: &str) {
        if !pattern.as_ref().is_some_and(|regex| regex.is_match(value)) {
            self.broken(field, "string.pattern", format!("must match `{source}`"));
        }
    }

    /// The text must be one of a few.
    pub fn one_of(&mut self, field: &str, value: &str, allowed: &[&str]) {
        if !allowed.contains(&value) {
            self.broken(field, "string.in", format!("must be one of {}", allowed.join(", ")));
        }
    }

    /// A bound on a number; `holds` is the comparison, `bound` its words.
    pub fn bound(&mut self, field: &str, rule: &'static str, holds: bool, bound: &str) {
        if !holds {
            self.broken(field, rule, format!("must be {bound}"));
        }
    }

    /// The least amount of the money being checked.
    pub fn least(&mut self, amount: i64, least: i64) {
        let bound = match least {
            0 => "not negative".to_owned(),
            least => format!("at least {least}"),
        };
        self.bound("amount", "int64.gte", amount >= least, &bound);
    }

    /// Of several amounts of money, there is one in a currency.
    pub fn one_a_currency<'a>(
        &mut self, field: &str, prices: impl IntoIterator<Item = &'a crate::v1::Money>,
    ) {
        let mut currencies = std::collections::BTreeSet::new();
        self.each(field, prices, |check, money| {
            if !currencies.insert(&money.currency) {
                check.broken("currency", "repeated.unique", "must be in one of them only");
            }
        });
    }

    /// How many items a list or pairs a map may have.
    pub fn count(&mut self, field: &str, rule: &'static str, holds: bool, bound: &str) {
        if !holds {
            self.broken(field, rule, format!("must have {bound} items"));
        }
    }

    /// The number must name a value of the enum.
    pub fn defined(&mut self, field: &str, known: bool) {
        if !known {
            self.broken(field, "enum.defined_only", "must be a value that the contract defines");
        }
    }

    /// An e-mail address that mail can be sent to: of what HTML's `input type=email` takes, that
    /// which is a `dot-atom` before the `@` (RFC 5321 §4.1.2). A dot in the domain is not asked for.
    pub fn email(&mut self, field: &str, value: &str) {
        static PATTERN: Pattern = pattern(|| {
            compile(
                "^[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+(?:\\.[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+)*@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$",
            )
        });
        let short = value.len() <= 254 && value.find('@').is_some_and(|at| at <= 64);
        if !PATTERN.as_ref().is_some_and(|regex| short && regex.is_match(value)) {
            self.broken(field, "string.email", "must be an e-mail address");
        }
    }

    /// A UUID in its canonical form (RFC 9562).
    pub fn uuid(&mut self, field: &str, value: &str) {
        let ok = value.len() == 36
            && value.bytes().enumerate().all(|(index, byte)| match index {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            });
        if !ok {
            self.broken(field, "string.uuid", "must be a UUID");
        }
    }

    /// An absolute URI: a scheme and something after it (RFC 3986), no white space.
    pub fn uri(&mut self, field: &str, value: &str) {
        static PATTERN: Pattern =
            pattern(|| compile("^[A-Za-z][A-Za-z0-9+.-]*:[^\\s<>\"{}|\\\\^`]+$"));
        if !PATTERN.as_ref().is_some_and(|regex| regex.is_match(value)) {
            self.broken(field, "string.uri", "must be an absolute URI");
        }
    }
}
