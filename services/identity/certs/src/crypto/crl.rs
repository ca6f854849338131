//! Lists of what is revoked (RFC 5280, 5).

use p256::ecdsa::DerSignature;
use p256::ecdsa::signature::Signer as _;
use stoa_kit::{Error, Micros, Result};
use x509_cert::Version;
use x509_cert::crl::{CertificateList, RevokedCert, TbsCertList};
use x509_cert::der::Encode as _;
use x509_cert::der::asn1::{BitString, Uint};
use x509_cert::ext::pkix::{CrlNumber, CrlReason};
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::DynSignatureAlgorithmIdentifier as _;

use super::issue::{Extensions, issued_by};
use super::{Signer, time};
use crate::model;

/// A certificate that is revoked.
pub(crate) struct Revoked {
    pub(crate) serial: String,
    pub(crate) time: Micros,
    pub(crate) reason: Option<CrlReason>,
}

/// Signs a list of what is revoked of a root, as DER.
pub(crate) fn sign_crl(
    signer: &Signer, number: i64, from: Micros, to: Micros, revoked: &[Revoked],
) -> Result<Vec<u8>> {
    let root = signer.certificate.tbs_certificate();
    let mut extensions = Extensions::of(root.subject());
    extensions.add(&issued_by(root.subject_public_key_info())?)?;
    let number = Uint::new(&number.to_be_bytes()).map_err(Error::internal)?;
    extensions.add(&CrlNumber(number))?;
    let entries = revoked.iter().map(entry).collect::<Result<Vec<_>>>()?;
    let algorithm = signer.key.signature_algorithm_identifier().map_err(Error::internal)?;
    let list = TbsCertList {
        version: Version::V2,
        signature: algorithm.clone(),
        issuer: root.subject().clone(),
        this_update: time(from)?,
        next_update: Some(time(to)?),
        revoked_certificates: Some(entries).filter(|entries| !entries.is_empty()),
        crl_extensions: Some(extensions.all),
    };
    let signature: DerSignature = signer.key.sign(&list.to_der().map_err(Error::internal)?);
    let signature = BitString::from_bytes(signature.as_bytes()).map_err(Error::internal)?;
    let list = CertificateList { tbs_cert_list: list, signature_algorithm: algorithm, signature };
    list.to_der().map_err(Error::internal)
}

fn entry(revoked: &Revoked) -> Result<RevokedCert> {
    let serial = model::unhex(&revoked.serial);
    let serial = serial.ok_or_else(|| Error::internal("a serial number is not hexadecimal"))?;
    let subject = x509_cert::name::Name::default();
    let mut extensions = Extensions::of(&subject);
    if let Some(reason) = &revoked.reason {
        extensions.add(reason)?;
    }
    Ok(RevokedCert {
        serial_number: SerialNumber::new(&serial).map_err(Error::internal)?,
        revocation_date: time(revoked.time)?,
        crl_entry_extensions: Some(extensions.all).filter(|all| !all.is_empty()),
    })
}
