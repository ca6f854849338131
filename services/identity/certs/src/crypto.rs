//! Certificates of X.509: what is asked for, what is signed, and what is revoked (RFC 5280, 2986).
//!
//! Roots sign with ECDSA on P-256. The nonces of their signatures follow from key and text (RFC 6979), so
//! that signing draws on no chance.

mod crl;
mod issue;
mod request;

pub(crate) use crl::{Revoked, sign_crl};
pub(crate) use issue::{Leaf, sign_leaf, sign_root};
pub(crate) use request::{Request, is_signed_by};

use p256::ecdsa::SigningKey;
use p256::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use sha2::{Digest as _, Sha256};
use stoa_kit::{Error, Micros, Result};
use x509_cert::Certificate;
use x509_cert::der::asn1::OctetString;
use x509_cert::der::pem::LineEnding;
use x509_cert::der::{DateTime, Decode as _, DecodePem as _, EncodePem as _};
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::{Time, Validity};
use zeroize::Zeroizing;

use crate::model;

/// What signs.
pub(crate) struct Signer {
    key: SigningKey,
    certificate: Certificate,
}

impl Signer {
    /// A root, of its private key and its certificate as they are kept.
    pub(crate) fn read(private: &[u8], certificate: &str) -> Result<Self> {
        let key = SigningKey::from_pkcs8_der(private).map_err(Error::internal)?;
        Ok(Self { key, certificate: read_pem(certificate).ok_or_else(damaged)? })
    }
}

/// A private key.
pub(crate) struct Private(SigningKey);

impl Private {
    /// The key that follows from unpredictable bytes: none where they are no number below the order of the
    /// curve, as one in 2³² are.
    pub(crate) fn of(chance: &[u8; 32]) -> Option<Self> {
        SigningKey::from_slice(chance).ok().map(Self)
    }

    /// The key as it is kept (PKCS #8).
    pub(crate) fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>> {
        let der = self.0.to_pkcs8_der().map_err(Error::internal)?;
        Ok(Zeroizing::new(der.as_bytes().to_vec()))
    }

    /// Its public half.
    fn public(&self) -> Result<SubjectPublicKeyInfoOwned> {
        SubjectPublicKeyInfoOwned::from_key(self.0.verifying_key()).map_err(Error::internal)
    }
}

/// A certificate as PEM.
pub(crate) fn pem(certificate: &Certificate) -> Result<String> {
    certificate.to_pem(LineEnding::LF).map_err(Error::internal)
}

/// A certificate that is PEM; none for what is none.
pub(crate) fn read_pem(text: &str) -> Option<Certificate> {
    Certificate::from_pem(text).ok()
}

/// A certificate that is DER; none for what is none.
pub(crate) fn read_der(bytes: &[u8]) -> Option<Certificate> {
    Certificate::from_der(bytes).ok()
}

fn damaged() -> Error {
    Error::internal("a certificate that is kept cannot be read")
}

/// What a key is known by in certificates (RFC 7093, 2): the first 160 bits of its SHA-256.
fn key_id(public: &SubjectPublicKeyInfoOwned) -> Result<OctetString> {
    let hash = Sha256::digest(public.subject_public_key.raw_bytes());
    OctetString::new(&hash[..20]).map_err(Error::internal)
}

fn time(time: Micros) -> Result<Time> {
    let since = std::time::Duration::from_secs(model::seconds(time));
    DateTime::from_unix_duration(since).map(Time::from).map_err(Error::internal)
}

/// A time as JSON has it (RFC 3339).
pub(crate) fn time_text(at: Micros) -> Result<String> {
    time(at).map(|time| time.to_string())
}

fn validity(from: Micros, to: Micros) -> Result<Validity> {
    Ok(Validity::new(time(from)?, time(to)?))
}
