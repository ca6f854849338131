//! Keys that sign, and what they sign (RFC 7515, 7517, 7519). What attackers send is read and verified by
//! `jsonwebtoken`; of which algorithm a key is says the key, and never what came.

pub(crate) mod id_token;
#[cfg(test)]
mod vectors;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng as _;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use p256::pkcs8::EncodePrivateKey as _;
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use serde_json::{Map, Value};
use stoa_kit::{Error, Result};
use stoa_oidc_v1::SigningAlgorithm;
use zeroize::Zeroizing;

/// The bits of an RSA key.
const RSA_BITS: usize = 2048;
/// What an ID token says that it is.
pub(crate) const ID_TOKEN: &str = "JWT";
/// What a logout token says that it is, so that neither passes for the other.
pub(crate) const LOGOUT_TOKEN: &str = "logout+jwt";

/// A new key.
pub(crate) struct Made {
    /// The private key: PKCS#1 of RSA, PKCS#8 of P-256.
    pub(crate) private: Zeroizing<Vec<u8>>,
    /// The public key, as JSON, without an identifier.
    pub(crate) public_jwk: String,
}

/// Makes the key that follows from a seed. Of RSA it takes a while.
pub(crate) fn make(algorithm: SigningAlgorithm, seed: [u8; 32]) -> Result<Made> {
    let mut random = ChaCha20Rng::from_seed(seed);
    let private = match algorithm {
        SigningAlgorithm::Es256 => {
            let key = loop {
                let mut bytes = Zeroizing::new([0; 32]);
                chacha20::rand_core::Rng::fill_bytes(&mut random, &mut *bytes);
                // One in 2³² numbers of this length is none below the order of the curve.
                if let Ok(key) = p256::SecretKey::from_slice(&*bytes) {
                    break key;
                }
            };
            key.to_pkcs8_der().map_err(Error::internal)?.as_bytes().to_vec()
        }
        _ => {
            let key = rsa::PrivateKey::new(&mut random, RSA_BITS).map_err(Error::internal)?;
            key.to_pkcs1_der().map_err(Error::internal)?.as_bytes().to_vec()
        }
    };
    let private = Zeroizing::new(private);
    let jwk = Jwk::from_encoding_key(&encoding(algorithm, &private), jose(algorithm));
    let public_jwk = serde_json::to_string(&jwk.map_err(Error::internal)?);
    Ok(Made { private, public_jwk: public_jwk.map_err(Error::internal)? })
}

/// A public key as it is published.
pub(crate) fn published(id: &str, public_jwk: &str) -> Result<Value> {
    let mut jwk: Map<String, Value> = serde_json::from_str(public_jwk).map_err(Error::internal)?;
    jwk.insert("kid".into(), id.into());
    jwk.insert("use".into(), "sig".into());
    Ok(jwk.into())
}

/// A key that signs.
pub(crate) struct Signer {
    pub(crate) id: String,
    pub(crate) algorithm: SigningAlgorithm,
    pub(crate) private: Zeroizing<Vec<u8>>,
}

impl Signer {
    /// Signs claims, and says what kind of token it is.
    pub(crate) fn sign(&self, kind: &str, claims: &Map<String, Value>) -> Result<String> {
        let mut header = Header::new(jose(self.algorithm));
        header.typ = Some(kind.into());
        header.kid = Some(self.id.clone());
        let key = encoding(self.algorithm, &self.private);
        jsonwebtoken::encode(&header, claims, &key).map_err(Error::internal)
    }
}

/// The key that a token says it was signed with; none where it says nothing that can be read.
pub(crate) fn key_of(token: &str) -> Option<String> {
    jsonwebtoken::decode_header(token).ok()?.kid
}

/// The claims of a token of a kind, if this key signed it, of whichever age it is; none for anything else.
pub(crate) fn verify(
    algorithm: SigningAlgorithm, public_jwk: &str, kind: &str, token: &str,
) -> Option<Map<String, Value>> {
    let jwk: Jwk = serde_json::from_str(public_jwk).ok()?;
    let mut rules = Validation::new(jose(algorithm));
    rules.required_spec_claims.clear();
    (rules.validate_exp, rules.validate_aud) = (false, false);
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    let token = jsonwebtoken::decode::<Map<String, Value>>(token, &key, &rules).ok()?;
    (token.header.typ.as_deref() == Some(kind)).then_some(token.claims)
}

/// Whether these are keys, of which each verifies and none could sign.
pub(crate) fn are_public_keys(keys: &str) -> bool {
    let keys: Option<Value> = serde_json::from_str(keys).ok();
    let all = keys.as_ref().and_then(|keys| keys.get("keys")?.as_array());
    let is_public = |key: &Value| {
        let hides =
            ["d", "p", "q", "dp", "dq", "qi", "k"].iter().any(|part| key.get(part).is_some());
        let read = serde_json::from_value::<Jwk>(key.clone()).ok();
        !hides && read.is_some_and(|key| id_token::algorithm_of(&key).is_some())
    };
    all.is_some_and(|all| (1..=10).contains(&all.len()) && all.iter().all(is_public))
}

/// The name of an algorithm.
pub(crate) fn name(algorithm: SigningAlgorithm) -> &'static str {
    match algorithm {
        SigningAlgorithm::Es256 => "ES256",
        _ => "RS256",
    }
}

fn jose(algorithm: SigningAlgorithm) -> Algorithm {
    match algorithm {
        SigningAlgorithm::Es256 => Algorithm::ES256,
        _ => Algorithm::RS256,
    }
}

fn encoding(algorithm: SigningAlgorithm, private: &[u8]) -> EncodingKey {
    match algorithm {
        SigningAlgorithm::Es256 => EncodingKey::from_ec_der(private),
        _ => EncodingKey::from_rsa_der(private),
    }
}
