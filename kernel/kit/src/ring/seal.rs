//! A secret, and what is sealed with it.

use aes_gcm_siv::aead::{Aead, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};

use crate::{Error, Result};

/// A secret, and what follows from it.
///
/// The same parts give the same bytes, whenever and wherever they are asked for; who does not have
/// the secret learns nothing from them. What is sealed is encrypted and authenticated
/// (AES-GCM-SIV, RFC 8452) under a key and a nonce that follow from its context, so that equal
/// texts of one context look equal, and nothing else can be told.
#[derive(Clone, PartialEq, Eq)]
pub struct Seal([u8; 32]);

/// The bytes of a key and of a nonce.
const KEY: usize = 32;
const NONCE: usize = 12;

impl Seal {
    /// The seal of a secret.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// Another seal, which follows from this one and leads back to nothing.
    #[must_use]
    pub fn within(&self, parts: &[&[u8]]) -> Self {
        Self(self.derive(parts))
    }

    /// Bytes that follow from the secret and these parts.
    pub fn derive<const N: usize>(&self, parts: &[&[u8]]) -> [u8; N] {
        let mut mac = blake3::Hasher::new_keyed(&self.0);
        for part in parts {
            // Lengths keep ("ab", "c") and ("a", "bc") apart.
            mac.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        let mut bytes = [0; N];
        mac.finalize_xof().fill(&mut bytes);
        bytes
    }

    /// Seals a text: only [`Seal::open`] in the same context reads it.
    ///
    /// # Errors
    /// `internal` for a text beyond 64 GiB.
    pub fn seal(&self, context: &[&[u8]], text: &[u8]) -> Result<Vec<u8>> {
        let (cipher, nonce) = self.cipher(context);
        cipher.encrypt(&nonce, text).map_err(|_| Error::internal("a text cannot be sealed"))
    }

    /// Opens what was sealed in this context; none for anything else.
    pub fn open(&self, context: &[&[u8]], sealed: &[u8]) -> Option<Vec<u8>> {
        let (cipher, nonce) = self.cipher(context);
        cipher.decrypt(&nonce, sealed).ok()
    }

    fn cipher(&self, context: &[&[u8]]) -> (Aes256GcmSiv, Nonce) {
        let bytes: [u8; KEY + NONCE] = self.within(&[b"seal"]).derive(context);
        let (mut key, mut nonce) = ([0; KEY], [0; NONCE]);
        key.copy_from_slice(&bytes[..KEY]);
        nonce.copy_from_slice(&bytes[KEY..]);
        (Aes256GcmSiv::new(&key.into()), nonce.into())
    }
}

impl Drop for Seal {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_in_its_context_and_unchanged() {
        let seal = Seal::new([7; 32]);
        let sealed = seal.seal(&[b"a", b"bc"], b"text").unwrap();
        assert_eq!(sealed, seal.seal(&[b"a", b"bc"], b"text").unwrap());
        assert_eq!(seal.open(&[b"a", b"bc"], &sealed).unwrap(), b"text");
        assert_eq!(seal.open(&[b"ab", b"c"], &sealed), None);
        assert_eq!(Seal::new([8; 32]).open(&[b"a", b"bc"], &sealed), None);
        for place in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[place] ^= 1;
            assert_eq!(seal.open(&[b"a", b"bc"], &forged), None);
        }
        assert_eq!(seal.open(&[b"a", b"bc"], b""), None);
    }
}
