//! WebSockets: what is said arrives whole, what is no WebSocket is told so, and nobody holds one open
//! who is not there.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, SinkExt, StreamExt};
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use proptest::prelude::{Strategy, any, prop};
use proptest::strategy::ValueTree;
use stoa_kit::{Error, Request as _, Result};
use stoa_node::socket::{Close, Message, Socket};
use stoa_node::{Asked, Body, Content, Face, Listen, Origins, Port, Visit, status};
use stoa_testkit::{Engine, Node, fuzz, open_socket, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::echo;
use crate::faces::listen;
use crate::messages::{Done, Say};

const MESSAGE_MAX: usize = 1 << 12;

/// A face that gives back what is said to it, up to so many bytes at once.
struct Parrot(usize);

impl Face for Parrot {
    fn name(&self) -> &str {
        "parrot"
    }

    fn prefixes(&self) -> Vec<String> {
        vec!["/parrot".to_owned()]
    }

    fn asked(&self, _: &Parts) -> Result<Asked> {
        Ok(Asked { method: None, body_max: None })
    }

    fn answer(&self, visit: Visit) -> BoxFuture<'static, Result<Response<Content>>> {
        let most = Some(self.0);
        async move { visit.upgrade(&["squawk", "whistle"], most, talk) }.boxed()
    }

    fn refuse(&self, _: &str, _: &str, error: &Error) -> Response<Content> {
        let mut refusal = Response::new(Content::from(error.reason().to_owned()));
        *refusal.status_mut() = status(error);
        refusal
    }
}

async fn talk(mut socket: Socket) {
    while let Some(message) = socket.next().await {
        let answer = match &message {
            Message::Text(text) if text == "protocol" => socket.protocol.unwrap_or("none").into(),
            Message::Text(text) if text == "who" => socket.guest.caller().subject.to_string(),
            Message::Text(text) if text == "bye" => {
                return socket.end(Close { code: 4_001, reason: "ä".repeat(80) }).await;
            }
            Message::Text(text) if text == "much" => "x".repeat(1 << 20),
            Message::Text(text) if text == "panic" => panic!("a parrot that is wrong"),
            Message::Text(text) if text.starts_with("Bearer") => {
                let signed_in = socket.guest.sign_in(text).await;
                signed_in.map_or_else(|error| error.reason().to_owned(), |()| "welcome".into())
            }
            Message::Text(text) if text.starts_with("say ") => say(&mut socket, &text[4..]).await,
            _ => {
                socket.send(message).await.unwrap();
                continue;
            }
        };
        if socket.send(Message::Text(answer)).await.is_err() {
            return;
        }
    }
}

async fn say(socket: &mut Socket, number: &str) -> String {
    let mut headers = HeaderMap::new();
    headers.insert("connect-timeout-ms", "5000".parse().unwrap());
    socket.guest.enter(Some(Say::METHOD)).await.unwrap();
    let say = Box::new(Say::new("it", number.parse().unwrap()));
    let answer = socket.guest.call(Say::METHOD, say, &headers).await.unwrap();
    let Body::Message(done) = answer.body else { panic!("it streams") };
    let done: Box<Done> = done.into_any().downcast().unwrap();
    format!("{:?}", done.about())
}

fn with_parrot(test: impl AsyncFnOnce(Node, Arc<Port>)) {
    with_parrot_of(MESSAGE_MAX, test);
}

/// The same with one that hears as much at once.
pub(crate) fn with_parrot_of(most: usize, test: impl AsyncFnOnce(Node, Arc<Port>)) {
    run(Engine::Sqlite, vec![echo::service()], |node| async move {
        let origins = Origins::parse("https://shop.example").unwrap();
        let listen = Listen { origins, ..listen() };
        let port = Port::new(node.inner(), vec![Arc::new(Parrot(most))], listen).unwrap();
        test(node, port).await;
    });
}

/// A request for a WebSocket, as every client sends it.
fn request() -> http::request::Builder {
    Request::get("ws://node.example/parrot")
        .header("host", "node.example")
        .header("connection", "keep-alive, Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

pub(crate) async fn open(port: &Arc<Port>) -> WebSocketStream<DuplexStream> {
    open_socket(port, request().body(()).unwrap()).await.unwrap()
}

async fn ask(socket: &mut WebSocketStream<DuplexStream>, text: &str) -> String {
    socket.send(Frame::text(text)).await.unwrap();
    socket.next().await.unwrap().unwrap().into_text().unwrap().as_str().to_owned()
}

/// A frame, as a client sends it that may do as it likes.
pub(crate) fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![head];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The code of the frame that closes, behind whatever comes before it; none if there is none.
async fn closed(socket: &mut WebSocketStream<DuplexStream>) -> Option<u16> {
    while let Some(Ok(frame)) = socket.next().await {
        if let Frame::Close(close) = frame {
            return close.map(|close| close.code.into());
        }
    }
    None
}

#[test]
fn what_is_said_is_answered_and_the_end_is_told() {
    with_parrot(async |_, port| {
        let mut socket = open(&port).await;
        assert_eq!(ask(&mut socket, "hello").await, "hello");
        assert_eq!(ask(&mut socket, "protocol").await, "none");
        assert_eq!(ask(&mut socket, "say 7").await, "(\"it\", 7)");
        let bytes = Frame::Binary(Bytes::from_static(&[0, 255]));
        socket.send(bytes.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), bytes);
        socket.send(Frame::text("bye")).await.unwrap();
        let Frame::Close(Some(close)) = socket.next().await.unwrap().unwrap() else { panic!() };
        assert_eq!(
            (u16::from(close.code), close.reason.len()),
            (4_001, 122),
            "cut between letters"
        );

        let mut socket = open(&port).await;
        socket.close(None).await.unwrap();
        assert_eq!(closed(&mut socket).await, None, "who ends it is answered");
        let mut socket = open(&port).await;
        socket.send(Frame::text("panic")).await.unwrap();
        assert!(!matches!(socket.next().await, Some(Ok(Frame::Text(_)))));
        assert_eq!(ask(&mut open(&port).await, "hello").await, "hello", "the next one");
    });
}

#[test]
fn both_speak_what_the_face_likes_most() {
    with_parrot(async |_, port| {
        for (offered, spoken) in [("whistle", "whistle"), ("hum, Whistle, squawk", "squawk")] {
            let request = request().header("sec-websocket-protocol", offered).body(()).unwrap();
            let mut socket = open_socket(&port, request).await.unwrap();
            assert_eq!(ask(&mut socket, "protocol").await, spoken);
        }
    });
}

#[test]
fn who_comes_without_a_token_may_bring_it_later() {
    with_parrot(async |_, port| {
        let mut socket = open(&port).await;
        assert_eq!(ask(&mut socket, "Bearer nobodys").await, "auth.token_invalid");
        assert_eq!(ask(&mut socket, "Bearer").await, "auth.malformed");
        assert_eq!(ask(&mut socket, "who").await, "anonymous", "they stay who they were");
        let with = request().header("authorization", "Bearer nobodys").body(()).unwrap();
        assert!(open_socket(&port, with).await.is_ok(), "what is for everybody is for them too");
    });
}

#[test]
fn a_request_that_is_none_for_a_socket_is_told_how_it_would_be_one() {
    with_parrot(async |_, port| {
        for (header, value, refused) in [
            ("sec-websocket-version", "8", "request.upgrade"),
            ("upgrade", "h2c", "request.upgrade"),
            ("connection", "close", "request.upgrade"),
            ("origin", "https://evil.example", "request.origin"),
        ] {
            let mut request = request().body(()).unwrap();
            request.headers_mut().insert(header, value.parse().unwrap());
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            let mut text = format!("{} {} HTTP/1.1\r\n", request.method(), "/parrot");
            for (name, value) in request.headers() {
                text += &format!("{name}: {}\r\n", value.to_str().unwrap());
            }
            let answer = exchange(&port, ours, theirs, text + "connection: close\r\n\r\n").await;
            assert!(answer.ends_with(refused), "{header}: {value}: {answer}");
            let told = answer.contains("sec-websocket-version: 13\r\n");
            assert_eq!(told && answer.starts_with("HTTP/1.1 426"), refused == "request.upgrade");
        }
        for origin in ["https://shop.example", "http://node.example"] {
            let request = request().header("origin", origin).body(()).unwrap();
            assert!(open_socket(&port, request).await.is_ok(), "{origin}");
        }
    });
}

/// What a port says to some bytes.
async fn exchange(
    port: &Arc<Port>, mut ours: DuplexStream, theirs: DuplexStream, text: String,
) -> String {
    let talk = async {
        ours.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        ours.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let peer = ([192, 0, 2, 1], 4711).into();
    futures::future::join(port.serve(peer, theirs), talk).await.1
}

#[test]
fn what_comes_in_pieces_arrives_whole() {
    let letter = prop::sample::select(vec!['a', 'ß', '語', '🦜']);
    let text = prop::collection::vec(letter, 0..300).prop_map(String::from_iter);
    let cuts = prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..6);
    let (mut runner, texts) = (fuzz::runner(), (text, cuts));
    with_parrot(async move |_, port| {
        let mut socket = open(&port).await;
        for _ in 0..fuzz::cases(200) {
            let (text, mut cuts) = texts.new_tree(&mut runner).unwrap().current();
            let bytes = text.as_bytes();
            cuts.sort_by_key(|(cut, _)| cut.index(bytes.len() + 1));
            let (mut sent, mut from, mut opcode, mut pings) = (Vec::new(), 0, 1, 0);
            for (cut, ping) in cuts {
                let to = cut.index(bytes.len() + 1);
                sent.extend(frame(opcode, &bytes[from..to]));
                (from, opcode) = (to, 0);
                if ping {
                    sent.extend(frame(0x89, b"there?"));
                    pings += 1;
                }
            }
            sent.extend(frame(0x80 | opcode, &bytes[from..]));
            socket.get_mut().write_all(&sent).await.unwrap();
            let mut ponged = false;
            let whole = loop {
                match socket.next().await.unwrap().unwrap() {
                    Frame::Pong(pong) => ponged = pong == b"there?"[..],
                    frame => break frame,
                }
            };
            assert_eq!(whole.to_text().unwrap(), text);
            assert_eq!(ponged, pings > 0);
        }
    });
}

#[test]
fn what_is_no_websocket_is_told_so_and_never_heard() {
    let large = vec![b'x'; MESSAGE_MAX + 1];
    let halves = [frame(0x01, &large[..MESSAGE_MAX]), frame(0x80, b"xx")].concat();
    let unmasked = vec![0x81, 0x02, b'h', b'i'];
    let cases: [(&str, Vec<u8>, u16); 14] = [
        ("without a mask", unmasked, 1_002),
        ("a reserved bit", frame(0xc1, b"hi"), 1_002),
        ("an opcode that is none", frame(0x83, b"hi"), 1_002),
        ("a control frame that is none", frame(0x8b, b"hi"), 1_002),
        ("a ping in pieces", frame(0x09, b"hi"), 1_002),
        ("a ping that is too long", frame(0x89, &[b'x'; 126]), 1_002),
        ("the rest of nothing", frame(0x80, b"hi"), 1_002),
        ("one within another", [frame(0x01, b"h"), frame(0x81, b"i")].concat(), 1_002),
        ("half a code", frame(0x88, &[3]), 1_002),
        ("a code that nobody sends", frame(0x88, &1_005_u16.to_be_bytes()), 1_002),
        ("no UTF-8", frame(0x81, &[0xff, 0xfe]), 1_007),
        ("half a letter at the end", frame(0x81, &[0xe8, 0xaa]), 1_007),
        ("too much", frame(0x82, &large), 1_009),
        ("too much, in pieces", halves, 1_009),
    ];
    with_parrot(async |_, port| {
        for (what, bytes, code) in cases {
            let mut socket = open(&port).await;
            socket.get_mut().write_all(&bytes).await.unwrap();
            assert_eq!(closed(&mut socket).await, Some(code), "{what}");
        }
    });
}

#[test]
fn who_is_not_there_any_more_is_noticed() {
    with_parrot(async |node, port| {
        let mut here = open(&port).await;
        assert_eq!(ask(&mut here, "hello").await, "hello");
        for _ in 0..4 {
            node.skip(Duration::from_secs(30));
            assert!(matches!(here.next().await, Some(Ok(Frame::Ping(_)))));
            assert_eq!(ask(&mut here, "hello").await, "hello");
        }
        // Whatever was sent before has been heard now. Read like this, nothing is answered.
        assert_eq!(ask(&mut here, "hello").await, "hello");
        let mut raw = [0; 2];
        node.skip(Duration::from_secs(30));
        here.get_mut().read_exact(&mut raw).await.unwrap();
        assert_eq!(raw, [0x89, 0], "a ping");
        node.skip(Duration::from_secs(30));
        assert_eq!(here.get_mut().read(&mut raw).await.unwrap(), 0, "it was let go");
    });
}

#[test]
fn who_does_not_read_is_let_go() {
    with_parrot(async |node, port| {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let deaf = async {
            let (mut deaf, _) = client_async(request().body(()).unwrap(), ours).await.unwrap();
            deaf.send(Frame::text("much")).await.unwrap();
            deaf.get_mut().read_exact(&mut [0]).await.unwrap();
            node.skip(Duration::from_secs(30));
            deaf
        };
        // The connection ends although nobody closes it, and nobody reads the rest.
        let peer = ([192, 0, 2, 1], 4711).into();
        futures::future::join(port.serve(peer, theirs), deaf).await;
    });
}

#[test]
fn a_socket_is_a_connection_and_ends_with_the_node() {
    run(Engine::Sqlite, vec![echo::service()], |node| async move {
        let listen = Listen { connections_max: 1, ..listen() };
        let server =
            stoa_node::serve(Arc::clone(node.inner()), vec![Arc::new(Parrot(MESSAGE_MAX))], listen);
        let server = server.await.unwrap();
        let dial = || async { TcpStream::connect(server.address).await.unwrap() };
        let (mut socket, _) =
            client_async(request().body(()).unwrap(), dial().await).await.unwrap();
        let mut second = dial().await;
        assert_eq!(second.read(&mut [0]).await.unwrap_or(0), 0, "there is room for one");
        let stopped = tokio::spawn(server.stop());
        let Frame::Close(Some(close)) = socket.next().await.unwrap().unwrap() else { panic!() };
        assert_eq!(u16::from(close.code), 1_001);
        assert!(socket.next().await.is_none_or(|frame| frame.is_err()));
        stopped.await.unwrap();
    });
}
