//! Two thousand who say the same at the same time: it happens once, and all hear the same.

use std::collections::HashSet;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::process::Node;

/// Connections, and calls at the same time on each.
const CONNECTIONS: usize = 20;
const CALLS: usize = 100;

type Reply = (StatusCode, HeaderMap, Bytes);

async fn connection(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let socket = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (sender, connection) = handshake(TokioExecutor::new(), socket).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Sends a request many times at once, and gives every reply.
async fn at_once(address: SocketAddr, request: Request<Full<Bytes>>) -> Vec<Reply> {
    let mut calls = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let sender = connection(address).await;
        for _ in 0..CALLS {
            let (mut sender, request) = (sender.clone(), request.clone());
            calls.spawn(async move {
                let reply = sender.send_request(request).await.unwrap();
                let (head, body) = reply.into_parts();
                (head.status, head.headers, body.collect().await.unwrap().to_bytes())
            });
        }
    }
    calls.join_all().await
}

/// A transfer in JSON over HTTP/2, under a key.
fn transfer(node: &Node, token: &str) -> Request<Full<Bytes>> {
    let legs = json!([{"debit": "cash", "credit": "wallet", "amount": 7}]);
    let body = json!({"currency": "EUR", "legs": legs}).to_string();
    Request::post(format!("{}/stoa.ledger.v1.LedgerService/CreateTransfer", node.url()))
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .header("idempotency-key", "deposit-1")
        .body(Full::new(Bytes::from(body)))
        .unwrap()
}

fn it_happens_once(database: &str) {
    let directory = TempDir::new().unwrap();
    let mut node = Node::start(directory.path(), &["--database", database]);
    let token = node.set_up();
    for (code, kind) in [("cash", "ACCOUNT_KIND_ASSET"), ("wallet", "ACCOUNT_KIND_LIABILITY")] {
        let account = json!({"code": code, "currency": "EUR", "kind": kind});
        node.call(&token, "ledger", "CreateAccount", &account).ok();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let replies = runtime.block_on(at_once(node.address, transfer(&node, &token)));

    assert_eq!(replies.len(), CONNECTIONS * CALLS);
    let said: HashSet<_> = replies.iter().map(|(status, _, body)| (*status, body)).collect();
    assert_eq!(said.len(), 1, "all hear the same: {said:?}");
    assert!(said.iter().all(|(status, _)| *status == StatusCode::OK), "{said:?}");
    let header = |name: &str| -> Vec<_> {
        replies.iter().filter_map(|(_, headers, _)| headers.get(name).cloned()).collect()
    };
    let positions = header("stoa-position");
    assert_eq!(positions.len(), replies.len());
    assert_eq!(positions.iter().collect::<HashSet<_>>().len(), 1, "it is one commit");
    assert_eq!(header("idempotency-replayed").len(), replies.len() - 1, "one of them is the first");
    let wallet = node.call(&token, "ledger", "GetBalance", &json!({"account": "wallet"})).ok();
    assert_eq!(wallet["balance"]["amount"], "7", "{wallet}");
    let all = node.call(&token, "ledger", "GetStatement", &json!({"account": "wallet"})).ok();
    assert_eq!(all["entries"].as_array().unwrap().len(), 1, "{all}");
}

mod two_thousand_duplicates_of_one_key_are_one_commit {
    #[test]
    fn sqlite() {
        super::it_happens_once("");
    }

    #[test]
    fn postgres() {
        let database = stoa_testkit::postgres::shared();
        super::it_happens_once(database.url());
    }
}
