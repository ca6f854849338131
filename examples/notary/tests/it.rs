//! A document's way in, and a session, by clients that others wrote and by the contract.

#![cfg(test)]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail this way, and start programs"
)]

use std::process::Command;

use futures::StreamExt;
use serde_json::{Value, json};
use stoa_example_notary::contract::{
    AskRequest, AskResponse, CONTRACT, FindDocumentRequest, RegisterRequest,
};
use stoa_example_notary::service;
use stoa_kit::Service;
use stoa_testkit::{Engine, Node, both, until};

const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools");
/// The SHA-256 of `ab`.
const AB: &str = "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603";

fn services() -> Vec<Service> {
    vec![service()]
}

/// Runs a client to its end: what it said.
async fn run(mut client: Command) -> String {
    let program = client.get_program().to_owned();
    let output = tokio::task::spawn_blocking(move || client.output()).await.unwrap().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {complaint}", program.display());
    String::from_utf8(output.stdout).unwrap()
}

/// Lets a client call a node on a port of its own.
fn serving<F: Future<Output = ()>>(test: impl FnOnce(Node, String) -> F) {
    stoa_testkit::run(Engine::Sqlite, services(), |node| async move {
        let server = node.serve().await;
        test(node, server.address.to_string()).await;
        server.stop().await;
    });
}

both! {
    async fn the_first_time_stays(node: Node) {
        let piece = || RegisterRequest { piece: b"ab".to_vec() };
        let first = node.call(&node.nobody(), piece()).await.unwrap();
        node.advance(std::time::Duration::from_secs(60)).await;
        assert_eq!(node.call(&node.nobody(), piece()).await.unwrap(), first);
        let document = first.document.into_option().unwrap();
        assert_eq!((document.hash.as_str(), document.size), (AB, 2));
        let found = FindDocumentRequest { hash: AB.to_owned() };
        let found = node.call(&node.system(), found).await.unwrap().document;
        assert_eq!(found.into_option(), Some(document));
    }
}

#[test]
fn a_session_says_that_it_is_still_there() {
    stoa_testkit::run(Engine::Sqlite, services(), |node| async move {
        let (ask, asked) = futures::channel::mpsc::unbounded();
        let replies = node.converse::<AskRequest>(&node.nobody(), asked.boxed()).await.unwrap();
        let mut replies = replies.map(Result::unwrap);
        for _ in 0..3 {
            let beat = tokio::spawn(async move { (replies.next().await, replies) });
            until(|| {
                node.skip(std::time::Duration::from_secs(1));
                beat.is_finished()
            })
            .await;
            let (said, rest) = beat.await.unwrap();
            assert_eq!(said, Some(AskResponse::default()));
            replies = rest;
        }
        ask.unbounded_send(Ok(AskRequest { hash: AB.to_owned() })).unwrap();
        let unknown = AskResponse { hash: AB.to_owned(), ..AskResponse::default() };
        assert_eq!(replies.next().await, Some(unknown));
        drop(ask);
        assert_eq!(replies.next().await, None);
    });
}

/// `buf curl` over a protocol, with some messages.
fn buf(address: &str, protocol: &str, method: &str, messages: &[Value]) -> Command {
    let mut buf = Command::new(format!("{TOOLS}/node_modules/.bin/buf"));
    buf.args(["curl", "--http2-prior-knowledge", "--protocol", protocol]);
    let data: Vec<_> = messages.iter().map(Value::to_string).collect();
    buf.args(["--data", &data.join("\n")]);
    buf.arg(format!("http://{address}/stoa.notary.v1.NotaryService/{method}"));
    buf
}

#[test]
fn buf_curl_uploads_and_asks() {
    serving(|_, address| async move {
        for protocol in ["connect", "grpc", "grpcweb"] {
            let pieces = [json!({"piece": "YQ=="}), json!({"piece": "Yg=="})];
            let said = run(buf(&address, protocol, "Register", &pieces)).await;
            let said: Value = serde_json::from_str(&said).unwrap();
            assert_eq!(said["document"]["hash"], AB, "{protocol}");
            let asked = [json!({"hash": AB}), json!({"hash": "0".repeat(64)})];
            let said = run(buf(&address, protocol, "Ask", &asked)).await;
            let said = serde_json::Deserializer::from_str(&said).into_iter::<Value>();
            let known: Vec<_> =
                said.map(|answer| answer.unwrap()["document"].is_object()).collect();
            assert_eq!(known, [true, false], "{protocol}");
        }
    });
}

#[test]
fn a_page_has_a_session_over_websocket() {
    serving(|node, address| async move {
        let piece = RegisterRequest { piece: b"ab".to_vec() };
        node.call(&node.nobody(), piece).await.unwrap();
        // What the page about streams shows, in a page's place.
        let page = include_str!("../../../docs/spec/streams.md");
        let shown = page.split("```js\n").nth(1).unwrap().split("```").next().unwrap();
        let script = format!(
            "const WebSocket = require('{TOOLS}/node_modules/ws');
            const url = 'ws://{address}', hashes = ['{AB}', '{}'];
            const done = (said) => console.log(JSON.stringify(said));
            {shown}",
            "0".repeat(64)
        );
        let mut page = Command::new("node");
        page.args(["-e", &script]);
        let said: Value = serde_json::from_str(&run(page).await).unwrap();
        let answers = said["answers"].as_array().unwrap();
        let known: Vec<_> = answers.iter().map(|answer| answer["document"].is_object()).collect();
        assert_eq!((said["code"].as_u64(), known), (Some(1_000), vec![true, false]), "{said}");
    });
}

#[test]
fn grpcio_uploads_and_has_a_session() {
    serving(|node, address| async move {
        let mut python = Command::new(format!("{TOOLS}/venv/bin/python"));
        python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client.py")).arg(&address);
        let said: Value = serde_json::from_str(&run(python).await).unwrap();
        assert_eq!(said["known"], json!([true, false, true]), "{said}");
        assert_eq!(said["failed"], "INVALID_ARGUMENT", "{said}");
        let hash = said["document"]["hash"].as_str().unwrap().to_owned();
        let found = node.call(&node.system(), FindDocumentRequest { hash }).await.unwrap();
        assert_eq!(found.document.into_option().unwrap().size, 1_200_000);
    });
}

fn connect_for_node(version: &'static str) {
    serving(|_, address| async move {
        let folder = tempfile::tempdir().unwrap();
        let descriptors = folder.path().join("descriptors");
        // Sets of files that stand behind one another are one set.
        let files = [stoa_contract::IMPORTS, CONTRACT.descriptors].concat();
        std::fs::write(&descriptors, files).unwrap();
        let mut client = Command::new("node");
        client.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client.mjs"));
        client.arg(format!("http://{address}")).arg(TOOLS).arg(&descriptors).arg(version);
        let said: Value = serde_json::from_str(&run(client).await).unwrap();
        assert_eq!(said["answered"], json!([true, false, true]), "{said}");
        assert!(said["failed"].as_str().unwrap().starts_with("piece: "), "{said}");
    });
}

mod connect_node {
    #[test]
    fn connect_over_http_1() {
        super::connect_for_node("connect 1.1");
    }

    #[test]
    fn connect_over_http_2() {
        super::connect_for_node("connect 2");
    }

    #[test]
    fn grpc() {
        super::connect_for_node("grpc");
    }
}
