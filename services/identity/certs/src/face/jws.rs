//! What clients of ACME send: texts signed by keys (RFC 7515, as RFC 8555, 6.2, narrows it).
//!
//! Signatures are verified by `jsonwebtoken`; of which algorithm a key is says the key, and never what came.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, Jwk, ThumbprintHash,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use stoa_certs_v1::Reason;
use stoa_kit::{Error, Reason as _, Result};
use x509_cert::Certificate;

use crate::crypto;

/// Bytes of an RSA modulus at least and at most.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=512;
/// The algorithms that are taken.
const ALGORITHMS: [&str; 3] = ["ES256", "RS256", "EdDSA"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flattened {
    protected: String,
    payload: String,
    signature: String,
}

#[derive(Deserialize)]
struct Protected {
    alg: String,
    #[serde(default)]
    nonce: Option<String>,
    url: String,
    #[serde(default)]
    jwk: Option<Value>,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<Value>,
}

/// By which key something is signed: one that comes along, or an account's.
pub(super) enum By {
    Key(Box<Key>),
    Account(String),
}

/// What came, of which nobody knows yet who signed it.
pub(super) struct Signed {
    algorithm: String,
    /// The nonce; none where none came.
    pub(super) nonce: Option<String>,
    /// What it was signed for.
    pub(super) url: String,
    pub(super) by: By,
    pub(super) payload: Vec<u8>,
    text: String,
    signature: String,
}

impl Signed {
    /// Reads what came.
    pub(super) fn read(body: &[u8]) -> Result<Self> {
        let Flattened { protected, payload, signature } = serde_json::from_slice(body)
            .map_err(|_| malformed("the body is no flattened JSON of a signature (JWS)"))?;
        let header =
            BASE64.decode(&protected).map_err(|_| malformed("`protected` is no base64url"))?;
        let header: Protected = serde_json::from_slice(&header)
            .map_err(|_| malformed("`protected` lacks `alg` or `url`"))?;
        if header.crit.is_some() {
            return Err(malformed("`crit` names what is not known here"));
        }
        if !ALGORITHMS.contains(&&*header.alg) {
            return Err(Reason::BadSignatureAlgorithm.because("the algorithm is not taken"));
        }
        let by = match (header.jwk, header.kid) {
            (Some(jwk), None) => By::Key(Box::new(Key::read(&jwk)?)),
            (None, Some(kid)) => By::Account(kid),
            _ => return Err(malformed("`protected` has to name one of `jwk` and `kid`")),
        };
        let bytes = BASE64.decode(&payload).map_err(|_| malformed("`payload` is no base64url"))?;
        Ok(Self {
            algorithm: header.alg,
            nonce: header.nonce,
            url: header.url,
            by,
            payload: bytes,
            text: format!("{protected}.{payload}"),
            signature,
        })
    }

    /// Refuses what a key did not sign.
    pub(super) fn check(&self, key: &Key) -> Result<()> {
        if self.algorithm != name(key.algorithm) {
            return Err(
                Reason::BadSignatureAlgorithm.because("the algorithm is not that of the key")
            );
        }
        let good = DecodingKey::from_jwk(&key.jwk).and_then(|by| {
            jsonwebtoken::crypto::verify(&self.signature, self.text.as_bytes(), &by, key.algorithm)
        });
        match good {
            Ok(true) => Ok(()),
            _ => Err(malformed("the signature is not that of the key")),
        }
    }

    /// Whether the key of a certificate signed it.
    pub(super) fn is_by(&self, certificate: &Certificate) -> bool {
        let public = certificate.tbs_certificate().subject_public_key_info();
        let signature = BASE64.decode(&self.signature);
        signature.is_ok_and(|it| crypto::is_signed_by(public, self.text.as_bytes(), &it))
    }

    /// What it says, as JSON.
    pub(super) fn says<T: for<'a> Deserialize<'a>>(&self) -> Result<T> {
        serde_json::from_slice(&self.payload)
            .map_err(|_| malformed("the payload is not what is asked for here"))
    }
}

/// A public key.
pub(super) struct Key {
    jwk: Jwk,
    algorithm: Algorithm,
    /// What it is known by (RFC 7638).
    pub(super) thumbprint: String,
}

impl Key {
    /// Reads a key; whatever else stands beside it is left out.
    pub(super) fn read(jwk: &Value) -> Result<Self> {
        let bad = || {
            Reason::BadPublicKey.because("the key is none of P-256, RSA or Ed25519, or too short")
        };
        let jwk: Jwk = serde_json::from_value(jwk.clone()).map_err(|_| bad())?;
        let jwk = Jwk { common: CommonParameters::default(), algorithm: jwk.algorithm };
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                Algorithm::ES256
            }
            AlgorithmParameters::RSA(key) => {
                let modulus = BASE64.decode(&key.n).map_err(|_| bad())?;
                let length = modulus.iter().skip_while(|byte| **byte == 0).count();
                if !MODULUS.contains(&length) {
                    return Err(bad());
                }
                Algorithm::RS256
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                Algorithm::EdDSA
            }
            _ => return Err(bad()),
        };
        // That its parts are base64url, and so that its thumbprint is one.
        DecodingKey::from_jwk(&jwk).map_err(|_| bad())?;
        let thumbprint = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| bad())?;
        Ok(Self { jwk, algorithm, thumbprint })
    }

    /// A key as it is kept.
    pub(super) fn kept(text: &str) -> Result<Self> {
        Self::read(&serde_json::from_str(text).map_err(Error::internal)?)
    }

    /// The key as it is to be kept.
    pub(super) fn to_json(&self) -> Result<String> {
        serde_json::to_string(&self.jwk).map_err(Error::internal)
    }
}

fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::ES256 => ALGORITHMS[0],
        Algorithm::RS256 => ALGORITHMS[1],
        _ => ALGORITHMS[2],
    }
}

pub(super) fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Reason::Malformed.because(message)
}
