//! The command line over TLS, and what it does not say in the clear.

use std::sync::Arc;

use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{out, run, told};
use crate::process::Node;
use crate::relay::Relay;

/// What speaks TLS for `localhost`, and its certificate.
fn acceptor() -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = made.cert.pem();
    let chain = vec![CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), pem)
}

#[test]
fn a_node_behind_tls_is_asked_by_whoever_believes_its_certificate() {
    let folder = TempDir::new().unwrap();
    let mut node = Node::start(&folder.path().join("data"), &[]);
    let token = node.set_up();
    let (tls, pem) = acceptor();
    let relay = Relay::over_tls(node.address, tls);
    let authority = folder.path().join("ca.pem");
    std::fs::write(&authority, pem).unwrap();
    let (url, ca) = (format!("https://localhost:{}", relay.address.port()), authority.display());
    let ask = |words: &[&str]| run(folder.path(), words, &format!("{token}\n"));

    let unbelieved = ask(&["login", &url, "--token", "-"]);
    assert_eq!(unbelieved.status.code(), Some(78), "{}", told(&unbelieved));
    assert!(told(&unbelieved).contains("[client.tls]"), "{}", told(&unbelieved));
    let login = ask(&["login", &url, "--token", "-", "--ca", &ca.to_string()]);
    assert!(login.status.success(), "{}", told(&login));
    let who = ask(&["auth", "who-am-i"]);
    assert!(out(&who).contains("user:usr_"), "the profile knows whom to believe: {}", told(&who));

    let other_name = url.replace("localhost", "127.0.0.1");
    let other_name = ask(&["--url", &other_name, "--ca", &ca.to_string(), "auth", "who-am-i"]);
    assert!(told(&other_name).contains("[client.tls]"), "{}", told(&other_name));
    let plain = format!("https://localhost:{}", node.address.port());
    let plain = ask(&["--url", &plain, "--token", "t", "auth", "who-am-i"]);
    assert_eq!(plain.status.code(), Some(78), "a node that speaks no TLS: {}", told(&plain));
    let none = ask(&["--url", &url, "--ca", "/nowhere", "auth", "who-am-i"]);
    assert!(told(&none).contains("[client.authorities]"), "{}", told(&none));
}

#[test]
fn nothing_is_said_in_the_clear_to_another_machine_unless_somebody_asks_for_it() {
    let folder = TempDir::new().unwrap();
    // Documentation's: nobody is there.
    let words = ["--url", "http://192.0.2.1:8080", "--token", "t", "auth", "who-am-i"];
    let refused = run(folder.path(), &words, "");
    assert_eq!(refused.status.code(), Some(78), "{}", told(&refused));
    assert!(told(&refused).contains("--plain-http"), "{}", told(&refused));
    let asked_for = [&["--plain-http", "--timeout", "100ms"][..], &words].concat();
    let tried = run(folder.path(), &asked_for, "");
    assert!(!told(&tried).contains("[client.overheard]"), "{}", told(&tried));
    assert!(matches!(tried.status.code(), Some(69 | 75)), "{}", told(&tried));
}
