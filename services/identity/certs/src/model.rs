//! The rules: how long things are good, and which names there are.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use stoa_certs_v1::{Authority, Certificate, Reason, RevocationReason, Settings, Workload};
use stoa_kit::{Error, Micros, Reason as _, Result};

pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long bundles are kept by those who verify, and so how long a root is in them before it signs.
pub(crate) const BUNDLE_KEPT: Duration = Duration::from_secs(60 * 60);
/// No certificate is good longer: `life_max_seconds` goes no further.
pub(crate) const LIFE_MAX: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How long the certificates of an authority are good of which nothing is said.
pub(crate) const LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long a certificate is good where whoever asks says nothing.
pub(crate) const TTL: Duration = DAY;
/// How long one of a workload is.
pub(crate) const SVID_LIFE: Duration = Duration::from_secs(60 * 60);
/// By how much the clock of whoever verifies may be behind ours.
pub(crate) const SKEW: Duration = Duration::from_secs(5 * 60);
/// How long a certificate that is over is known: longer than any list of what is revoked is good while it is
/// not (RFC 5280, 3.3), and than people look for what just ended.
pub(crate) const KNOWN: Duration = Duration::from_secs(2 * 24 * 60 * 60);
/// How long orders and what is proved for them are good.
pub(crate) const ORDER_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long a nonce is good.
pub(crate) const NONCE_LIFE: Duration = Duration::from_secs(60 * 60);
/// Names of one certificate.
pub(crate) const NAMES_MAX: usize = 100;
/// Orders of an account of which nothing came yet.
pub(crate) const ORDERS_MAX: i64 = 300;
/// What a SPIFFE ID begins with.
pub(crate) const SPIFFE: &str = "spiffe://";

/// The settings until somebody says something else.
pub(crate) fn settings() -> Settings {
    Settings {
        address: String::new(),
        http_challenge_port: 80,
        root_life_days: 180,
        crl_life_hours: 24,
    }
}

/// How long a root signs before it is followed.
pub(crate) fn root_life(settings: &Settings) -> Duration {
    DAY * settings.root_life_days.unsigned_abs()
}

/// How long a list of what is revoked is good.
pub(crate) fn crl_life(settings: &Settings) -> Duration {
    Duration::from_secs(u64::from(settings.crl_life_hours.unsigned_abs()) * 60 * 60)
}

/// The address that clients know the node by.
pub(crate) fn address(settings: &Settings) -> Result<&str> {
    match &*settings.address {
        "" => Err(Reason::NoAddress.because("this authority has no address yet")),
        address => Ok(address),
    }
}

/// Seconds, or something else where none are given.
pub(crate) fn seconds_or(seconds: i32, usual: Duration) -> Duration {
    match seconds.unsigned_abs() {
        0 => usual,
        seconds => Duration::from_secs(seconds.into()),
    }
}

/// How long a certificate is to be good.
pub(crate) fn life(authority: &Authority, workload: Option<&Workload>, asked: i32) -> Duration {
    let most = seconds_or(authority.life_max_seconds, LIFE).min(LIFE_MAX);
    match workload {
        Some(workload) => {
            let most = seconds_or(workload.life_seconds, SVID_LIFE).min(most);
            seconds_or(asked, most).min(most)
        }
        None => seconds_or(asked, TTL).min(most),
    }
}

/// The SPIFFE ID among some names; none where there is none.
pub(crate) fn spiffe_id(names: &[String]) -> Option<&str> {
    names.iter().find(|name| name.starts_with(SPIFFE)).map(String::as_str)
}

/// Refuses a SPIFFE ID that is not below a trust domain (the SPIFFE ID standard, 2).
pub(crate) fn check_spiffe_id(id: &str, trust_domain: &str) -> Result<()> {
    let wrong = |message: &str| Err(Error::field("spiffe_id", "spiffe_id", message));
    let Some((domain, path)) = id.strip_prefix(SPIFFE).and_then(|rest| rest.split_once('/')) else {
        return wrong("must be a SPIFFE ID with a path");
    };
    if trust_domain.is_empty() || domain != trust_domain {
        return wrong("must lie below the trust domain of the authority");
    }
    match path.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        true => wrong("must have no segment that is empty, `.` or `..`"),
        false => Ok(()),
    }
}

/// The name of a host in the one form in which it is compared; none for what is none, an address for example.
pub(crate) fn host(text: &str) -> Option<String> {
    let name = text.to_ascii_lowercase();
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(letter)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // What ends with a number is read as an address by browsers, in whichever notation.
    let last = name.rsplit('.').next().unwrap_or_default();
    let number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    (name.len() <= 253 && name.split('.').all(label) && !number).then_some(name)
}

/// The same where a first label may stand for all.
pub(crate) fn host_or_wildcard(text: &str) -> Option<String> {
    match text.strip_prefix("*.") {
        Some(rest) => host(rest).filter(|rest| rest.contains('.')).map(|rest| format!("*.{rest}")),
        None => host(text),
    }
}

/// The text of a name as it stands in a certificate that is kept.
pub(crate) fn address_text(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let address = four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    address.ok().map(|address| address.to_string())
}

/// Texts in order, each once.
pub(crate) fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts.dedup();
    texts
}

/// A serial number out of unpredictable bytes: positive, and always of the same length.
pub(crate) fn serial(mut chance: [u8; 16]) -> [u8; 16] {
    chance[0] = chance[0] & 0x7f | 0x40;
    chance
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let pair = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(pair).collect()
}

/// A time as certificates can say it.
pub(crate) fn whole(time: Micros) -> Micros {
    Micros(time.0 - time.0.rem_euclid(1_000_000))
}

/// Whole seconds since 1970.
pub(crate) fn seconds(time: Micros) -> u64 {
    time.0.div_euclid(1_000_000).unsigned_abs()
}

/// The number that a reason has on lists of what is revoked (RFC 5280, 5.3.1).
pub(crate) fn revocation_reason(number: i64) -> Result<RevocationReason> {
    Ok(match number {
        0 => RevocationReason::Unspecified,
        1 => RevocationReason::KeyCompromise,
        3 => RevocationReason::AffiliationChanged,
        4 => RevocationReason::Superseded,
        5 => RevocationReason::CessationOfOperation,
        9 => RevocationReason::PrivilegeWithdrawn,
        _ => {
            return Err(Reason::BadRevocationReason.because("this reason revokes no certificate"));
        }
    })
}

/// Whether a certificate can still be used.
pub(crate) fn is_good(certificate: &Certificate, now: Micros) -> bool {
    !certificate.revoke_time.is_set() && now < Micros::of(&certificate.expire_time)
}

/// A nonce: a time, chance, and what nobody can write who does not have the tenant's key.
pub(crate) fn nonce(
    time: Micros, chance: &[u8], mac: impl FnOnce(&str) -> Result<[u8; 16]>,
) -> Result<String> {
    let says = BASE64.encode([&time.0.to_be_bytes(), chance].concat());
    Ok(format!("{says}{}", BASE64.encode(mac(&says)?)))
}

/// When a nonce was made, if it is one of ours.
pub(crate) fn nonce_time(
    nonce: &str, mac: impl FnOnce(&str) -> Result<[u8; 16]>,
) -> Result<Option<Micros>> {
    /// The characters of 24 bytes, and of 16.
    const LENGTHS: (usize, usize) = (32, 22);
    if nonce.len() != LENGTHS.0 + LENGTHS.1 || !nonce.is_ascii() {
        return Ok(None);
    }
    let (says, shown) = nonce.split_at(LENGTHS.0);
    let known = BASE64.encode(mac(says)?);
    let ours: bool = subtle::ConstantTimeEq::ct_eq(known.as_bytes(), shown.as_bytes()).into();
    let bytes = BASE64.decode(says).ok().filter(|_| ours);
    let time = bytes.and_then(|bytes| <[u8; 8]>::try_from(bytes.get(..8)?).ok());
    Ok(time.map(|time| Micros(i64::from_be_bytes(time))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_and_no_address() {
        for good in ["example.com", "Shop.Example", "xn--bcher-kva.example", "localhost", "a.b-c.d"]
        {
            assert_eq!(host(good), Some(good.to_lowercase()), "{good}");
        }
        let long = "a".repeat(64);
        for bad in [
            "",
            ".",
            "example.com.",
            ".example",
            "a..b",
            "-a.example",
            "a-.example",
            "a b",
            "bücher.example",
            "*.example.com",
            "192.0.2.1",
            "0x7f.1",
            "1",
            "a.0x10",
            "[::1]",
            "a:80",
            "a/b",
            "a@b",
            &long,
        ] {
            assert_eq!(host(bad), None, "{bad}");
        }
        assert_eq!(host_or_wildcard("*.Example.com").as_deref(), Some("*.example.com"));
        for bad in ["*.com", "*", "a.*.com", "*.*.example.com"] {
            assert_eq!(host_or_wildcard(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_nonce_is_ours_to_the_letter() {
        let mac = |text: &str| {
            let mut mac = [0; 16];
            mac.copy_from_slice(&<sha2::Sha256 as sha2::Digest>::digest(text)[..16]);
            Ok(mac)
        };
        let written = nonce(Micros(7_000_000), &[9; 16], mac).unwrap();
        assert_eq!(nonce_time(&written, mac).unwrap(), Some(Micros(7_000_000)));
        for place in 0..written.len() {
            let mut forged = written.clone().into_bytes();
            forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(nonce_time(&forged, mac).unwrap(), None, "{place}");
        }
        assert_eq!(nonce_time(&written[1..], mac).unwrap(), None);
    }
}
