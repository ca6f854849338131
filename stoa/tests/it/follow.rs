//! Following the cell's events: in order, none missed, and never in silence.

use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use stoa_contract::{AnyMessage, Format};
use stoa_kit::{Code, Error, Result, Service, Stream};
use stoa_ledger_v1::{AccountKind, CreateAccountRequest};
use stoa_node::{Body, Position};
use stoa_testkit::{Engine, Node, both, run_forgetful};
use tempfile::TempDir;

use crate::http::{Answer, Request};
use crate::process;

const FOLLOW: &str = "stoa.system.v1.SystemService/FollowEvents";

fn services() -> Vec<Service> {
    vec![stoa_ledger::service()]
}

/// Opens an account, an event each, and gives the position of the commit.
async fn open(node: &Node, code: &str) -> String {
    let request = CreateAccountRequest {
        code: code.to_owned(),
        currency: "EUR".to_owned(),
        kind: AccountKind::ACCOUNT_KIND_ASSET.into(),
        ..Default::default()
    };
    let (_, answer) = node.send(&node.admin(), "127.0.0.1", None, request).await.unwrap();
    Position(answer.position.unwrap()).to_string()
}

async fn follow(node: &Node, from: &str) -> Result<Stream<Box<dyn AnyMessage>>> {
    let request = json!({"position": from, "heartbeat_seconds": 1}).to_string();
    let bound = node.inner().registry().method(FOLLOW).unwrap();
    let request = bound.decode_request(request.as_bytes(), Format::Json).unwrap();
    match node.dispatch(FOLLOW, &node.admin(), "127.0.0.1", None, request).await?.body {
        Body::Stream(stream) => Ok(stream),
        Body::Message(_) => panic!("it does not stream"),
    }
}

/// The next message of a stream.
async fn next(stream: &mut Stream<Box<dyn AnyMessage>>) -> Result<Value> {
    let message = stream.next().await.expect("a stream that goes on")?;
    Ok(serde_json::from_slice(&message.encode(Format::Json)?).unwrap())
}

/// The positions of the events up to some number, and where to follow from after them.
async fn take(stream: &mut Stream<Box<dyn AnyMessage>>, count: usize) -> (Vec<String>, String) {
    let (mut positions, mut last) = (Vec::new(), String::new());
    while positions.len() < count {
        let batch = next(stream).await.unwrap();
        let events = batch["events"].as_array().cloned().unwrap_or_default();
        positions.extend(events.iter().map(|e| e["position"].as_str().unwrap().to_owned()));
        last = batch["position"].as_str().unwrap().to_owned();
    }
    (positions, last)
}

fn behind(error: &Error) {
    assert_eq!((error.code(), error.reason()), (Code::OutOfRange, "system.behind"));
    assert!(error.next().contains("Rebuild"), "{}", error.next());
}

both! {
    async fn a_live_follower_sees_events_in_order_and_hears_a_heart(node: Node) {
        let mut live = follow(&node, "").await.unwrap();
        let mut made = Vec::new();
        for code in ["a", "b", "c"] {
            made.push(open(&node, code).await);
        }
        assert_eq!(take(&mut live, 3).await.0, made);
        let beat = next(&mut live).await.unwrap();
        assert_eq!(beat["events"], Value::Null, "nothing happened since");
        // Where to follow from is never older than what it has seen.
        let from = beat["position"].as_str().unwrap().to_owned();
        made.push(open(&node, "d").await);
        let (seen, _) = take(&mut follow(&node, &from).await.unwrap(), 1).await;
        assert_eq!(seen, made[3..]);
    }

    async fn a_follower_that_comes_back_has_missed_nothing(node: Node) {
        let first = open(&node, "first").await;
        let mut made = Vec::new();
        // More than one message holds.
        for number in 0..300 {
            made.push(open(&node, &format!("a{number}")).await);
        }
        let (mut seen, mut from) = (Vec::new(), first);
        while seen.len() < made.len() {
            // One message, and the connection is lost.
            let (more, position) = take(&mut follow(&node, &from).await.unwrap(), 1).await;
            seen.extend(more);
            from = position;
        }
        assert_eq!(seen, made);
    }
}

/// Sweeps the log below one follower, and asks for another from down there.
async fn who_is_too_far_behind_is_told(node: Node) {
    let first = open(&node, "first").await;
    let mut slow = follow(&node, &first).await.unwrap();
    let mut last = String::new();
    for number in 0..20 {
        last = open(&node, &format!("a{number}")).await;
    }
    node.advance(Duration::from_secs(120)).await;
    behind(&next(&mut slow).await.unwrap_err());
    assert!(slow.next().await.is_none(), "and that is the end of it");
    for position in [first.as_str(), "p0"] {
        behind(&follow(&node, position).await.err().expect("a gap is never passed over"));
    }
    let mut live = follow(&node, &last).await.unwrap();
    let made = open(&node, "another").await;
    assert_eq!(take(&mut live, 1).await.0, [made]);
}

mod who_is_too_far_behind_is_told {
    use super::*;

    #[test]
    fn sqlite() {
        run_forgetful(Engine::Sqlite, services(), 5, super::who_is_too_far_behind_is_told);
    }

    #[test]
    fn postgres() {
        run_forgetful(Engine::Postgres, services(), 5, super::who_is_too_far_behind_is_told);
    }
}

/// A message as Connect frames it in a stream.
fn framed(message: &Value) -> Vec<u8> {
    let text = message.to_string().into_bytes();
    let length = u32::try_from(text.len()).unwrap();
    [&[0], &length.to_be_bytes()[..], &text].concat()
}

/// The last frame of a stream, which says how it ended.
fn ending(answer: &Answer) -> Value {
    let mut rest = answer.body.as_slice();
    loop {
        let length = u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize;
        let (frame, after) = rest.split_at(5 + length);
        if frame[0] & 2 != 0 {
            return serde_json::from_slice(&frame[5..]).unwrap();
        }
        rest = after;
    }
}

#[test]
fn a_node_that_drains_lets_its_followers_go() {
    let directory = TempDir::new().unwrap();
    let mut node = process::Node::start(directory.path(), &[]);
    let token = node.set_up();
    let request = Request::call(&token, "system", "FollowEvents", &json!({}))
        .with("content-type", "application/connect+json")
        .body(framed(&json!({"heartbeat_seconds": 300})));
    let stream = request.open(node.address);
    // It has begun to answer.
    stream.peek(&mut [0]).unwrap();
    node.signal("-TERM");
    let ending = ending(&Answer::read(stream).unwrap());
    assert_eq!(ending["error"]["code"], "unavailable", "{ending}");
    assert_eq!(ending["error"]["details"][0]["debug"]["reason"], "node.stopping", "{ending}");
    let (ended, log) = node.wait();
    assert_eq!(ended.code(), Some(0), "{log}");
}
