//! What is issued, and what is refused.

use rcgen::{KeyPair, PKCS_ED25519};
use stoa_certs_v1::*;
use stoa_kit::{Code, Service};
use stoa_testkit::{Node, both};
use x509_cert::der::{DecodePem as _, Encode as _, EncodePem as _};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints, ExtendedKeyUsage, KeyUsage,
    SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::request::CertReq;

use crate::world::*;

fn services() -> Vec<Service> {
    crate::services()
}

async fn ask(
    node: &Node, authority: &Authority, csr: String,
) -> Result<Certificate, stoa_kit::Error> {
    let request =
        IssueCertificateRequest { authority_id: authority.id.clone(), csr, ttl_seconds: 0 };
    Ok(node.call(&node.admin(), request).await?.certificate.into_option().unwrap())
}

async fn register(node: &Node, authority: &Authority, path: &str) -> Workload {
    let request = RegisterWorkloadRequest {
        authority_id: authority.id.clone(),
        spiffe_id: format!("spiffe://shop.example/{path}"),
        selectors: vec!["unix:uid:1000".into()],
        life_seconds: 0,
    };
    node.call(&node.admin(), request).await.unwrap().workload.into_option().unwrap()
}

both! {
    async fn a_certificate_is_what_rfc_5280_asks_of_one(node: Node) {
        let authority = authority(&node).await;
        let issued = issue(&node, &authority, &["shop.example", "*.shop.example", "192.0.2.1", "2001:db8::1"]).await;
        let kept = issued.certificate;
        assert_eq!(kept.names, ["*.shop.example", "192.0.2.1", "2001:db8::1", "shop.example"]);
        let (certificate, root) = (read(&kept.certificate), bundle(&node, &authority).await.roots.remove(0));
        let (said, root) = (certificate.tbs_certificate(), read(&root.certificate));
        let root = root.tbs_certificate();
        assert_eq!(said.issuer(), root.subject());
        assert_eq!(hex(said.serial_number().as_bytes()), kept.serial);
        assert_eq!(kept.serial.len(), 32);
        let (_, constraints) = said.get_extension::<BasicConstraints>().unwrap().unwrap();
        assert!(!constraints.ca && constraints.path_len_constraint.is_none());
        let (critical, usage) = said.get_extension::<KeyUsage>().unwrap().unwrap();
        assert!(critical && usage.digital_signature() && !usage.key_encipherment());
        assert!(!usage.key_cert_sign() && !usage.crl_sign());
        let (_, uses) = said.get_extension::<ExtendedKeyUsage>().unwrap().unwrap();
        assert_eq!(uses.0.len(), 2);
        let (_, signer) = said.get_extension::<AuthorityKeyIdentifier>().unwrap().unwrap();
        let (_, key) = root.get_extension::<SubjectKeyIdentifier>().unwrap().unwrap();
        assert_eq!(signer.key_identifier.unwrap(), key.0);
        let (critical, names) = said.get_extension::<SubjectAltName>().unwrap().unwrap();
        assert_eq!((critical, names.0.len()), (false, 4));
        let (_, lists) = said.get_extension::<CrlDistributionPoints>().unwrap().unwrap();
        assert!(format!("{lists:?}").contains(&format!("{ADDRESS}/crl/{}", kept.root_id)));
        let lives = said.validity().not_after.to_unix_duration().as_secs();
        assert_eq!(lives, (node.now().after(DAY).0 / 1_000_000) as u64);
        // Openssl takes certificates without a subject only where the names are critical.
        let bare = issue(&node, &authority, &["192.0.2.1"]).await.certificate;
        let bare = read(&bare.certificate);
        assert!(bare.tbs_certificate().subject().is_empty());
        assert!(bare.tbs_certificate().get_extension::<SubjectAltName>().unwrap().unwrap().0);
    }
}

both! {
    async fn nothing_but_names_and_key_are_taken_of_a_request(node: Node) {
        let authority = authority(&node).await;
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut params = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(rcgen::DnType::CommonName, "b.example");
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "Somebody");
        let csr = params.serialize_request(&key).unwrap().pem().unwrap();
        let issued = ask(&node, &authority, csr).await.unwrap();
        assert_eq!(issued.names, ["a.example", "b.example"]);
        let certificate = read(&issued.certificate);
        let said = certificate.tbs_certificate();
        assert_eq!(said.subject().to_string(), "CN=a.example");
        assert!(!said.get_extension::<BasicConstraints>().unwrap().unwrap().1.ca);
        assert!(!said.get_extension::<KeyUsage>().unwrap().unwrap().1.key_cert_sign());
    }
}

both! {
    async fn a_request_that_its_key_did_not_sign_is_refused(node: Node) {
        let authority = authority(&node).await;
        let (_, csr) = csr(&["a.example"]);
        let good = CertReq::from_pem(&csr).unwrap();
        // Another key's signature, another key, another name.
        let other = CertReq::from_pem(crate::world::csr(&["a.example"]).1).unwrap();
        let mut stolen = good.clone();
        stolen.signature = other.signature.clone();
        let mut swapped = good.clone();
        swapped.info.public_key = other.info.public_key;
        let mut renamed = good.clone();
        renamed.info.attributes = CertReq::from_pem(crate::world::csr(&["b.example"]).1).unwrap().info.attributes;
        for forged in [stolen, swapped, renamed] {
            let csr = forged.to_pem(x509_cert::der::pem::LineEnding::LF).unwrap();
            let error = ask(&node, &authority, csr).await.unwrap_err();
            assert_eq!((error.reason(), error.code()), ("certs.bad_csr", Code::InvalidArgument));
        }
        assert!(ask(&node, &authority, csr).await.is_ok());
        // Cut anywhere, it is none, and nothing breaks.
        let der = good.to_der().unwrap();
        for length in (0..der.len()).step_by(7) {
            let request = SignCertificateRequest {
                authority_id: authority.id.clone(),
                csr: der[..length].to_vec(),
                serial: vec![1],
                ..SignCertificateRequest::default()
            };
            assert_eq!(node.fails(&node.system(), request).await.reason(), "certs.bad_csr");
        }
    }
}

both! {
    async fn names_that_are_none_are_refused(node: Node) {
        let authority = authority(&node).await;
        for names in [&["a b"][..], &["https://shop.example/"], &["a.example."], &["*.com"], &[]] {
            let error = ask(&node, &authority, csr(names).1).await.unwrap_err();
            assert_eq!(error.reason(), "certs.bad_csr", "{names:?}");
        }
    }
}

both! {
    async fn nothing_lives_long(node: Node) {
        let authority = authority(&node).await;
        let ask = async |ttl_seconds| {
            let (_, csr) = csr(&["a.example"]);
            let request = IssueCertificateRequest { authority_id: authority.id.clone(), csr, ttl_seconds };
            let issued = node.call(&node.admin(), request).await.unwrap().certificate;
            life(&node, &issued)
        };
        assert_eq!(ask(0).await, DAY);
        assert_eq!(ask(600).await, 10 * MINUTE);
        assert_eq!(ask(90 * 24 * 60 * 60).await, 30 * DAY);
        let update = UpdateAuthorityRequest {
            id: authority.id.clone(),
            life_max_seconds: 3600,
            ..UpdateAuthorityRequest::default()
        };
        node.call(&node.admin(), update).await.unwrap();
        assert_eq!(ask(0).await, HOUR);
        let (_, csr) = csr(&["a.example"]);
        let request = IssueCertificateRequest {
            authority_id: authority.id.clone(),
            csr,
            ttl_seconds: 90 * 24 * 60 * 60 + 1,
        };
        assert_eq!(node.fails(&node.admin(), request).await.violations()[0].path, "ttl_seconds");
    }
}

both! {
    async fn a_spiffe_id_is_a_registered_workloads(node: Node) {
        let authority = authority(&node).await;
        let id = "spiffe://shop.example/billing";
        let error = ask(&node, &authority, csr(&[id]).1).await.unwrap_err();
        assert_eq!(error.reason(), "certs.not_registered");
        let workload = register(&node, &authority, "billing").await;
        let svid = ask(&node, &authority, csr(&[id]).1).await.unwrap();
        assert_eq!((&svid.workload_id, svid.names.len()), (&workload.id, 1));
        assert_eq!(life(&node, &svid), HOUR);
        let error = ask(&node, &authority, csr(&[id, "a.example"]).1).await.unwrap_err();
        assert_eq!(error.reason(), "certs.bad_csr");
        for spiffe_id in
            ["spiffe://shop.example/a//b", "spiffe://shop.example/../b", "spiffe://other.example/a"]
        {
            let request = RegisterWorkloadRequest {
                authority_id: authority.id.clone(),
                spiffe_id: spiffe_id.into(),
                selectors: vec!["unix:uid:1".into()],
                life_seconds: 0,
            };
            let error = node.fails(&node.admin(), request).await;
            assert_eq!(error.violations()[0].path, "spiffe_id", "{spiffe_id}");
        }
        // With the workload goes what it has.
        let delete = DeleteWorkloadRequest { id: workload.id.clone() };
        node.call(&node.admin(), delete).await.unwrap();
        assert!(crl(&node, &svid.root_id).await.serials().contains(&svid.serial));
        let error = ask(&node, &authority, csr(&[id]).1).await.unwrap_err();
        assert_eq!(error.reason(), "certs.not_registered");
    }
}

both! {
    async fn what_is_over_is_gone_two_days_later(node: Node) {
        let authority = authority(&node).await;
        let issued = issue(&node, &authority, &["a.example"]).await.certificate;
        node.advance(3 * DAY - HOUR).await;
        let get = GetCertificateRequest { serial: issued.serial.clone() };
        node.call(&node.admin(), get.clone()).await.unwrap();
        node.advance(3 * HOUR).await;
        assert_eq!(node.fails(&node.admin(), get).await.code(), Code::NotFound);
    }
}
