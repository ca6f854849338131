//! Codes that a program of the user's shows: TOTP (RFC 6238), with the values that all such programs
//! take, which is HMAC-SHA-1, steps of 30 seconds and six digits.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use stoa_kit::{Error, Micros, Result};
use subtle::ConstantTimeEq as _;

/// How long a code is shown.
const STEP_MICROS: i64 = 30_000_000;
/// Digits of a code.
const DIGITS: u32 = 6;
/// Steps that the clock of a program may be off by, on either side (RFC 6238, 5.2).
const DRIFT: i64 = 1;
/// The alphabet of Base32 (RFC 4648).
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The step of a code, if it is a right one of now and newer than the last that was accepted.
///
/// # Errors
/// `internal` where the secret is none.
pub(crate) fn accepted(
    secret: &[u8], code: &str, now: Micros, last_step: i64,
) -> Result<Option<i64>> {
    let current = now.0.div_euclid(STEP_MICROS);
    let mut found = None;
    // All of them are compared, so that the time this takes does not tell which was right.
    for step in current - DRIFT..=current + DRIFT {
        let right = format!("{:06}", hotp(secret, step.cast_unsigned(), DIGITS)?);
        if bool::from(right.as_bytes().ct_eq(code.as_bytes())) && step > last_step {
            found = Some(step);
        }
    }
    Ok(found)
}

/// The code of a counter (RFC 4226, 5.3).
fn hotp(secret: &[u8], counter: u64, digits: u32) -> Result<u32> {
    let mac = Hmac::<Sha1>::new_from_slice(secret).map_err(Error::internal)?;
    let mac = mac.chain_update(counter.to_be_bytes()).finalize().into_bytes();
    let offset = usize::from(mac[19] & 0xf);
    let bytes = [mac[offset], mac[offset + 1], mac[offset + 2], mac[offset + 3]];
    Ok((u32::from_be_bytes(bytes) & 0x7fff_ffff) % 10_u32.pow(digits))
}

/// Bytes in Base32, without padding: 20 have none.
pub(crate) fn base32(bytes: &[u8]) -> String {
    let (mut text, mut held, mut bits) = (String::new(), 0_u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(BASE32[(held >> bits & 31) as usize].into());
        }
    }
    if bits > 0 {
        text.push(BASE32[(held << (5 - bits) & 31) as usize].into());
    }
    text
}

/// What a QR code of a secret says.
pub(crate) fn uri(secret: &str, issuer: &str, account: &str) -> String {
    let (issuer, account) = (escaped(issuer), escaped(account));
    format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}")
}

/// A text as a part of a URI (RFC 3986).
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(byte.into());
            }
            _ => escaped += &format!("%{byte:02X}"),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_rfc_4226_appendix_d() {
        let expected = [
            755_224, 287_082, 359_152, 969_429, 338_314, 254_676, 287_922, 162_583, 399_871,
            520_489,
        ];
        for (counter, code) in (0..).zip(expected) {
            assert_eq!(hotp(SECRET, counter, 6).unwrap(), code, "{counter}");
        }
    }

    #[test]
    fn codes_are_those_of_rfc_6238_appendix_b() {
        for (time, code) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000_u64, 65_353_130),
        ] {
            assert_eq!(hotp(SECRET, time / 30, 8).unwrap(), code, "{time}");
            let (now, six) = (Micros(time as i64 * 1_000_000), format!("{:06}", code % 1_000_000));
            let step = (time / 30) as i64;
            assert_eq!(accepted(SECRET, &six, now, 0).unwrap(), Some(step));
            assert_eq!(accepted(SECRET, &six, now, step).unwrap(), None, "once");
        }
    }

    #[test]
    fn a_code_is_good_for_a_step_more_on_either_side_and_for_no_other() {
        let code = format!("{:06}", hotp(SECRET, 1_000, 6).unwrap());
        for (step, good) in
            [(998, false), (999, true), (1_000, true), (1_001, true), (1_002, false)]
        {
            let now = Micros(step * STEP_MICROS + 1);
            assert_eq!(accepted(SECRET, &code, now, 0).unwrap().is_some(), good, "{step}");
        }
        for wrong in ["", "0", "0000000", "00000a"] {
            assert_eq!(accepted(SECRET, wrong, Micros(30_000_000_000), 0).unwrap(), None);
        }
    }

    #[test]
    fn a_secret_is_written_as_programs_read_it() {
        // RFC 4648, section 10, without padding.
        for (bytes, text) in [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foobar", "MZXW6YTBOI")] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
        let uri = uri("MY", "Ada & Söner", "ada");
        let issuer = "Ada%20%26%20S%C3%B6ner";
        assert_eq!(uri, format!("otpauth://totp/{issuer}:ada?secret=MY&issuer={issuer}"));
    }
}
