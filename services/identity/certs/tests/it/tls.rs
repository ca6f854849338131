//! Whoever verifies certificates verifies ours: `rustls`, which knows nothing of us, with a clock of the node's.

use std::sync::Arc;

use rustls::client::{WebPkiServerVerifier, danger::ServerCertVerifier as _};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivatePkcs8KeyDer, ServerName, UnixTime,
};
use rustls::server::WebPkiClientVerifier;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use stoa_certs_v1::*;
use stoa_kit::Service;
use stoa_testkit::fuzz::cases;
use stoa_testkit::{Node, both};
use x509_cert::der::Encode as _;

use crate::world::*;

fn services() -> Vec<Service> {
    crate::services()
}

#[derive(Debug)]
struct Clock(u64);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(self.0)))
    }
}

fn clock(node: &Node) -> u64 {
    (node.now().0 / 1_000_000) as u64
}

fn store(bundle: &GetBundleResponse) -> Arc<RootCertStore> {
    let mut store = RootCertStore::empty();
    for root in &bundle.roots {
        store.add(CertificateDer::from(read(&root.certificate).to_der().unwrap())).unwrap();
    }
    Arc::new(store)
}

fn chain(issued: &Issued) -> Vec<CertificateDer<'static>> {
    vec![CertificateDer::from(read(&issued.certificate.certificate).to_der().unwrap())]
}

fn private(issued: &Issued) -> PrivatePkcs8KeyDer<'static> {
    PrivatePkcs8KeyDer::from(issued.key.serialize_der())
}

/// Two who show each other certificates, and verify them by the bundles that they have.
fn shake(
    now: u64, client: (&Issued, &Arc<RootCertStore>), server: (&Issued, &Arc<RootCertStore>),
) -> Result<(), rustls::Error> {
    let provider = Arc::new(default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(server.1), Arc::clone(&provider));
    let accepts = ServerConfig::builder_with_details(Arc::clone(&provider), Arc::new(Clock(now)))
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(chain(server.0), private(server.0).into())?;
    let asks = ClientConfig::builder_with_details(provider, Arc::new(Clock(now)))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(Arc::clone(client.1))
        .with_client_auth_cert(chain(client.0), private(client.0).into())?;
    let name = ServerName::try_from("server.example").unwrap();
    let mut one = ClientConnection::new(Arc::new(asks), name)?;
    let mut other = ServerConnection::new(Arc::new(accepts))?;
    while one.is_handshaking() || other.is_handshaking() {
        let mut bytes = Vec::new();
        one.write_tls(&mut bytes).unwrap();
        other.read_tls(&mut bytes.as_slice()).unwrap();
        other.process_new_packets()?;
        let mut bytes = Vec::new();
        other.write_tls(&mut bytes).unwrap();
        one.read_tls(&mut bytes.as_slice()).unwrap();
        one.process_new_packets()?;
    }
    Ok(())
}

both! {
    async fn roots_are_rotated_and_no_handshake_fails(node: Node) {
        let authority = authority(&node).await;
        // Certificates as they are renewed after half a day, and bundles as they are kept: up to an hour less a
        // second, whoever keeps them.
        let mut servers = vec![issue(&node, &authority, &["server.example"]).await];
        let mut clients = vec![issue(&node, &authority, &["client.example"]).await];
        let mut bundles = vec![(store(&bundle(&node, &authority).await), clock(&node))];
        let (mut shaken, mut roots) = (0, std::collections::BTreeSet::new());
        for turn in 0..cases(30) {
            if turn % 7 == 3 {
                rotate(&node, &authority).await;
            }
            node.advance(29 * MINUTE + MINUTE / 2).await;
            let now = clock(&node);
            bundles.push((store(&bundle(&node, &authority).await), now));
            bundles.retain(|(_, since)| now - since < HOUR.as_secs());
            if turn % 3 == 0 {
                servers.push(issue(&node, &authority, &["server.example"]).await);
                clients.push(issue(&node, &authority, &["client.example"]).await);
                roots.insert(servers.last().unwrap().certificate.root_id.clone());
            }
            let live = |all: &mut Vec<Issued>| {
                all.retain(|one| stoa_kit::Micros::of(&one.certificate.expire_time) > node.now());
            };
            live(&mut servers);
            live(&mut clients);
            for (place, server) in servers.iter().enumerate().rev().take(3) {
                let client = &clients[(place + turn) % clients.len()];
                for (kept, _) in &bundles {
                    let newest = &bundles.last().unwrap().0;
                    shake(now, (client, kept), (server, newest)).unwrap();
                    shake(now, (client, newest), (server, kept)).unwrap();
                    shaken += 2;
                }
            }
        }
        assert!(shaken > 200 && roots.len() > 3, "{shaken} {roots:?}");
        // It is verified at all: by the bundle of another authority nobody is known.
        let request = CreateAuthorityRequest { name: "Other".into(), ..Default::default() };
        let other = node.call(&node.admin(), request).await.unwrap().authority.into_option().unwrap();
        let others = store(&bundle(&node, &other).await);
        let (server, client) = (servers.last().unwrap(), clients.last().unwrap());
        assert!(shake(clock(&node), (client, &others), (server, &bundles[0].0)).is_err());
    }
}

both! {
    async fn what_is_revoked_is_refused_by_who_reads_the_list(node: Node) {
        let authority = authority(&node).await;
        let issued = issue(&node, &authority, &["server.example"]).await;
        let verify = async || {
            let list = fetch_crl(&node, &issued.certificate.root_id).await;
            let roots = store(&bundle(&node, &authority).await);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::new(default_provider()))
                .with_crls([CertificateRevocationListDer::from(list)])
                .enforce_revocation_expiration()
                .build()
                .unwrap();
            let name = ServerName::try_from("server.example").unwrap();
            let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(clock(&node)));
            verifier.verify_server_cert(&chain(&issued)[0], &[], &name, &[], now)
        };
        verify().await.unwrap();
        revoke(&node, &issued.certificate.serial, RevocationReason::KeyCompromise).await;
        let error = verify().await.unwrap_err();
        assert!(matches!(
            error,
            rustls::Error::InvalidCertificate(rustls::CertificateError::Revoked)
        ), "{error:?}");
    }
}
