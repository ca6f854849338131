//! The signatures of Standard Webhooks, `v1`: HMAC-SHA-256 over identifier, time and body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use stoa_kit::Micros;

/// How old, or ahead of our clock, a signature may be.
const AGE_MAX_S: i64 = 5 * 60;

/// What a provider and we know, and nobody else.
#[derive(Clone)]
pub struct Secret(Hmac<Sha256>);

impl Secret {
    /// Reads a secret as the provider shows it, `whsec_…`; none if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let key = BASE64.decode(text.strip_prefix("whsec_")?).ok()?;
        Some(Self(Hmac::new_from_slice(&key).ok()?))
    }

    /// The signature of an identifier, a time in seconds and a body.
    pub fn sign(&self, parts: (&str, &str, &[u8])) -> String {
        format!("v1,{}", BASE64.encode(self.mac(parts).finalize().into_bytes()))
    }

    /// Whether one of some signatures, separated by spaces, is ours, and the time is about now.
    pub(crate) fn signed(&self, parts: (&str, &str, &[u8]), signatures: &str, now: Micros) -> bool {
        let (_, timestamp, _) = parts;
        let age =
            timestamp.parse().ok().and_then(|time: i64| (now.0 / 1_000_000).checked_sub(time));
        let is_ours = |signature: &str| {
            let mac = signature.strip_prefix("v1,").and_then(|mac| BASE64.decode(mac).ok());
            mac.is_some_and(|mac| self.mac(parts).verify_slice(&mac).is_ok())
        };
        age.is_some_and(|age| (-AGE_MAX_S..=AGE_MAX_S).contains(&age))
            && signatures.split(' ').any(is_ours)
    }

    fn mac(&self, (id, timestamp, body): (&str, &str, &[u8])) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standard() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let parts = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", &body[..]);
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(secret.sign(parts), signature);
        let at = |seconds: i64| Micros(seconds * 1_000_000);
        let both = format!("v1a,AAAA {signature}");
        for (signatures, now, good) in [
            (signature, 1_614_265_330, true),
            (both.as_str(), 1_614_265_330, true),
            (signature, 1_614_265_630, true),
            (signature, 1_614_265_631, false),
            (signature, 1_614_265_029, false),
            ("v1,AAAA", 1_614_265_330, false),
            ("", 1_614_265_330, false),
        ] {
            assert_eq!(secret.signed(parts, signatures, at(now)), good, "{signatures} {now}");
        }
        assert!(!secret.signed((parts.0, parts.1, b"{}"), signature, at(1_614_265_330)));
        assert!(Secret::parse("MfKQ").is_none() && Secret::parse("whsec_?").is_none());
    }
}
