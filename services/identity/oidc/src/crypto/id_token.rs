//! What another provider says of who somebody is (OpenID Connect Core 1.0, 3.1.3.7). Of which algorithm a key
//! is says the provider's list of keys, and never the token.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde_json::{Map, Value};
use stoa_kit::Micros;

use crate::model;

/// How far the clock of a provider may be from ours, in seconds.
const SKEW: i64 = 60;
/// How long ago a token may have been made that answers a request of now, in seconds.
const AGE_MAX: i64 = 600;
/// The longest token.
const TOKEN_MAX: usize = 16 << 10;
/// The bytes of the shortest RSA key that is believed.
const RSA_BYTES_MIN: usize = 2048 / 8;

/// What a token has to be made for.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) access_token: &'a str,
    pub(crate) now: Micros,
}

/// What a token comes to.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// What it says.
    Good(Map<String, Value>),
    /// No key of the list is the one that it names: there may be a newer list.
    UnknownKey,
    /// It is not to be believed, and why.
    Wrong(&'static str),
}

/// Whether a token is to be believed, by a list of keys (RFC 7517).
pub(crate) fn judge(token: &str, keys: &str, expected: &Expected<'_>) -> Verdict {
    if token.len() > TOKEN_MAX {
        return Verdict::Wrong("it is too long");
    }
    let Ok(header) = jsonwebtoken::decode_header(token) else {
        return Verdict::Wrong("it is not signed in a way that is known here");
    };
    if !matches!(header.typ.as_deref(), None | Some("JWT" | "jwt")) {
        return Verdict::Wrong("it is a token of another kind");
    }
    let Some((key, algorithm)) = named(&header, keys) else { return Verdict::UnknownKey };
    match signed(token, &key, algorithm) {
        Some(claims) => match check(&claims, expected) {
            Ok(()) => Verdict::Good(claims),
            Err(wrong) => Verdict::Wrong(wrong),
        },
        None => Verdict::Wrong("its signature is not by the key that it names"),
    }
}

/// The claims of a token that a key signed, as its algorithm, of whichever age it is.
pub(crate) fn signed(token: &str, key: &Jwk, algorithm: Algorithm) -> Option<Map<String, Value>> {
    let mut rules = Validation::new(algorithm);
    rules.required_spec_claims.clear();
    // The time is the node's, and is looked at with the rest.
    (rules.validate_exp, rules.validate_nbf, rules.validate_aud) = (false, false, false);
    let key = DecodingKey::from_jwk(key).ok()?;
    jsonwebtoken::decode::<Map<String, Value>>(token, &key, &rules).ok().map(|token| token.claims)
}

/// The key that a token names; where it names none, the only one there is.
pub(crate) fn named(header: &Header, keys: &str) -> Option<(Jwk, Algorithm)> {
    let keys: Value = serde_json::from_str(keys).ok()?;
    let read = |key: &Value| serde_json::from_value::<Jwk>(key.clone()).ok();
    let all = keys.get("keys")?.as_array()?.iter().filter_map(read);
    let signs = |key: Jwk| algorithm_of(&key).map(|algorithm| (key, algorithm));
    let mut fit = all.filter_map(signs).filter(|(key, _)| match &header.kid {
        Some(kid) => key.common.key_id.as_ref() == Some(kid),
        None => true,
    });
    let first = fit.next()?;
    match header.kid {
        None if fit.next().is_some() => None,
        _ => Some(first),
    }
}

/// The one algorithm of a key that verifies; none for keys that are no public ones, or too short.
pub(crate) fn algorithm_of(key: &Jwk) -> Option<Algorithm> {
    if !matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let said = match &key.common.key_algorithm {
        Some(said) => Some(said.to_string().parse::<Algorithm>().ok()?),
        None => None,
    };
    let algorithm = match &key.algorithm {
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => Algorithm::ES256,
            EllipticCurve::P384 => Algorithm::ES384,
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            Algorithm::EdDSA
        }
        AlgorithmParameters::RSA(key) => {
            let modulus = BASE64.decode(&key.n).ok()?;
            let length = modulus.iter().skip_while(|byte| **byte == 0).count();
            match said {
                _ if length < RSA_BYTES_MIN => return None,
                None => Algorithm::RS256,
                Some(
                    said @ (Algorithm::RS256
                    | Algorithm::RS384
                    | Algorithm::RS512
                    | Algorithm::PS256
                    | Algorithm::PS384
                    | Algorithm::PS512),
                ) => said,
                Some(_) => return None,
            }
        }
        _ => return None,
    };
    said.is_none_or(|said| said == algorithm).then_some(algorithm)
}

fn check(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), &'static str> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let number = |name: &str| {
        let value = claims.get(name)?;
        value.as_i64().or_else(|| Some(value.as_f64()? as i64))
    };
    let now = model::seconds(expected.now);
    if text("iss") != Some(expected.issuer) {
        return Err("another provider made it");
    }
    let (is_for_us, others) = match claims.get("aud") {
        Some(Value::String(one)) => (one == expected.client_id, false),
        Some(Value::Array(all)) => (all.iter().any(|one| one == expected.client_id), all.len() > 1),
        _ => (false, false),
    };
    if !is_for_us {
        return Err("it is for another application");
    }
    // Whoever else it is for could have got it: it says to whom it was given.
    match (claims.get("azp"), others) {
        (None, true) => return Err("it does not say whom it was given to"),
        (Some(party), _) if party != expected.client_id => {
            return Err("it was given to another application");
        }
        _ => {}
    }
    if number("exp").is_none_or(|end| now >= end.saturating_add(SKEW)) {
        return Err("it has ended");
    }
    let fresh = |made: i64| made <= now + SKEW && made >= now - AGE_MAX;
    if !number("iat").is_some_and(fresh) {
        return Err("it was not made now");
    }
    if number("nbf").is_some_and(|start| start > now + SKEW) {
        return Err("it is not good yet");
    }
    if !text("nonce").is_some_and(|nonce| equal(nonce, expected.nonce)) {
        return Err("it answers another request");
    }
    let at_hash = claims.get("at_hash").map(|hash| hash.as_str().unwrap_or_default());
    if at_hash.is_some_and(|hash| !goes_with(hash, expected.access_token)) {
        return Err("it goes with another access token");
    }
    match text("sub") {
        Some(subject) if (1..=255).contains(&subject.len()) => Ok(()),
        _ => Err("it does not say whom it is about"),
    }
}

fn equal(one: &str, other: &str) -> bool {
    model::equal(one.as_bytes(), other.as_bytes())
}

/// Whether half of an access token's hash is this, with the hash of any algorithm that signs.
fn goes_with(hash: &str, access_token: &str) -> bool {
    use sha2::{Digest as _, Sha256, Sha384, Sha512};
    let halves = [
        BASE64.encode(&Sha256::digest(access_token)[..16]),
        BASE64.encode(&Sha384::digest(access_token)[..24]),
        BASE64.encode(&Sha512::digest(access_token)[..32]),
    ];
    halves.iter().any(|half| equal(half, hash))
}
