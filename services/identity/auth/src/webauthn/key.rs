//! Public keys in COSE (RFC 9052, 9053), and what they sign.

use ciborium::Value;
use p256::ecdsa::signature::Verifier as _;
use rsa::{BoxedUint, PublicKey};
use sha2::Sha256;

/// The algorithms that are good, by their numbers in COSE, the best first: Ed25519, ECDSA on P-256 with
/// SHA-256, RSA of PKCS #1 v1.5 with SHA-256.
pub(crate) const ALGORITHMS: [i64; 3] = [-8, -7, -257];
/// Bytes of an RSA modulus at least and at most.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;

/// A key that signatures are verified with.
enum Key {
    Ed25519(ed25519_dalek::VerifyingKey),
    P256(p256::ecdsa::VerifyingKey),
    Rsa(rsa::pkcs1v15::VerifyingKey<Sha256>),
}

/// Whether this is a key of an algorithm that is good.
pub(crate) fn is_key(cose: &[u8]) -> bool {
    read(cose).is_some()
}

/// Whether a signature is one of these bytes by a key; false for one that is none.
pub(crate) fn verify(cose: &[u8], signed: &[u8], signature: &[u8]) -> bool {
    match read(cose) {
        Some(Key::Ed25519(key)) => ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|signature| key.verify_strict(signed, &signature).is_ok()),
        Some(Key::P256(key)) => p256::ecdsa::Signature::from_der(signature)
            .is_ok_and(|signature| key.verify(signed, &signature).is_ok()),
        Some(Key::Rsa(key)) => rsa::pkcs1v15::Signature::try_from(signature)
            .is_ok_and(|signature| key.verify(signed, &signature).is_ok()),
        None => false,
    }
}

fn read(cose: &[u8]) -> Option<Key> {
    let mut rest = cose;
    let map: Value = ciborium::from_reader(&mut rest).ok()?;
    let map = map.into_map().ok().filter(|_| rest.is_empty())?;
    let value = |label: i64| {
        let found = map.iter().find(|(key, _)| is(key, label));
        found.map(|(_, value)| value)
    };
    let number = |label, wanted| value(label).is_some_and(|value| is(value, wanted));
    let bytes = |label| value(label).and_then(Value::as_bytes);
    // 1 is the type of the key, 3 its algorithm; what follows depends on the type.
    if number(1, 1) && number(3, -8) && number(-1, 6) {
        let key = <[u8; 32]>::try_from(bytes(-2)?.as_slice()).ok()?;
        return ed25519_dalek::VerifyingKey::from_bytes(&key).ok().map(Key::Ed25519);
    }
    if number(1, 2) && number(3, -7) && number(-1, 1) {
        let (x, y) = (bytes(-2)?, bytes(-3)?);
        if (x.len(), y.len()) != (32, 32) {
            return None;
        }
        let point = [&[4], x.as_slice(), y.as_slice()].concat();
        return p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok().map(Key::P256);
    }
    if number(1, 3) && number(3, -257) {
        let (n, e) = (bytes(-1)?, bytes(-2)?);
        if !MODULUS.contains(&n.len()) || e.len() > 4 {
            return None;
        }
        let number = |bytes: &[u8]| BoxedUint::from_be_slice_vartime(bytes);
        let key = PublicKey::new(number(n), number(e)).ok()?;
        return Some(Key::Rsa(rsa::pkcs1v15::VerifyingKey::new(key)));
    }
    None
}

fn is(value: &Value, number: i64) -> bool {
    value.as_integer().is_some_and(|integer| i128::from(integer) == i128::from(number))
}
