//! The database goes away under load and comes back: callers are told that it is unavailable,
//! and nothing that was acknowledged is lost, and nothing that was tried again happens twice.

use std::time::Duration;

use serde_json::{Value, json};
use stoa_testkit::postgres::Cluster;
use tempfile::TempDir;

use crate::bank::Bank;
use crate::http::Request;
use crate::process::Node;

/// What the node says of itself over gRPC.
fn health(node: &Node) -> Value {
    let ask = Request::call("", "auth", "", &json!({})).to("/grpc.health.v1.Health/Check");
    ask.send(node.address).ok()["status"].clone()
}

#[test]
fn postgres_may_stop_and_start_under_load() {
    let mut cluster = Cluster::start().unwrap();
    let database = cluster.database().unwrap();
    let directory = TempDir::new().unwrap();
    let mut node = Node::start(directory.path(), &["--database", database.url()]);
    let bank = Bank::open(&mut node);
    let (mut done, mut failed) = (bank.rush(&node, "before").done.len(), Vec::new());
    for round in 0..3 {
        let rush = std::thread::scope(|scope| {
            let rush = scope.spawn(|| bank.rush(&node, &format!("during-{round}")));
            std::thread::sleep(Duration::from_millis(20));
            cluster.kill();
            rush.join().unwrap()
        });
        let down = bank.rush(&node, &format!("down-{round}"));
        assert!(down.done.is_empty(), "there is no database");
        while health(&node) != "NOT_SERVING" {
            std::thread::park_timeout(Duration::from_millis(50));
        }
        cluster.resume().unwrap();
        done += rush.done.len() + rush.failed.len() + down.failed.len();
        failed.extend(rush.failed.iter().chain(&down.failed).cloned());
        bank.retry(&node, [rush.failed, down.failed].concat());
        while health(&node) != "SERVING" {
            std::thread::park_timeout(Duration::from_millis(50));
        }
        assert_eq!(bank.balance(&node), done);
    }
    // Also what happened long ago happens once.
    bank.retry(&node, failed);
    assert_eq!(bank.balance(&node), done);
    node.signal("-TERM");
    let (ended, log) = node.wait();
    assert!(ended.success(), "{log}");
    assert!(log.contains("the node is not ready") && log.contains("the node is ready again"));
}
