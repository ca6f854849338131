//! The cases of Autobahn's test suite for servers (its sections 1 to 9, by their numbers), against a face
//! that gives back what is said to it. The suite itself needs Python 2. Each case is sent at once, and
//! then byte by byte.

use std::sync::Arc;

use futures::StreamExt;
use stoa_node::Port;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::sockets::{frame, open, with_parrot_of};

/// Autobahn says as much at once as no sensible limit; what is beyond ours has a case of its own.
const MESSAGE_MAX: usize = 1 << 17;

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const REST: u8 = 0x80;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const CLOSE: u8 = 0x88;
/// Of a frame that is not the last of its message, the bit that is missing.
const FIN: u8 = 0x80;

/// What comes back.
#[derive(Debug, PartialEq)]
enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    Closed(Option<u16>),
}

use Heard::{Binary, Closed, Pong, Text};

/// A number, what is sent, and what comes back.
type Case = (String, Vec<Vec<u8>>, Vec<Heard>);

fn case(number: &str, sent: Vec<Vec<u8>>, heard: Vec<Heard>) -> Case {
    (number.to_owned(), sent, heard)
}

fn text(text: &str) -> Heard {
    Text(text.to_owned())
}

/// The end, as a client makes it that has no more to say.
fn bye() -> Vec<u8> {
    frame(CLOSE, &1_000_u16.to_be_bytes())
}

fn closes(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes(), reason].concat())
}

/// What follows each case that is in order.
fn in_order(number: &str, mut sent: Vec<Vec<u8>>, mut heard: Vec<Heard>) -> Case {
    sent.push(bye());
    heard.push(Closed(Some(1_000)));
    case(number, sent, heard)
}

/// 1: frames of all lengths that are written in another way.
fn framing() -> Vec<Case> {
    let lengths = [0, 125, 126, 127, 128, 65_535, 65_536];
    let each = lengths.iter().enumerate().flat_map(|(nth, length)| {
        let stars = "*".repeat(*length);
        let bytes = vec![0xfe; *length];
        [
            in_order(
                &format!("1.1.{}", nth + 1),
                vec![frame(TEXT, stars.as_bytes())],
                vec![Text(stars.clone())],
            ),
            in_order(
                &format!("1.2.{}", nth + 1),
                vec![frame(BINARY, &bytes)],
                vec![Binary(bytes.clone())],
            ),
        ]
    });
    each.collect()
}

/// 2: pings and pongs.
fn pings() -> Vec<Case> {
    let odd = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff";
    vec![
        in_order("2.1", vec![frame(PING, b"")], vec![Pong(Vec::new())]),
        in_order("2.2", vec![frame(PING, b"Hello, world!")], vec![Pong(b"Hello, world!".to_vec())]),
        in_order("2.3", vec![frame(PING, odd)], vec![Pong(odd.to_vec())]),
        in_order("2.4", vec![frame(PING, &[0xfe; 125])], vec![Pong(vec![0xfe; 125])]),
        case("2.5", vec![frame(PING, &[0xfe; 126])], vec![Closed(Some(1_002))]),
        in_order("2.7", vec![frame(PONG, b"")], vec![]),
        in_order("2.8", vec![frame(PONG, b"unsolicited")], vec![]),
        in_order("2.10", vec![frame(PING, b"ping"); 10], vec![Pong(b"ping".to_vec())]),
        in_order(
            "2.9",
            vec![frame(PONG, b"unsolicited"), frame(PING, b"ping")],
            vec![Pong(b"ping".to_vec())],
        ),
    ]
}

/// 3: bits that mean nothing here. What was said before them is answered.
fn reserved() -> Vec<Case> {
    let hello = || frame(TEXT, b"Hello");
    let bits = |head: u8, rsv: u8, payload: &[u8]| frame(head | (rsv << 4), payload);
    vec![
        case("3.1", vec![bits(TEXT, 4, b"Hello")], vec![Closed(Some(1_002))]),
        case(
            "3.2",
            vec![hello(), bits(TEXT, 2, b"Hello"), frame(PING, b"")],
            vec![text("Hello"), Closed(Some(1_002))],
        ),
        case(
            "3.3",
            vec![hello(), bits(TEXT, 3, b"Hello"), frame(PING, b"")],
            vec![text("Hello"), Closed(Some(1_002))],
        ),
        case("3.4", vec![bits(TEXT, 4, b"Hello"), frame(PING, b"")], vec![Closed(Some(1_002))]),
        case("3.5", vec![bits(BINARY, 5, b"\0\xff")], vec![Closed(Some(1_002))]),
        case("3.6", vec![bits(PING, 6, b"Hello")], vec![Closed(Some(1_002))]),
        case("3.7", vec![bits(CLOSE, 7, b"")], vec![Closed(Some(1_002))]),
    ]
}

/// 4: opcodes that mean nothing.
fn opcodes() -> Vec<Case> {
    let said = (3..8).chain(11..16).flat_map(|opcode: u8| {
        let section = if opcode < 8 { "4.1" } else { "4.2" };
        [
            case(
                &format!("{section}, {opcode}"),
                vec![frame(FIN | opcode, b"reserved")],
                vec![Closed(Some(1_002))],
            ),
            case(
                &format!("{section}, {opcode} behind a text"),
                vec![frame(TEXT, b"Hello"), frame(FIN | opcode, b""), frame(PING, b"")],
                vec![text("Hello"), Closed(Some(1_002))],
            ),
        ]
    });
    said.collect()
}

/// 5: messages in pieces.
fn pieces() -> Vec<Case> {
    let first = |part: &str| frame(TEXT & !FIN, part.as_bytes());
    let middle = |part: &str| frame(REST & !FIN, part.as_bytes());
    let last = |part: &str| frame(REST, part.as_bytes());
    let wrong = |number: &str, sent| case(number, sent, vec![Closed(Some(1_002))]);
    let five = || {
        let ping = || frame(PING, b"pongme!");
        let parts = [first("1"), middle("2"), ping(), middle("3"), middle("4"), ping(), last("5")];
        parts.to_vec()
    };
    let pong = || Pong(b"pongme!".to_vec());
    vec![
        wrong("5.1", vec![frame(PING & !FIN, b"1"), last("2")]),
        wrong("5.2", vec![frame(PONG & !FIN, b"1"), last("2")]),
        in_order("5.3", vec![first("1"), last("2")], vec![text("12")]),
        in_order(
            "5.6",
            vec![first("1"), frame(PING, b"pongme!"), last("2")],
            vec![pong(), text("12")],
        ),
        wrong("5.9", vec![last("nothing to continue"), frame(TEXT, b"Hello")]),
        wrong("5.12", vec![middle("nothing to continue"), frame(TEXT, b"Hello")]),
        case(
            "5.15",
            vec![first("1"), last("2"), middle("nothing"), frame(TEXT, b"4")],
            vec![text("12"), Closed(Some(1_002))],
        ),
        wrong("5.16", vec![middle("nothing"), frame(TEXT, b"Hello"), last("more")]),
        wrong("5.17", vec![last("nothing"), frame(TEXT, b"Hello"), last("more")]),
        wrong("5.18", vec![first("1"), frame(TEXT, b"2")]),
        in_order("5.19", five(), vec![pong(), pong(), text("12345")]),
    ]
}

/// 6: what is UTF-8 and what is not, after Markus Kuhn; whole, and cut anywhere.
fn letters() -> Vec<Case> {
    const ALL: [&[u8]; 68] = [
        b"",
        "Hello-\u{b5}@\u{df}\u{f6}\u{e4}\u{fc}\u{e0}\u{e1}-UTF-8!!".as_bytes(),
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5",
        // First and last of each length.
        b"\x00",
        b"\xc2\x80",
        b"\xe0\xa0\x80",
        b"\xf0\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xfc\x84\x80\x80\x80\x80",
        b"\x7f",
        b"\xdf\xbf",
        b"\xef\xbf\xbf",
        b"\xf7\xbf\xbf\xbf",
        b"\xfb\xbf\xbf\xbf\xbf",
        b"\xfd\xbf\xbf\xbf\xbf\xbf",
        // Around what is left out.
        b"\xed\x9f\xbf",
        b"\xee\x80\x80",
        b"\xef\xbf\xbd",
        b"\xf4\x8f\xbf\xbf",
        b"\xf4\x90\x80\x80",
        // The rest of nothing.
        b"\x80",
        b"\xbf",
        b"\x80\xbf",
        b"\x80\xbf\x80",
        b"\x80\xbf\x80\xbf\x80\xbf",
        // A beginning and nothing more, or another letter.
        b"\xc0 \xc1 \xdf ",
        b"\xe0 \xef ",
        b"\xf0 \xf7 ",
        b"\xf8 \xfb ",
        b"\xfc \xfd ",
        b"\xc3",
        b"\xe0\x80",
        b"\xe0\xa0",
        b"\xf0\x80\x80",
        b"\xf0\x90\x80",
        b"\xf8\x80\x80\x80",
        b"\xfc\x80\x80\x80\x80",
        b"\xdf",
        b"\xef\xbf",
        b"\xf7\xbf\xbf",
        b"\xe0\xa0\xf0\x90\x80\xdf\xef\xbf",
        // Never.
        b"\xfe",
        b"\xff",
        b"\xfe\xfe\xff\xff",
        // Longer than need be.
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\xaf",
        b"\xf8\x80\x80\x80\xaf",
        b"\xfc\x80\x80\x80\x80\xaf",
        b"\xc1\xbf",
        b"\xe0\x9f\xbf",
        b"\xf0\x8f\xbf\xbf",
        b"\xc0\x80",
        b"\xe0\x80\x80",
        b"\xf0\x80\x80\x80",
        // Halves of pairs.
        b"\xed\xa0\x80",
        b"\xed\xad\xbf",
        b"\xed\xae\x80",
        b"\xed\xaf\xbf",
        b"\xed\xb0\x80",
        b"\xed\xbe\x80",
        b"\xed\xbf\xbf",
        b"\xed\xa0\x80\xed\xb0\x80",
        b"\xed\xaf\xbf\xed\xbf\xbf",
        // No characters, and yet UTF-8.
        b"\xef\xbf\xbe",
        b"\xf0\x9f\xbf\xbe",
        b"\xf4\x8f\xbf\xbe",
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64\x69\x74\x65\x64",
    ];
    let whole = ALL.iter().flat_map(|bytes| {
        let number = format!("6, {}", bytes.escape_ascii());
        let cut = bytes.len() / 2;
        let halves = [frame(TEXT & !FIN, &bytes[..cut]), frame(REST, &bytes[cut..])];
        let mut each: Vec<Vec<u8>> =
            bytes.iter().map(|byte| frame(REST & !FIN, &[*byte])).collect();
        each.insert(0, frame(TEXT & !FIN, b""));
        each.push(frame(REST, b""));
        [vec![frame(TEXT, bytes)], halves.to_vec(), each].map(|sent| {
            match std::str::from_utf8(bytes) {
                Ok(good) => in_order(&number, sent, vec![text(good)]),
                Err(_) => case(&number, sent, vec![Closed(Some(1_007))]),
            }
        })
    });
    // What is wrong is not waited out: the message has no end (6.4).
    let early = frame(TEXT & !FIN, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80");
    whole.chain([case("6.4.1", vec![early], vec![Closed(Some(1_007))])]).collect()
}

/// 7: ends.
fn ends() -> Vec<Case> {
    let close = |code: u16| vec![closes(code, b"")];
    let good =
        [1_000, 1_001, 1_002, 1_003, 1_007, 1_008, 1_009, 1_010, 1_011, 3_000, 3_999, 4_000, 4_999];
    let bad = [0, 999, 1_004, 1_005, 1_006, 1_016, 1_100, 2_000, 2_999, 5_000, 65_535];
    let good =
        good.map(|code| case(&format!("7.7, {code}"), close(code), vec![Closed(Some(code))]));
    let bad = bad.map(|code| case(&format!("7.9, {code}"), close(code), vec![Closed(Some(1_002))]));
    let first = frame(TEXT & !FIN, b"1");
    let mut cases = vec![
        in_order("7.1.1", vec![frame(TEXT, b"Hello World!")], vec![text("Hello World!")]),
        in_order("7.1.2", vec![bye()], vec![]),
        case("7.1.3", vec![bye(), frame(PING, b"")], vec![Closed(Some(1_000))]),
        case("7.1.4", vec![bye(), frame(TEXT, b"Hello World!")], vec![Closed(Some(1_000))]),
        case("7.1.5", vec![first, bye(), frame(REST, b"2")], vec![Closed(Some(1_000))]),
        case("7.3.1", vec![frame(CLOSE, b"")], vec![Closed(None)]),
        case("7.3.2", vec![frame(CLOSE, b"a")], vec![Closed(Some(1_002))]),
        case("7.3.4", vec![closes(1_000, b"Hello World!")], vec![Closed(Some(1_000))]),
        case("7.3.5", vec![closes(1_000, &[b'*'; 123])], vec![Closed(Some(1_000))]),
        case("7.3.6", vec![closes(1_000, &[b'*'; 124])], vec![Closed(Some(1_002))]),
        case("7.5.1", vec![closes(1_000, b"\xce\xba\xed\xa0\x80")], vec![Closed(Some(1_007))]),
    ];
    cases.extend(good);
    cases.extend(bad);
    cases
}

/// 9: what is large: in pieces of all sizes, and too large.
fn large() -> Vec<Case> {
    let all = "*".repeat(MESSAGE_MAX);
    let pieces = |size: usize| {
        let mut pieces: Vec<Vec<u8>> =
            all.as_bytes().chunks(size).map(|part| frame(REST & !FIN, part)).collect();
        pieces[0][0] = TEXT & !FIN;
        pieces.push(frame(REST, b""));
        pieces
    };
    let mut cases: Vec<Case> = [64, 256, 4_096, 65_536]
        .map(|size| in_order(&format!("9.3, {size}"), pieces(size), vec![Text(all.clone())]))
        .into();
    let more = [all.as_bytes(), b"*"].concat();
    cases.push(case("9.1, too large", vec![frame(TEXT, &more)], vec![Closed(Some(1_009))]));
    cases
}

/// Everything that comes back, to the end of the connection.
async fn heard(port: &Arc<Port>, sent: &[Vec<u8>], at_once: bool) -> Vec<Heard> {
    let mut socket = open(port).await;
    let bytes = sent.concat();
    for part in bytes.chunks(if at_once { bytes.len() } else { 1 }) {
        // Whoever has told that it is over reads no more.
        if socket.get_mut().write_all(part).await.is_err() {
            break;
        }
        if !at_once {
            tokio::task::yield_now().await;
        }
    }
    let mut heard = Vec::new();
    while let Some(Ok(frame)) = socket.next().await {
        heard.push(match frame {
            Frame::Text(text) => Text(text.as_str().to_owned()),
            Frame::Binary(bytes) => Binary(bytes.to_vec()),
            Frame::Pong(bytes) => Pong(bytes.to_vec()),
            Frame::Close(close) => Closed(close.map(|close| close.code.into())),
            other => panic!("{other:?}"),
        });
    }
    heard
}

fn all_are_answered(cases: Vec<Case>, least: usize) {
    assert!(cases.len() >= least, "{}", cases.len());
    with_parrot_of(MESSAGE_MAX, async |_, port| {
        for (number, sent, mut wanted) in cases {
            wanted.dedup();
            let is_large = sent.concat().len() > 1_000;
            for at_once in [true, is_large] {
                let mut found = heard(&port, &sent, at_once).await;
                // Two pings may be answered by one pong (RFC 6455, 5.5.3).
                found.dedup();
                assert_eq!(found, wanted, "{number}, at once: {at_once}");
            }
        }
    });
}

#[test]
fn frames_pings_and_what_is_reserved() {
    let cases = [framing(), pings(), reserved(), opcodes()].into_iter().flatten();
    all_are_answered(cases.collect(), 49);
}

#[test]
fn pieces_ends_and_what_is_large() {
    let cases = [pieces(), ends(), large()].into_iter().flatten();
    all_are_answered(cases.collect(), 51);
}

#[test]
fn what_is_utf_8_and_what_is_not() {
    let cases = letters();
    let good = cases.iter().filter(|(_, _, heard)| heard.len() == 2).count();
    assert!(good > 50 && cases.len() - good > 100, "{good} of {}", cases.len());
    all_are_answered(cases, 200);
}
