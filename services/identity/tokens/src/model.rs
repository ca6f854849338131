//! The rules: what secrets look like, and how long they are good.

use std::time::Duration;

use stoa_kit::{Error, Result};
use stoa_tokens_v1::IssueTokenRequest;

/// What a secret begins with that nobody guesses, so that people and scanners recognise it.
const PREFIX: &str = "stoa_t_";
/// Digits that a short code has at least: the chance of five guesses is one in 200,000.
const DIGITS_MIN: i32 = 6;
/// How long a token is good if nobody says.
const TTL_SECONDS: u32 = 15 * 60;
/// No short code is good longer: it is guessed at again with each one that is issued.
const CODE_TTL_SECONDS_MAX: u32 = 60 * 60;
/// Wrong guesses that end a short code if nobody says.
const GUESSES: i32 = 5;

/// A secret out of unpredictable bytes: all of them, or so many decimal digits.
pub(crate) fn secret(digits: i32, chance: [u8; 32]) -> String {
    let Ok(digits @ 1..) = usize::try_from(digits) else {
        return chance.iter().fold(PREFIX.to_owned(), |text, byte| format!("{text}{byte:02x}"));
    };
    // Of 256 bits no digit is likelier than another by more than can be noticed.
    let number = chance
        .iter()
        .fold(0, |rest: u64, byte| (rest << 8 | u64::from(*byte)) % 10_u64.pow(digits as u32));
    format!("{number:0digits$}")
}

/// How long a token is good, and how many wrong guesses end it.
pub(crate) fn limits(request: &IssueTokenRequest) -> Result<(Duration, i32)> {
    let ttl = match request.ttl_seconds.unsigned_abs() {
        0 => TTL_SECONDS,
        asked => asked,
    };
    let guesses = match (request.code_digits, request.max_guesses) {
        (0, 0) => 0,
        (0, _) => {
            let message = "is for short codes: nobody guesses other secrets";
            return Err(Error::field("max_guesses", "max_guesses.code", message));
        }
        (..DIGITS_MIN, _) => {
            let message = "must be 6 or more, or 0";
            return Err(Error::field("code_digits", "code_digits.gte", message));
        }
        _ if ttl > CODE_TTL_SECONDS_MAX => {
            let message = "must be 3,600 or less for a short code";
            return Err(Error::field("ttl_seconds", "ttl_seconds.code", message));
        }
        (_, 0) => GUESSES,
        (_, asked) => asked,
    };
    Ok((Duration::from_secs(ttl.into()), guesses))
}
