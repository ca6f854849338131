//! Clients that others wrote, as they come: they obtain, renew and revoke.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use stoa_certs_v1::ListCertificatesRequest;
use stoa_kit::outbound::{Fetched, Outbound};
use stoa_kit::{Code, Error};
use stoa_testkit::Engine;
use stoa_testkit::answer;

use crate::world::*;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tools");

/// Every host is this machine: whoever is asked, the client answers.
fn here(asked: &Outbound) -> stoa_kit::Result<Fetched> {
    let uri = asked.request.uri();
    let port = uri.port_u16().unwrap_or(80);
    let ask = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let (path, host) = (uri.path(), uri.host().unwrap_or_default());
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n")?;
        let mut all = String::new();
        stream.read_to_string(&mut all)?;
        std::io::Result::Ok(all)
    };
    let all = ask()
        .map_err(|error| Error::new(Code::Unavailable, "http.unreachable", error.to_string()))?;
    let (head, body) = all.split_once("\r\n\r\n").unwrap_or((&all, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(500);
    Ok(answer(status, &[], body.to_owned()))
}

/// Runs a client to its end: it is told the directory, and where hosts are to answer. It leaves behind so many
/// certificates, of which the first is revoked.
fn passes(program: &str, script: &[&str], certificates: usize) {
    let mut client = Command::new(program);
    client.args(script);
    stoa_testkit::run(Engine::Sqlite, crate::services(), |node| async move {
        let server = node.serve().await;
        let authority = authority(&node).await;
        let port = free_port();
        set(&node, "address", json!(format!("http://{}", server.address))).await;
        set(&node, "http_challenge_port", json!(port)).await;
        node.web(here);
        client.arg(format!("http://{}/acme/{}/directory", server.address, authority.id));
        client.arg(port.to_string());
        let running = tokio::task::spawn_blocking(move || client.output());
        while !running.is_finished() {
            node.settle().await;
            let _ =
                tokio::time::timeout(Duration::from_millis(20), std::future::pending::<()>()).await;
        }
        let output = running.await.unwrap().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}\n{complaint}");
        let all = node.call(&node.admin(), ListCertificatesRequest::default()).await.unwrap();
        assert_eq!(all.certificates.len(), certificates, "{said}\n{complaint}");
        let first = all.certificates.last().unwrap();
        assert!(first.revoke_time.is_set(), "{said}\n{complaint}");
        assert_eq!(crl(&node, &first.root_id).await.serials(), std::slice::from_ref(&first.serial));
        server.stop().await;
    });
}

/// A port at which nobody listens.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn acme_client_obtains_renews_and_revokes() {
    passes("node", &[&format!("{HERE}/acme.mjs"), TOOLS], 2);
}

#[test]
fn the_library_of_certbot_obtains_renews_and_revokes() {
    passes(&format!("{TOOLS}/venv/bin/python"), &[&format!("{HERE}/library.py")], 2);
}

#[test]
fn certbot_obtains_renews_and_revokes() {
    passes("sh", &[&format!("{HERE}/certbot.sh"), &format!("{TOOLS}/venv/bin/certbot")], 2);
}
