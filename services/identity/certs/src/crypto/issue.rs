//! What roots sign: themselves, and certificates of others (RFC 5280, 4).

use std::str::FromStr as _;

use p256::ecdsa::DerSignature;
use stoa_kit::{Error, Micros, Result};
use x509_cert::Certificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder as _, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::der::asn1::{Ia5String, ObjectIdentifier, OctetString};
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints, ExtendedKeyUsage, KeyUsage,
    KeyUsages, SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::Validity;

use super::{Private, Signer, key_id, request, validity};
use crate::model;

/// A certificate may be used by servers and by clients, as mutual TLS has it (RFC 5280, 4.2.1.12).
const USES: [ObjectIdentifier; 2] = [
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1"),
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2"),
];
/// The longest common name (RFC 5280, App. A).
const COMMON_NAME_MAX: usize = 64;

/// The certificate of a new root, signed by itself: it signs certificates and lists of what is revoked, and no
/// other authority's certificate.
pub(crate) fn sign_root(
    key: &Private, name: &str, trust_domain: &str, serial: &[u8], from: Micros, to: Micros,
) -> Result<Certificate> {
    let subject = Name::from_str(&format!("CN={name}")).map_err(Error::internal)?;
    let public = key.public()?;
    let mut extensions = Extensions::of(&subject);
    extensions.add(&BasicConstraints { ca: true, path_len_constraint: Some(0) })?;
    extensions.add(&KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign))?;
    extensions.add(&SubjectKeyIdentifier(key_id(&public)?))?;
    if !trust_domain.is_empty() {
        // The X.509-SVID standard, 3.1: what signs may have the trust domain as its name.
        extensions
            .add(&SubjectAltName(vec![general(&format!("{}{trust_domain}", model::SPIFFE))?]))?;
    }
    let extensions = extensions.all;
    let profile = Profile { issuer: subject.clone(), subject, extensions };
    build(&key.0, profile, serial, validity(from, to)?, public)
}

/// What a certificate says.
pub(crate) struct Leaf<'a> {
    pub(crate) names: &'a [String],
    pub(crate) public: SubjectPublicKeyInfoOwned,
    pub(crate) serial: &'a [u8],
    pub(crate) from: Micros,
    pub(crate) to: Micros,
    /// Where the list of what is revoked is to be had; empty where nobody knows.
    pub(crate) crl: String,
}

/// Signs a certificate.
pub(crate) fn sign_leaf(signer: &Signer, leaf: Leaf<'_>) -> Result<Certificate> {
    let root = signer.certificate.tbs_certificate();
    let common = leaf
        .names
        .iter()
        .find(|name| name.len() <= COMMON_NAME_MAX && model::host_or_wildcard(name).is_some());
    let subject = match common {
        Some(name) => Name::from_str(&format!("CN={name}")).map_err(Error::internal)?,
        None => Name::default(),
    };
    let usage = match leaf.public.algorithm.oid {
        request::RSA => KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment,
        _ => KeyUsages::DigitalSignature.into(),
    };
    let names = leaf.names.iter().map(|name| general(name)).collect::<Result<_>>()?;
    let mut extensions = Extensions::of(&subject);
    extensions.add(&BasicConstraints { ca: false, path_len_constraint: None })?;
    extensions.add(&KeyUsage(usage))?;
    extensions.add(&ExtendedKeyUsage(USES.to_vec()))?;
    extensions.add(&SubjectKeyIdentifier(key_id(&leaf.public)?))?;
    extensions.add(&issued_by(root.subject_public_key_info())?)?;
    extensions.add(&SubjectAltName(names))?;
    if !leaf.crl.is_empty() {
        let place = GeneralName::UniformResourceIdentifier(text(&leaf.crl)?);
        extensions.add(&CrlDistributionPoints(vec![DistributionPoint {
            distribution_point: Some(DistributionPointName::FullName(vec![place])),
            reasons: None,
            crl_issuer: None,
        }]))?;
    }
    let extensions = extensions.all;
    let profile = Profile { issuer: root.subject().clone(), subject, extensions };
    build(&signer.key, profile, leaf.serial, validity(leaf.from, leaf.to)?, leaf.public)
}

/// Which key signed.
pub(super) fn issued_by(public: &SubjectPublicKeyInfoOwned) -> Result<AuthorityKeyIdentifier> {
    Ok(AuthorityKeyIdentifier { key_identifier: Some(key_id(public)?), ..Default::default() })
}

/// A name as certificates have it.
fn general(name: &str) -> Result<GeneralName> {
    if name.starts_with(model::SPIFFE) {
        return Ok(GeneralName::UniformResourceIdentifier(text(name)?));
    }
    Ok(match name.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(address)) => octets(&address.octets())?,
        Ok(std::net::IpAddr::V6(address)) => octets(&address.octets())?,
        Err(_) => GeneralName::DnsName(text(name)?),
    })
}

fn octets(bytes: &[u8]) -> Result<GeneralName> {
    OctetString::new(bytes).map(GeneralName::IpAddress).map_err(Error::internal)
}

fn text(text: &str) -> Result<Ia5String> {
    Ia5String::new(text).map_err(Error::internal)
}

/// Extensions of what has a subject: whether some are critical depends on it.
pub(super) struct Extensions<'a> {
    subject: &'a Name,
    pub(super) all: Vec<Extension>,
}

impl<'a> Extensions<'a> {
    pub(super) fn of(subject: &'a Name) -> Self {
        Self { subject, all: Vec::new() }
    }

    pub(super) fn add<E>(&mut self, extension: E) -> Result<()>
    where
        E: ToExtension<Error = x509_cert::der::Error>,
    {
        let extension = extension.to_extension(self.subject, &self.all);
        self.all.push(extension.map_err(Error::internal)?);
        Ok(())
    }
}

/// What a certificate says beside key, serial number and times, as the builder asks for it.
struct Profile {
    issuer: Name,
    subject: Name,
    extensions: Vec<Extension>,
}

impl BuilderProfile for Profile {
    fn get_issuer(&self, _: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self, _: SubjectPublicKeyInfoRef<'_>, _: SubjectPublicKeyInfoRef<'_>, _: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        Ok(self.extensions.clone())
    }
}

fn build(
    key: &p256::ecdsa::SigningKey, profile: Profile, serial: &[u8], validity: Validity,
    public: SubjectPublicKeyInfoOwned,
) -> Result<Certificate> {
    let serial = SerialNumber::new(serial).map_err(Error::internal)?;
    let builder = CertificateBuilder::new(profile, serial, validity, public);
    builder.map_err(Error::internal)?.build::<_, DerSignature>(key).map_err(Error::internal)
}
