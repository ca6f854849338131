//! Authorities, requests as `rcgen` writes them, and what is read of certificates.

use std::time::Duration;

use http::{HeaderMap, Request, StatusCode};
use rcgen::{CertificateParams, KeyPair, SanType};
use serde_json::{Value, json};
use stoa_certs_v1::*;
use stoa_kit::Micros;
use stoa_testkit::Node;
use x509_cert::der::{Decode as _, DecodePem as _};

pub(crate) const ADDRESS: &str = "https://ca.example";
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Says something of the authority.
pub(crate) async fn set(node: &Node, name: &str, value: Value) {
    let request = json!({"service": "certs", "name": name, "value": value.to_string()});
    node.ask(&node.admin(), "UpdateSetting", request).await.unwrap();
}

/// An authority that is open to ACME and has a trust domain.
pub(crate) async fn authority(node: &Node) -> Authority {
    set(node, "address", json!(ADDRESS)).await;
    let request = CreateAuthorityRequest {
        name: "Shop".into(),
        trust_domain: "shop.example".into(),
        acme_open: true,
        ..CreateAuthorityRequest::default()
    };
    node.call(&node.admin(), request).await.unwrap().authority.into_option().unwrap()
}

/// A key, and a request for a certificate of names, as PEM.
pub(crate) fn csr(names: &[&str]) -> (KeyPair, String) {
    let key = KeyPair::generate().unwrap();
    let csr = csr_of(&key, names);
    (key, csr)
}

pub(crate) fn csr_of(key: &KeyPair, names: &[&str]) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.subject_alt_names = names.iter().map(|name| alternative(name)).collect();
    params.serialize_request(key).unwrap().pem().unwrap()
}

fn alternative(name: &str) -> SanType {
    match name.parse() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) if name.contains("://") => SanType::URI(name.try_into().unwrap()),
        Err(_) => SanType::DnsName(name.try_into().unwrap()),
    }
}

/// A certificate that was issued, and its key.
pub(crate) struct Issued {
    pub(crate) key: KeyPair,
    pub(crate) certificate: Certificate,
    pub(crate) chain: String,
}

pub(crate) async fn issue(node: &Node, authority: &Authority, names: &[&str]) -> Issued {
    let (key, csr) = csr(names);
    let request =
        IssueCertificateRequest { authority_id: authority.id.clone(), csr, ttl_seconds: 0 };
    let reply = node.call(&node.admin(), request).await.unwrap();
    Issued { key, certificate: reply.certificate.into_option().unwrap(), chain: reply.chain }
}

pub(crate) async fn bundle(node: &Node, authority: &Authority) -> GetBundleResponse {
    let request = GetBundleRequest { authority_id: authority.id.clone() };
    node.call(&node.nobody(), request).await.unwrap()
}

pub(crate) async fn rotate(node: &Node, authority: &Authority) -> Root {
    let request = RotateAuthorityRequest { id: authority.id.clone() };
    node.call(&node.admin(), request).await.unwrap().root.into_option().unwrap()
}

pub(crate) async fn revoke(node: &Node, serial: &str, reason: RevocationReason) {
    let request = RevokeCertificateRequest { serial: serial.into(), reason: reason.into() };
    node.call(&node.admin(), request).await.unwrap();
}

/// A certificate as it is read, or the first one of a chain.
pub(crate) fn read(pem: &str) -> x509_cert::Certificate {
    const END: &str = "-----END CERTIFICATE-----\n";
    let first = &pem[..pem.find(END).unwrap() + END.len()];
    x509_cert::Certificate::from_pem(first).unwrap()
}

/// How long a certificate is good from now on, to the second.
pub(crate) fn life(node: &Node, certificate: &Certificate) -> Duration {
    let left = Micros::of(&certificate.expire_time).since(node.now());
    Duration::from_secs(left.as_secs_f64().ceil() as u64)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

pub(crate) async fn send(
    node: &Node, verb: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>,
) -> Answer {
    let path = path.strip_prefix(ADDRESS).unwrap_or(path);
    let mut request = Request::builder().method(verb).uri(path).header("host", "ca.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (head, body) = node.http(request.body(body.into()).unwrap()).await.into_parts();
    Answer { status: head.status, headers: head.headers, body: body.to_vec() }
}

/// The list of a root, as anybody gets it.
pub(crate) async fn fetch_crl(node: &Node, root_id: &str) -> Vec<u8> {
    let answer = send(node, "GET", &format!("/crl/{root_id}"), &[], Vec::new()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/pkix-crl");
    answer.body
}

/// A list as it is read.
pub(crate) struct Crl(pub(crate) x509_cert::crl::CertificateList);

impl Crl {
    pub(crate) fn read(der: &[u8]) -> Self {
        Self(x509_cert::crl::CertificateList::from_der(der).unwrap())
    }

    pub(crate) fn number(&self) -> u64 {
        let extensions = self.0.tbs_cert_list.crl_extensions.as_ref().unwrap();
        let number = extensions.iter().find(|one| one.extn_id.to_string() == "2.5.29.20").unwrap();
        let number =
            x509_cert::ext::pkix::CrlNumber::from_der(number.extn_value.as_bytes()).unwrap();
        number.0.as_bytes().iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }

    /// The serial numbers that are on it.
    pub(crate) fn serials(&self) -> Vec<String> {
        let all = self.0.tbs_cert_list.revoked_certificates.iter().flatten();
        all.map(|one| hex(one.serial_number.as_bytes())).collect()
    }

    /// When it was signed, and until when it is good, in seconds.
    pub(crate) fn times(&self) -> (u64, u64) {
        let list = &self.0.tbs_cert_list;
        let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
        (seconds(list.this_update), seconds(list.next_update.unwrap()))
    }
}

pub(crate) async fn crl(node: &Node, root_id: &str) -> Crl {
    Crl::read(&fetch_crl(node, root_id).await)
}
