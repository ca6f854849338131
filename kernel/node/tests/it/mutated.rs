//! Bytes that were good once, on connections: requests of HTTP/1.1 and of HTTP/2, and frames of a WebSocket.
//! Each is answered, refused or let go, never by a fault, and the connection ends.

use std::sync::Arc;
use std::time::Duration;

use stoa_node::Port;
use stoa_testkit::fuzz::{self, Random};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::sockets::{frame, with_parrot_of};

/// What does not end in this time does not end, on any machine.
const HANGS: Duration = Duration::from_secs(60);

/// How often the other end gets a turn before it is told that no more is said.
const TURNS: usize = 32;

/// Sends bytes, and no more, on a connection of their own; gives what comes back until it ends.
async fn exchange(port: &Arc<Port>, sent: &[u8]) -> Vec<u8> {
    let (mut ours, theirs) = tokio::io::duplex(1 << 20);
    let talk = async {
        // Whoever is let go cannot send the rest.
        let _ = ours.write_all(sent).await;
        // On HTTP/2, who says no more is not answered any more.
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        let _ = ours.shutdown().await;
        let mut heard = Vec::new();
        let _ = ours.read_to_end(&mut heard).await;
        heard
    };
    let both = futures::future::join(port.serve(([192, 0, 2, 1], 4711).into(), theirs), talk);
    let ended = tokio::time::timeout(HANGS, both).await;
    ended.unwrap_or_else(|_| panic!("it does not end: {}", sent.escape_ascii())).1
}

fn altered(random: &mut Random, good: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = random.one(good).clone();
    fuzz::bytes(random, &mut bytes);
    bytes
}

/// A request for a WebSocket.
const UPGRADE: &str = "GET /parrot HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n\
     connection: upgrade\r\nsec-websocket-version: 13\r\n\
     sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[test]
fn a_request_is_answered_or_let_go() {
    const POST: &str = "POST /stoa.echo.v1.EchoService/Say HTTP/1.1\r\nhost: a\r\n\
         content-type: application/json\r\n";
    const GET: &str = "GET /stoa.echo.v1.EchoService/Taste?encoding=json&message=%7B%7D&connect=v1 \
         HTTP/1.1\r\nhost: a\r\n\r\nGET /health HTTP/1.0\r\n\r\n";
    let body = r#"{"currency":"it","amount":"7"}"#;
    let length = body.len();
    let chunks = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    let good = [
        format!("{POST}content-length: {length}\r\n\r\n{body}"),
        format!("{POST}transfer-encoding: chunked\r\n\r\n{chunks}"),
        format!("{POST}expect: 100-continue\r\ncontent-length: {length}\r\n\r\n{body}"),
        GET.to_owned(),
        UPGRADE.to_owned(),
    ];
    let good = good.map(String::into_bytes);
    with_parrot_of(1 << 12, async |_, port| {
        let (mut random, mut answered) = (Random::new(fuzz::seed()), 0);
        let cases = fuzz::cases(300);
        for _ in 0..cases {
            let sent = altered(&mut random, &good);
            let heard = exchange(&port, &sent).await;
            let heard = String::from_utf8_lossy(&heard);
            assert!(!heard.contains("HTTP/1.1 500 "), "{}\n{heard}", sent.escape_ascii());
            answered += usize::from(heard.starts_with("HTTP/1.1 "));
        }
        assert!(answered > cases / 2, "{answered}");
    });
}

/// A frame of HTTP/2 (RFC 9113, 4.1).
fn h2(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head[..], payload].concat()
}

/// A header that is in no table of HPACK (RFC 7541, 6.2.2).
fn hpack(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[text.len() as u8][..], text.as_bytes()].concat();
    [&[0][..], &text(name), &text(value)].concat()
}

#[test]
fn frames_of_http_2_are_answered_or_let_go() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let head = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/stoa.echo.v1.EchoService/Say"),
        (":authority", "a"),
        ("content-type", "application/grpc+json"),
        ("te", "trailers"),
    ];
    let head = head.map(|(name, value)| hpack(name, value)).concat();
    let message = [&[0, 0, 0, 0, 2][..], b"{}"].concat();
    let start = [PREFACE, &h2(4, 0, 0, &[])].concat();
    let whole = [start.clone(), h2(1, 4, 1, &head), h2(0, 1, 1, &message)].concat();
    let more =
        [h2(6, 0, 0, &[7; 8]), h2(8, 0, 0, &[0, 1, 0, 0]), h2(3, 0, 3, &[0, 0, 0, 8])].concat();
    let good = [
        whole.clone(),
        [
            start,
            h2(4, 1, 0, &[]),
            h2(1, 0, 1, &head[..20]),
            h2(9, 4, 1, &head[20..]),
            h2(0, 1, 1, &message),
        ]
        .concat(),
        [whole, more, h2(1, 4, 3, &head), h2(0, 0, 3, &message), h2(7, 0, 0, &[0; 8])].concat(),
    ];
    with_parrot_of(1 << 12, async |_, port| {
        let mut random = Random::new(fuzz::seed());
        for _ in 0..fuzz::cases(300) {
            exchange(&port, &altered(&mut random, &good)).await;
        }
        let (mut ours, theirs) = tokio::io::duplex(1 << 20);
        let answered = async {
            ours.write_all(&good[0]).await.unwrap();
            ours.read_exact(&mut [0; 100]).await.unwrap();
            drop(ours);
        };
        let serving = port.serve(([192, 0, 2, 1], 4711).into(), theirs);
        let both = futures::future::join(serving, answered);
        tokio::time::timeout(HANGS, both).await.expect("what is good is answered");
    });
}

#[test]
fn frames_of_a_websocket_are_answered_or_let_go() {
    let close = frame(0x88, &[3, 232]);
    let good = [
        [frame(0x81, "who ß".as_bytes()), close.clone()].concat(),
        [frame(0x01, b"wh"), frame(0x89, b"ping"), frame(0x80, b"o"), close.clone()].concat(),
        [frame(0x82, &[7; 300]), frame(0x8a, b""), close].concat(),
    ];
    with_parrot_of(1 << 12, async |_, port| {
        let (mut random, mut closed) = (Random::new(fuzz::seed()), 0);
        let cases = fuzz::cases(300);
        for _ in 0..cases {
            let sent = [UPGRADE.as_bytes(), &altered(&mut random, &good)].concat();
            let heard = exchange(&port, &sent).await;
            assert!(heard.starts_with(b"HTTP/1.1 101"), "{}", heard.escape_ascii());
            closed += usize::from(heard.windows(3).any(|three| three[0] == 0x88 && three[1] >= 2));
        }
        assert!(closed > cases / 2, "{closed}");
    });
}
