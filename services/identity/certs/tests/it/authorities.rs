//! Authorities, and their roots.

use stoa_certs_v1::*;
use stoa_kit::{Micros, Service};
use stoa_testkit::both;
use x509_cert::der::Encode as _;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, KeyUsage, SubjectAltName, SubjectKeyIdentifier,
};

use crate::world::*;

fn services() -> Vec<Service> {
    crate::services()
}

both! {
    async fn a_root_is_what_rfc_5280_asks_of_one(node: Node) {
        let authority = authority(&node).await;
        let root = bundle(&node, &authority).await.roots.remove(0);
        let certificate = read(&root.certificate);
        let said = certificate.tbs_certificate();
        assert_eq!(said.subject(), said.issuer());
        assert_eq!(said.subject().to_string(), "CN=Shop R1");
        let (critical, constraints) = said.get_extension::<BasicConstraints>().unwrap().unwrap();
        assert!(critical && constraints.ca && constraints.path_len_constraint == Some(0));
        let (critical, usage) = said.get_extension::<KeyUsage>().unwrap().unwrap();
        assert!(critical && usage.key_cert_sign() && usage.crl_sign() && !usage.digital_signature());
        let (critical, id) = said.get_extension::<SubjectKeyIdentifier>().unwrap().unwrap();
        assert!(!critical && id.0.as_bytes().len() == 20);
        assert!(said.get_extension::<AuthorityKeyIdentifier>().unwrap().is_none());
        let (_, names) = said.get_extension::<SubjectAltName>().unwrap().unwrap();
        assert!(format!("{names:?}").contains("spiffe://shop.example"), "{names:?}");
        assert_eq!(said.serial_number().as_bytes().len(), 16);
        // What it signs last is over before it is.
        let lives = said.validity().not_after.to_unix_duration()
            - said.validity().not_before.to_unix_duration();
        assert!(lives > (180 + 90) * DAY, "{lives:?}");
    }
}

both! {
    async fn the_next_root_is_in_the_bundle_for_an_hour_before_it_signs(node: Node) {
        let authority = authority(&node).await;
        let first = bundle(&node, &authority).await.roots.remove(0);
        let next = rotate(&node, &authority).await;
        let told = bundle(&node, &authority).await;
        let ids: Vec<_> = told.roots.iter().map(|root| &root.id).collect();
        assert_eq!((ids, told.sequence), (vec![&first.id, &next.id], 2));
        assert_eq!(told.certificates.matches("BEGIN CERTIFICATE").count(), 2);
        node.advance(HOUR - MINUTE).await;
        assert_eq!(issue(&node, &authority, &["a.example"]).await.certificate.root_id, first.id);
        node.advance(MINUTE).await;
        assert_eq!(issue(&node, &authority, &["a.example"]).await.certificate.root_id, next.id);
        // It stays for as long as something that it signed may be good.
        node.advance(90 * DAY - HOUR).await;
        assert_eq!(bundle(&node, &authority).await.roots.len(), 2);
        node.advance(2 * HOUR).await;
        let left = bundle(&node, &authority).await.roots;
        assert_eq!(left.iter().map(|root| &root.id).collect::<Vec<_>>(), [&next.id]);
    }
}

both! {
    async fn a_root_that_is_retired_is_trusted_no_more_and_signs_nothing(node: Node) {
        let authority = authority(&node).await;
        let ids = async || -> Vec<String> {
            bundle(&node, &authority).await.roots.into_iter().map(|root| root.id).collect()
        };
        let retire = async |id: &str| {
            let request = RetireRootRequest { id: id.into() };
            node.call(&node.admin(), request).await.unwrap().root.into_option().unwrap()
        };
        let signs = async || issue(&node, &authority, &["a.example"]).await.certificate.root_id;
        let first = ids().await.remove(0);
        // The only one: the next is made, and signs at once.
        let second = retire(&first).await;
        assert_eq!((ids().await, signs().await), (vec![second.id.clone()], second.id.clone()));
        // One that waits: another one waits in its place, and who signs goes on.
        let third = rotate(&node, &authority).await;
        let fourth = retire(&third.id).await;
        assert_eq!(ids().await, [second.id.clone(), fourth.id.clone()]);
        assert_eq!(signs().await, second.id);
        // The one that signs, where one waits: that signs at once, and none before it.
        let last = retire(&second.id).await;
        assert_eq!((&last.id, signs().await), (&fourth.id, fourth.id.clone()));
        node.advance(HOUR).await;
        assert_eq!((ids().await, signs().await), (vec![fourth.id.clone()], fourth.id.clone()));
        let fifth = rotate(&node, &authority).await;
        node.advance(HOUR).await;
        assert_eq!(signs().await, fifth.id);
        let sixth = retire(&fifth.id).await;
        assert_eq!(ids().await, [fourth.id, sixth.id.clone()]);
        assert_eq!(signs().await, sixth.id);
        assert_eq!(node.events::<RootRetired>().await.len(), 4);
    }
}

both! {
    async fn roots_follow_one_another_by_themselves(node: Node) {
        let authority = authority(&node).await;
        set(&node, "root_life_days", 30.into()).await;
        rotate(&node, &authority).await;
        node.advance(30 * DAY - HOUR).await;
        assert_eq!(bundle(&node, &authority).await.sequence, 2);
        node.advance(2 * HOUR).await;
        node.settle().await;
        assert_eq!(bundle(&node, &authority).await.sequence, 3);
        assert_eq!(node.events::<RootCreated>().await.len(), 3);
    }
}

both! {
    async fn private_keys_are_nowhere_as_they_are(node: Node) {
        let authority = authority(&node).await;
        let kept = node
            .rows::<(String, Vec<u8>)>("SELECT certificate, private_key FROM certs_root")
            .await;
        let [(certificate, sealed)] = &kept[..] else { panic!("one root") };
        let public = read(certificate);
        let public = public.tbs_certificate().subject_public_key_info().to_der().unwrap();
        // A private key as PKCS #8 holds the public one: what is sealed does not.
        let point = &public[public.len() - 64..];
        assert!(!sealed.windows(32).any(|bytes| point.starts_with(bytes)));
        assert!(sealed.len() > 64 && !sealed.starts_with(&[0x30]));
        let issued = issue(&node, &authority, &["a.example"]).await;
        assert!(issued.chain.contains(certificate.as_str()));
    }
}

both! {
    async fn names_and_trust_domains_are_one_authoritys(node: Node) {
        let shop = authority(&node).await;
        for (name, trust_domain) in [("Shop", ""), ("Other", "shop.example")] {
            let request = CreateAuthorityRequest {
                name: name.into(),
                trust_domain: trust_domain.into(),
                ..CreateAuthorityRequest::default()
            };
            let error = node.fails(&node.admin(), request).await;
            assert_eq!(error.reason(), "certs.authority_exists");
        }
        for name in ["One", "Two"] {
            let request =
                CreateAuthorityRequest { name: name.into(), ..CreateAuthorityRequest::default() };
            node.call(&node.admin(), request).await.unwrap();
        }
        assert!(Micros::of(&shop.create_time) <= node.now());
    }
}
