//! What encrypts, signs and authenticates: thin words around the algorithms, of which none is ours.

#[cfg(test)]
mod vectors;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, KeyInit, Nonce, Payload};
use chacha20poly1305::ChaCha20Poly1305;
use hkdf::Hkdf;
use hmac::Hmac;
use p256::ecdsa::signature::hazmat::{PrehashSigner as _, PrehashVerifier as _};
use p256::pkcs8::EncodePublicKey as _;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use stoa_kit::{Error, Result};
use stoa_secrets_v1::{Hash, KeyType};
use zeroize::Zeroizing;

/// The bytes of a nonce, which stand before what is encrypted.
const NONCE: usize = 12;
/// What stands before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410).
pub(crate) const ED25519_INFO: [u8; 12] = [48, 42, 48, 5, 6, 3, 43, 101, 112, 3, 33, 0];

/// The secret of one version of a key. Whatever is done with the version is done with a key that follows
/// from it (HKDF, RFC 5869), for that use and context alone.
pub(crate) struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The key for a use, none of which is the beginning of another one.
    fn derive(&self, usage: &str, context: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
        let mut key = Zeroizing::new([0; 32]);
        expand(&*self.0, &[], &[usage.as_bytes(), context].concat(), &mut *key)?;
        Ok(key)
    }
}

/// How a text is told from others when its nonce is chosen.
pub(crate) enum Nonces<'a> {
    /// By what was drawn, and its place among the texts of one call.
    Drawn(&'a [u8], usize),
    /// By the text itself, so that equal ones of a context look equal.
    Convergent,
}

/// Encrypts a text: its nonce, then what the algorithm makes of it.
pub(crate) fn encrypt(
    kind: KeyType, secret: &Secret, context: &[u8], nonces: &Nonces<'_>, text: Payload<'_, '_>,
) -> Result<Vec<u8>> {
    let mac = match nonces {
        Nonces::Drawn(chance, place) => hmac::<Hmac<Sha256>>(chance, &[&place.to_le_bytes()])?,
        Nonces::Convergent => {
            // With other data beside it, a text has another nonce: no two are under one.
            let length = (text.aad.len() as u64).to_le_bytes();
            let key = secret.derive("nonce:", context)?;
            hmac::<Hmac<Sha256>>(&*key, &[&length, text.aad, text.msg])?
        }
    };
    let (key, nonce) = (secret.derive("encrypt:", context)?, &mac[..NONCE]);
    let sealed = match kind {
        KeyType::Aes256Gcm96 => seal::<Aes256Gcm>(&key, nonce, text),
        KeyType::Chacha20Poly1305 => seal::<ChaCha20Poly1305>(&key, nonce, text),
        _ => None,
    };
    let sealed = sealed.ok_or_else(|| Error::internal("a text cannot be encrypted"))?;
    Ok([nonce, &sealed].concat())
}

/// Decrypts what [`encrypt`] made; none for anything else.
pub(crate) fn decrypt(
    kind: KeyType, secret: &Secret, context: &[u8], sealed: &[u8], associated: &[u8],
) -> Result<Option<Vec<u8>>> {
    let Some((nonce, msg)) = sealed.split_at_checked(NONCE) else { return Ok(None) };
    let (key, text) = (secret.derive("encrypt:", context)?, Payload { msg, aad: associated });
    Ok(match kind {
        KeyType::Aes256Gcm96 => open::<Aes256Gcm>(&key, nonce, text),
        KeyType::Chacha20Poly1305 => open::<ChaCha20Poly1305>(&key, nonce, text),
        _ => None,
    })
}

/// Authenticates an input.
pub(crate) fn authenticate(secret: &Secret, hash: Hash, input: &[u8]) -> Result<Vec<u8>> {
    let key = secret.derive("hmac:", &[])?;
    match hash {
        Hash::Sha2384 => hmac::<Hmac<Sha384>>(&*key, &[input]),
        Hash::Sha2512 => hmac::<Hmac<Sha512>>(&*key, &[input]),
        _ => hmac::<Hmac<Sha256>>(&*key, &[input]),
    }
}

/// Whether two texts are equal, in a time that does not tell where they differ.
pub(crate) fn equal(one: &[u8], other: &[u8]) -> bool {
    subtle::ConstantTimeEq::ct_eq(one, other).into()
}

/// What signs: a key of either type.
pub(crate) enum Signer {
    Ed25519(ed25519_dalek::SigningKey),
    EcdsaP256(p256::ecdsa::SigningKey),
}

impl Signer {
    /// The signing key of a version; none for a type that does not sign.
    pub(crate) fn of(kind: KeyType, secret: &Secret, context: &[u8]) -> Result<Option<Self>> {
        match kind {
            KeyType::Ed25519 => {
                let key = secret.derive("ed25519:", context)?;
                Ok(Some(Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(&key))))
            }
            KeyType::EcdsaP256 => {
                // One in 2³² numbers of this length is none below the order of the curve.
                for turn in 0..=u8::MAX {
                    let key = secret.derive("ecdsa-p256:", &[turn])?;
                    if let Ok(key) = p256::ecdsa::SigningKey::from_slice(&*key) {
                        return Ok(Some(Self::EcdsaP256(key)));
                    }
                }
                Err(Error::internal("no key of ECDSA follows from a secret"))
            }
            _ => Ok(None),
        }
    }

    /// Signs an input; of ECDSA, its hash.
    pub(crate) fn sign(&self, input: &Input<'_>) -> Result<Vec<u8>> {
        match self {
            Self::Ed25519(key) => {
                Ok(ed25519_dalek::Signer::sign(key, input.bytes).to_bytes().to_vec())
            }
            Self::EcdsaP256(key) => {
                let signature: p256::ecdsa::Signature =
                    key.sign_prehash(&input.digest()).map_err(Error::internal)?;
                Ok(signature.to_der().as_bytes().to_vec())
            }
        }
    }

    /// Whether a signature is one of an input.
    pub(crate) fn verify(&self, input: &Input<'_>, signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => {
                let signature = ed25519_dalek::Signature::from_slice(signature);
                let key = key.verifying_key();
                signature.is_ok_and(|signature| key.verify_strict(input.bytes, &signature).is_ok())
            }
            Self::EcdsaP256(key) => {
                let signature = p256::ecdsa::Signature::from_der(signature);
                let good = |of: p256::ecdsa::Signature| {
                    key.verifying_key().verify_prehash(&input.digest(), &of).is_ok()
                };
                signature.is_ok_and(good)
            }
        }
    }

    /// What others verify by: SubjectPublicKeyInfo.
    pub(crate) fn public_key(&self) -> Result<Vec<u8>> {
        match self {
            Self::Ed25519(key) => Ok([&ED25519_INFO[..], key.verifying_key().as_bytes()].concat()),
            Self::EcdsaP256(key) => {
                let document = key.verifying_key().to_public_key_der().map_err(Error::internal)?;
                Ok(document.into_vec())
            }
        }
    }
}

/// What is signed.
pub(crate) struct Input<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) hash: Hash,
    pub(crate) prehashed: bool,
}

impl Input<'_> {
    fn digest(&self) -> Vec<u8> {
        match self.hash {
            _ if self.prehashed => self.bytes.to_vec(),
            Hash::Sha2384 => Sha384::digest(self.bytes).to_vec(),
            Hash::Sha2512 => Sha512::digest(self.bytes).to_vec(),
            _ => Sha256::digest(self.bytes).to_vec(),
        }
    }
}

fn seal<C: Aead + KeyInit>(key: &[u8; 32], nonce: &[u8], text: Payload<'_, '_>) -> Option<Vec<u8>> {
    let nonce = Nonce::<C>::try_from(nonce).ok()?;
    C::new_from_slice(key).ok()?.encrypt(&nonce, text).ok()
}

fn open<C: Aead + KeyInit>(key: &[u8; 32], nonce: &[u8], text: Payload<'_, '_>) -> Option<Vec<u8>> {
    let nonce = Nonce::<C>::try_from(nonce).ok()?;
    C::new_from_slice(key).ok()?.decrypt(&nonce, text).ok()
}

fn hmac<M: hmac::Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Result<Vec<u8>> {
    let mac = <M as KeyInit>::new_from_slice(key).map_err(Error::internal)?;
    let mac = parts.iter().fold(mac, |mac, part| mac.chain_update(part));
    Ok(mac.finalize().into_bytes().to_vec())
}

fn expand(secret: &[u8], salt: &[u8], info: &[u8], key: &mut [u8]) -> Result<()> {
    Hkdf::<Sha256>::new(Some(salt), secret).expand(info, key).map_err(Error::internal)
}
