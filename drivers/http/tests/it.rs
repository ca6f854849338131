//! The driver against servers that are really there: what it says to them, what it takes of them,
//! and where it does not go.

#![cfg(test)]
#![allow(clippy::disallowed_methods, reason = "servers of the test run beside it")]

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Method, Request};
use stoa_http::{Client, Egress, Resolve};
use stoa_kit::outbound::{Fetched, Hosts, Http, Outbound};
use stoa_kit::{Code, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Made once, for a hundred years: an authority, and a server's for `hooks.test`, below it, and
/// 127.0.0.1.
const AUTHORITY: &str = include_str!("certificates/authority.pem");
const SERVER: &[u8] = include_bytes!("certificates/server.pem");
const KEY: &[u8] = include_bytes!("certificates/server.key");

/// A server that says the same to everybody, and remembers what it was asked.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Answers each request with what `says` gives; an empty text is no answer at all.
    async fn start(secure: bool, says: impl Fn() -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, connections) = (Arc::<Mutex<Vec<String>>>::default(), Arc::default());
        let (heard, counted) = (Arc::clone(&asked), Arc::clone(&connections));
        let says = Arc::new(says);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                AtomicUsize::fetch_add(&counted, 1, SeqCst);
                let (heard, says) = (Arc::clone(&heard), Arc::clone(&says));
                tokio::spawn(async move {
                    if !secure {
                        talk(socket, &heard, &*says).await;
                    } else if let Ok(socket) = acceptor().accept(socket).await {
                        talk(socket, &heard, &*says).await;
                    }
                });
            }
        });
        Self { address, asked, connections }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn acceptor() -> TlsAcceptor {
    let chain = CertificateDer::pem_slice_iter(SERVER).collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn talk(
    mut socket: impl AsyncRead + AsyncWrite + Unpin, heard: &Mutex<Vec<String>>,
    says: &(dyn Fn() -> String + Send + Sync),
) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = socket.read(&mut piece).await {
        request.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() < length.map_or(0, |length| length.parse().unwrap()) {
            continue;
        }
        heard.lock().unwrap().push(text.into_owned());
        request.clear();
        let answer = says();
        if answer.is_empty() {
            std::future::pending::<()>().await;
        }
        if socket.write_all(answer.as_bytes()).await.is_err()
            || answer.contains("connection: close")
        {
            let _ = socket.shutdown().await;
            return;
        }
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// Says that names are at these addresses, the first time, the second, and ever after the last.
fn at(answers: &'static [&'static [&'static str]]) -> Resolve {
    let asked = AtomicUsize::new(0);
    Arc::new(move |_| {
        let time = asked.fetch_add(1, SeqCst).min(answers.len() - 1);
        let found: io::Result<Vec<IpAddr>> =
            Ok(answers[time].iter().map(|address| address.parse().unwrap()).collect());
        Box::pin(std::future::ready(found)) as BoxFuture<'static, _>
    })
}

/// A node's own machine may be reached, and in the clear as well.
fn home() -> Egress {
    Egress {
        networks: vec!["127.0.0.1/32".parse().unwrap()],
        plain: Hosts::parse(["*:1", "127.0.0.1"]).unwrap(),
        roots: AUTHORITY.to_owned(),
        ..Egress::default()
    }
}

fn client(egress: Egress) -> Client {
    Client::new(egress, at(&[&["127.0.0.1"]])).unwrap()
}

fn outbound(method: Method, url: String, body: &'static str) -> Outbound {
    let request = Request::builder().method(method).uri(url).body(body.into()).unwrap();
    Outbound { request, given: false, answer_max: 1 << 20, wait_max: Duration::from_secs(30) }
}

async fn get(client: &Client, url: String) -> Result<Fetched> {
    client.send(outbound(Method::GET, url, "")).await
}

fn https(server: &Server, host: &str) -> String {
    format!("https://{host}:{}/path?query=secret", server.address.port())
}

#[tokio::test]
async fn what_is_said_and_answered_arrives() {
    let server = Server::start(true, || ok("hello")).await;
    let client = client(home());
    let url = https(&server, "hooks.test");
    let mut sent = outbound(Method::PUT, url.clone(), "body");
    sent.request.headers_mut().insert("x-key", "value".parse().unwrap());
    let answer = client.send(sent).await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"hello"[..]));
    let asked = server.asked().remove(0);
    assert!(asked.starts_with("PUT /path?query=secret HTTP/1.1\r\n"), "{asked}");
    let host = format!("\r\nhost: hooks.test:{}\r\n", server.address.port());
    for part in [&host, "\r\nx-key: value\r\n", "\r\naccept-encoding: identity\r\n", "\r\n\r\nbody"]
    {
        assert!(asked.contains(part), "{asked}");
    }
    // A connection is used again.
    get(&client, url).await.unwrap();
    assert_eq!((server.asked().len(), server.connections.load(SeqCst)), (2, 1));
    // An address of the network is a host as well.
    get(&client, https(&server, "127.0.0.1")).await.unwrap();
}

#[tokio::test]
async fn who_is_not_who_they_say_hears_nothing() {
    let server = Server::start(true, || ok("")).await;
    let stranger = Egress { roots: String::new(), ..home() };
    for (egress, host) in [(stranger, "hooks.test"), (home(), "other.test")] {
        let error = get(&client(egress), https(&server, host)).await.unwrap_err();
        assert_eq!((error.code(), error.reason()), (Code::Unavailable, "http.tls"));
        assert!(!error.message().contains("secret"), "{error}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn nothing_goes_out_in_the_clear_unless_the_host_is_named() {
    let server = Server::start(false, || ok("")).await;
    let url = |host: &str| format!("http://{host}:{}/secret", server.address.port());
    let error = get(&client(home()), url("hooks.test")).await.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::FailedPrecondition, "http.not_secure"));
    assert!(server.connections.load(SeqCst) == 0 && !error.message().contains("secret"));
    let named = format!("hooks.test:{}", server.address.port());
    let plain = Hosts::parse([named.as_str()]).unwrap();
    let client = client(Egress { plain, ..home() });
    assert_eq!(get(&client, url("hooks.test")).await.unwrap().status.as_u16(), 200);
}

#[tokio::test]
async fn users_send_where_the_operator_lets_them() {
    let server = Server::start(true, || ok("")).await;
    let url = https(&server, "a.hooks.test");
    let given = || Outbound { given: true, ..outbound(Method::POST, url.clone(), "") };
    let error = client(home()).send(given()).await.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::FailedPrecondition, "http.refused_host"));
    let named = |host: &str| {
        let host = format!("{host}:{}", server.address.port());
        client(Egress { hosts: Hosts::parse([host.as_str()]).unwrap(), ..home() })
    };
    // A network that is named is for those whom the operator knows, not for any name below another.
    let error = named("*.hooks.test").send(given()).await.unwrap_err();
    assert_eq!(error.reason(), "http.refused_address");
    let one = named("a.hooks.test");
    assert_eq!(one.send(given()).await.unwrap().status.as_u16(), 200);
    // What a service reaches by its manifest keeps a connection there, which no user comes by.
    let many = named("*.hooks.test");
    let own = Outbound { given: false, ..given() };
    assert_eq!(many.send(own).await.unwrap().status.as_u16(), 200);
    assert_eq!(many.send(given()).await.unwrap_err().reason(), "http.refused_address");
}

#[tokio::test]
async fn what_is_not_public_is_not_reached() {
    let server = Server::start(true, || ok("")).await;
    let port = server.address.port();
    let no_network =
        || Egress { networks: Vec::new(), hosts: Hosts::parse(["*"]).unwrap(), ..home() };
    for (host, found) in [
        ("127.0.0.1", &["192.0.2.1"][..]),
        ("[::1]", &["192.0.2.1"]),
        ("[::ffff:127.0.0.1]", &["192.0.2.1"]),
        ("[::ffff:7f00:1]", &["192.0.2.1"]),
        ("[64:ff9b::7f00:1]", &["192.0.2.1"]),
        ("169.254.169.254", &["192.0.2.1"]),
        ("0.0.0.0", &["192.0.2.1"]),
        ("hooks.test", &["127.0.0.1"]),
        ("hooks.test", &["::1"]),
        ("hooks.test", &["::ffff:127.0.0.1"]),
        ("hooks.test", &["10.0.0.1"]),
        ("localhost", &["127.0.0.1"]),
        // One bad address among good ones is enough.
        ("hooks.test", &["1.1.1.1", "127.0.0.1"]),
    ] {
        let answers: &'static [&'static [&'static str]] = Box::leak(Box::new([found]));
        let client = Client::new(no_network(), at(answers)).unwrap();
        let error = get(&client, format!("https://{host}:{port}/")).await.unwrap_err();
        assert_eq!(error.reason(), "http.refused_address", "{host} {found:?}");
        assert_eq!(error.code(), Code::FailedPrecondition);
        assert!(!error.message().contains("10.0.0.1"), "{error}");
    }
    assert_eq!(server.connections.load(SeqCst), 0);
}

#[tokio::test]
async fn a_name_is_at_the_address_that_was_checked() {
    let server = Server::start(true, || ok("")).await;
    // The second answer would be let in nowhere; the connection is made to the first.
    let rebinds = at(&[&["127.0.0.1"], &["10.0.0.1"]]);
    let client = Client::new(home(), rebinds).unwrap();
    assert!(get(&client, https(&server, "hooks.test")).await.is_ok());
    assert_eq!(server.connections.load(SeqCst), 1);
    // A new connection asks again, and is checked again.
    let error = get(&client, https(&server, "a.hooks.test")).await.unwrap_err();
    assert_eq!(error.reason(), "http.refused_address");
}

#[tokio::test]
async fn who_is_not_there_may_be_there_later() {
    let nobody = Client::new(home(), at(&[&[]])).unwrap();
    let error = get(&nobody, "https://hooks.test/secret".to_owned()).await.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::Unavailable, "http.no_address"));
    assert!(error.message().contains("https://hooks.test") && !error.message().contains("secret"));
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let url = format!("https://hooks.test:{}/", gone.port());
    let error = get(&client(home()), url).await.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::Unavailable, "http.unreachable"));
}

#[tokio::test]
async fn an_answer_is_bounded_and_taken_as_it_is() {
    let large = "a".repeat(2_000);
    let head =
        format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "a".repeat(300_000));
    let chunks =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7d0\r\n{large}\r\n0\r\n\r\n");
    let endless = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{large}");
    for (says, reason, code) in [
        (ok(&large), "http.too_large", Code::FailedPrecondition),
        (chunks, "http.too_large", Code::FailedPrecondition),
        (endless, "http.too_large", Code::FailedPrecondition),
        (head, "http.too_large", Code::FailedPrecondition),
        (
            ok("").replacen("\r\n", "\r\ncontent-encoding: gzip\r\n", 1),
            "http.compressed",
            Code::FailedPrecondition,
        ),
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 9\r\n\r\nhalf".to_owned(),
            "http.broken",
            Code::Unavailable,
        ),
        ("nonsense\r\nconnection: close\r\n\r\n".to_owned(), "http.broken", Code::Unavailable),
    ] {
        let server = Server::start(true, move || says.clone()).await;
        let small = Outbound {
            answer_max: 1_000,
            ..outbound(Method::GET, https(&server, "hooks.test"), "")
        };
        let error = client(home()).send(small).await.unwrap_err();
        assert_eq!((error.reason(), error.code()), (reason, code), "{error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    let silent = Server::start(true, String::new).await;
    let slow =
        Server::start(true, || "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_owned()).await;
    for server in [silent, slow] {
        let wait_max = Duration::from_millis(200);
        let asked =
            Outbound { wait_max, ..outbound(Method::GET, https(&server, "hooks.test"), "") };
        let error = client(home()).send(asked).await.unwrap_err();
        assert_eq!((error.code(), error.reason()), (Code::Unavailable, "http.timeout"));
    }
}

#[test]
fn roots_that_are_none_are_refused_at_the_start() {
    for roots in ["nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let egress = Egress { roots: roots.to_owned(), ..Egress::default() };
        let error = Client::new(egress, stoa_http::system()).err().unwrap();
        assert_eq!(error.reason(), "http.configuration", "{error:?}");
    }
}
