//! A query that is watched by RPC: `SystemService.Watch`, as Connect and gRPC stream it.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::h2::H2;
use crate::process::Node;

const WATCH: &str = "/stoa.system.v1.SystemService/Watch";
const PATIENCE: Duration = Duration::from_secs(60);
/// Heartbeats, one a second, until something else has to be told.
const BEATS_MAX: usize = 20;

/// A stream of replies.
struct Replies {
    body: Incoming,
    came: BytesMut,
}

impl Replies {
    async fn open(client: &mut H2, protocol: &str, token: &str, request: Value) -> Self {
        let (content, bearer) = (format!("application/{protocol}+json"), format!("Bearer {token}"));
        let headers = [("content-type", &*content), ("authorization", &*bearer)];
        let message = request.to_string().into_bytes();
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let frame = [&[0][..], &length, &message].concat();
        let reply = client.send(WATCH, &headers, frame, true).await.unwrap();
        assert_eq!(reply.headers()["content-type"], content);
        Self { body: reply.into_body(), came: BytesMut::new() }
    }

    /// The next message, or the code and the reason that the stream ends with.
    async fn next(&mut self) -> Result<Value, (String, String)> {
        loop {
            if let Some((head, _)) = self.came.split_first_chunk::<5>() {
                let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
                let is_last = head[0] & 2 != 0;
                if self.came.len() >= 5 + length {
                    self.came.advance(5);
                    let message = serde_json::from_slice(&self.came.split_to(length)).unwrap();
                    return if is_last { Err(connect_error(&message)) } else { Ok(message) };
                }
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await;
            let frame = frame.expect("something is told in time").expect("the stream goes on");
            match frame.unwrap().into_data() {
                Ok(data) => self.came.extend_from_slice(&data),
                Err(last) => {
                    let trailers = last.into_trailers().unwrap();
                    let text = |name: &str| trailers[name].to_str().unwrap().to_owned();
                    return Err((text("grpc-status"), text("grpc-message")));
                }
            }
        }
    }

    /// The next message that is no heartbeat: the balance that it tells, its etag and its position.
    async fn balance(&mut self) -> (i64, String, String) {
        for _ in 0..BEATS_MAX {
            let message = self.next().await.unwrap();
            let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
            if text("reply").is_empty() {
                continue;
            }
            let reply: Value = serde_json::from_str(&text("reply")).unwrap();
            let balance = reply["account"]["balance"].as_str().unwrap_or("0");
            return (balance.parse().unwrap(), text("etag"), text("position"));
        }
        panic!("nothing is told but that the connection stands")
    }

    /// What it ends with.
    async fn end(&mut self) -> (String, String) {
        for _ in 0..BEATS_MAX {
            if let Err(ended) = self.next().await {
                return ended;
            }
        }
        panic!("it goes on")
    }
}

fn connect_error(last: &Value) -> (String, String) {
    let error = &last["error"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&error["code"]), text(&error["message"]))
}

fn open_account(node: &Node, token: &str, kind: &str) -> String {
    let account = json!({"currency": "EUR", "kind": kind});
    let reply = node.call(token, "ledger", "CreateAccount", &account).ok();
    reply["account"]["id"].as_str().unwrap().to_owned()
}

fn a_query_is_watched_over(protocol: &str, codes: [&str; 3], more: &[&str]) {
    let directory = TempDir::new().unwrap();
    let mut node = Node::start(directory.path(), more);
    let token = node.set_up();
    let cash = open_account(&node, &token, "ACCOUNT_KIND_ASSET");
    let wallet = open_account(&node, &token, "ACCOUNT_KIND_LIABILITY");
    let pay = || {
        let legs = json!([{"debit": cash, "credit": wallet, "amount": "7"}]);
        let transfer = json!({"currency": "EUR", "legs": legs});
        let answer = node.call(&token, "ledger", "CreateTransfer", &transfer);
        answer.ok();
        answer.header("stoa-position").unwrap().to_owned()
    };
    let place = |position: &str| i64::from_str_radix(&position[1..], 16).unwrap();
    let watching = |etag: &str| {
        let request = json!({"account": wallet}).to_string();
        let method = "stoa.ledger.v1.LedgerService/GetAccount";
        json!({"method": method, "request": request, "etag": etag, "heartbeatSeconds": 1})
    };
    Runtime::new().unwrap().block_on(async {
        let mut client = H2::connect(node.address, 65_535).await;
        let mut first = Replies::open(&mut client, protocol, &token, watching("")).await;
        let (balance, seen, _) = first.balance().await;
        assert_eq!(balance, 0);
        assert_eq!(first.next().await.unwrap(), json!({}), "a heart beats");
        let before = place(&pay());
        let (balance, etag, position) = first.balance().await;
        assert_eq!(balance, 7);
        // On a server all before it are shown, and some that are not.
        assert!(place(&position) >= before || !more.is_empty(), "{position} shows {before}");

        let mut back = Replies::open(&mut client, protocol, &token, watching(&etag)).await;
        assert_eq!(back.next().await.unwrap(), json!({}), "there is nothing new");
        pay();
        assert_eq!(back.balance().await.0, 14);
        let mut late = Replies::open(&mut client, protocol, &token, watching(&seen)).await;
        assert_eq!(late.balance().await.0, 14, "what it is now, at once");

        let [unauthenticated, invalid, unimplemented] = codes;
        for (request, code) in [
            (
                json!({"method": "stoa.ledger.v1.LedgerService/CreateAccount",
                    "request": r#"{"currency": "EUR", "kind": "ACCOUNT_KIND_ASSET"}"#}),
                invalid,
            ),
            (json!({"method": "stoa.ledger.v1.LedgerService/GetAccount"}), invalid),
            (json!({"method": "stoa.ledger.v1.LedgerService/GetNothing"}), unimplemented),
        ] {
            let mut refused = Replies::open(&mut client, protocol, &token, request).await;
            assert_eq!(refused.next().await.unwrap_err().0, code);
        }
        let request = json!({"method": "stoa.ledger.v1.LedgerService/ListAccounts"});
        let mut nobody = Replies::open(&mut client, protocol, "", request).await;
        assert_eq!(nobody.next().await.unwrap_err().0, unauthenticated);

        node.call(&token, "auth", "SignOut", &json!({})).ok();
        let ended = first.end().await;
        assert_eq!(ended.0, unauthenticated, "{ended:?}");
    });
}

/// Makes two tests of a protocol, one on each engine.
macro_rules! over {
    ($($protocol:ident $codes:expr),+) => {$(
        mod $protocol {
            #[test]
            fn sqlite() {
                super::a_query_is_watched_over(stringify!($protocol), $codes, &[]);
            }

            #[test]
            fn postgres() {
                let database = stoa_testkit::postgres::shared();
                let more = ["--database", database.url()];
                super::a_query_is_watched_over(stringify!($protocol), $codes, &more);
            }
        }
    )+};
}

over!(
    connect ["unauthenticated", "invalid_argument", "unimplemented"],
    grpc ["16", "3", "12"]
);
