//! Requests that were good once: how many of them are tried, from which seed, and what becomes of them.
//!
//! A test tries a few with every run, always the same. `make fuzz` tries very many with another seed each
//! time, by the same code.

use std::fmt::Display;
use std::str::FromStr;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// How many a test tries: `STOA_FUZZ_CASES`, or so many where that is not said.
pub fn cases(usual: usize) -> usize {
    said("STOA_FUZZ_CASES").unwrap_or(usual)
}

/// What everything is drawn from: `STOA_FUZZ_SEED`, or 1. It is printed, so that what failed can be tried
/// again.
#[allow(clippy::print_stdout, reason = "a failure is told with it")]
pub fn seed() -> u64 {
    let seed = said("STOA_FUZZ_SEED").unwrap_or(1);
    println!("STOA_FUZZ_SEED={seed} STOA_FUZZ_CASES={}", cases(0));
    seed
}

/// What draws from strategies.
pub fn runner() -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed().to_le_bytes());
    let config = Config { failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

fn said<T: FromStr<Err: Display>>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

/// Numbers that are random enough (SplitMix64, Steele 2014).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Those that follow from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next one.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// One below a bound, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound as u64) as usize
    }

    /// One of several.
    pub fn one<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// What stands where something else should: a value that is odd in one way or another.
fn odd(random: &mut Random) -> Value {
    match random.below(34) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(false),
        3 => json!(0),
        4 => json!(-1),
        5 => json!(1.5),
        6 => json!(1e300),
        7 => json!(i64::MAX),
        8 => json!(i64::MIN),
        9 => json!(u64::MAX),
        10 => json!(i64::from(i32::MAX) + 1),
        11 => json!(""),
        12 => json!(" "),
        13 => json!("x"),
        14 => json!("0"),
        15 => json!("-1"),
        16 => json!("9223372036854775808"),
        17 => json!("NaN"),
        18 => json!("Infinity"),
        19 => json!("\u{0}"),
        20 => json!("\u{feff}ß🦜"),
        21 => json!("%00%FF"),
        22 => json!("a/b:c?d=e&f#g"),
        23 => json!("' OR 1=1 --"),
        24 => json!("1970-01-01T00:00:00Z"),
        25 => json!("9999-99-99T99:99:99Z"),
        26 => json!("-315576000001s"),
        27 => json!("x".repeat(300)),
        28 => json!("x".repeat(5_000)),
        29 => json!([]),
        30 => json!({}),
        31 => json!([[null]]),
        32 => json!({"x": {"y": []}}),
        _ => (0..40).fold(json!({}), |inner, _| json!({ "x": inner })),
    }
}

/// A message that is another one in a place or two.
pub fn message(random: &mut Random, message: &Value) -> Value {
    let mut changed = message.clone();
    for _ in 0..=random.below(2) {
        let places = places(&changed);
        let place = random.one(&places).clone();
        let other = changed.pointer(random.one::<String>(&places)).cloned().unwrap_or_default();
        let Some(here) = changed.pointer_mut(&place) else { continue };
        alter(random, here, other);
    }
    changed
}

/// The places of everything that a message holds, itself the first.
fn places(message: &Value) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut inner = |name: String, value: &Value| {
        found.extend(places(value).into_iter().map(|rest| format!("/{name}{rest}")));
    };
    match message {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            inner(name.replace('~', "~0").replace('/', "~1"), value);
        }),
        Value::Array(items) => items.iter().enumerate().for_each(|(nth, value)| {
            inner(nth.to_string(), value);
        }),
        _ => {}
    }
    found
}

fn alter(random: &mut Random, here: &mut Value, other: Value) {
    match (here, random.below(6)) {
        (Value::Object(fields), 0) => {
            fields.insert("nonsense".to_owned(), odd(random));
        }
        (Value::Object(fields), 1 | 2) if !fields.is_empty() => {
            let names: Vec<String> = fields.keys().cloned().collect();
            let name = random.one(&names);
            if random.below(2) == 0 {
                fields.remove(name);
            } else {
                fields.insert(name.clone(), odd(random));
            }
        }
        (Value::Object(fields), 3) if !fields.is_empty() => {
            let names: Vec<String> = fields.keys().cloned().collect();
            let name = random.one(&names);
            let value = fields[name].clone();
            // Another spelling of the same, or nearly so.
            let spelt = if name.contains('_') { camel(name) } else { name.to_uppercase() };
            fields.insert(spelt, value);
        }
        (Value::Array(items), 0 | 1) if !items.is_empty() => {
            items.remove(random.below(items.len()));
        }
        (Value::Array(items), 2) => items.extend(vec![other; 1 + random.below(3)]),
        (Value::Array(items), 3) => items.push(odd(random)),
        (Value::String(text), 0 | 1) => {
            let mut bytes = std::mem::take(text).into_bytes();
            self::bytes(random, &mut bytes);
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
        (here, 4) => *here = other,
        // A whole request that is no object can be asked in few ways.
        (Value::Object(fields), _) => {
            fields.extend(other.as_object().cloned().unwrap_or_default());
        }
        (here, _) => *here = odd(random),
    }
}

fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| {
        let (head, rest) = part.split_at(part.len().min(1));
        name + &head.to_uppercase() + rest
    })
}

/// What bytes are altered by, beside themselves.
const PIECES: [&[u8]; 20] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b",",
    b":",
    b"null",
    b"-1",
    b"1e999",
    b"\0",
    b"\xff",
    b"\xe8\xaa",
    b"\xf0\x9f\xa6\x9c",
    b"\r\n",
    b"%",
    b"/",
    b"\\u0000",
    b"\\ud800",
];

/// Alters bytes in a few places.
pub fn bytes(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..=random.below(3) {
        let size = bytes.len();
        let at = random.below(size + 1);
        match random.below(5) {
            0 if at < size => bytes[at] ^= 1 << random.below(8),
            1 => {
                bytes.drain(at..(at + random.below(8)).min(size));
            }
            2 => {
                let from = random.below(size + 1);
                let piece = bytes[from..(from + random.below(24)).min(size)].to_vec();
                bytes.splice(at..at, piece);
            }
            3 if random.below(8) == 0 => bytes.truncate(at),
            _ => {
                bytes.splice(at..at, random.one(&PIECES).iter().copied());
            }
        }
    }
}
