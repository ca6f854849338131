//! A worker that was too slow, and was overtaken, records nothing.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stoa_node::Background;
use stoa_testkit::{Engine, Node, run};
use tokio::task::JoinHandle;

use crate::echo::{self, Gate, heard, system};
use crate::messages::Enqueue;

/// Longer than a worker holds a job, and than the one after it waits.
const LEASE: Duration = Duration::from_secs(41);

crate::on_both!(a_stale_lease_records_nothing);

fn a_stale_lease_records_nothing(engine: Engine) {
    let gate = Gate::new(0);
    run(engine, vec![echo::gated(Arc::clone(&gate))], |node| async move {
        node.call(&node.admin(), Enqueue::new("it", 7)).await.unwrap();
        node.pass(Duration::from_secs(1));
        let slow = worker(&node).await;
        gate.reached(1).await;
        node.pass(LEASE);
        worker(&node).await.await.unwrap();
        node.pass(Duration::from_secs(1));
        let quick = worker(&node).await;
        gate.reached(2).await;
        gate.open(1);
        slow.await.unwrap();
        assert!(heard(&node, "job it").await.is_empty(), "the job is the second worker's");
        gate.open(2);
        quick.await.unwrap();
        assert_eq!(heard(&node, "job it").await, [2]);
        let jobs = system(&node, "ListJobs", json!({"state": "done"})).await.unwrap();
        assert_eq!(jobs["jobs"][0]["attempts"], "2", "{jobs}");
    });
}

/// Another node's background, at its first step.
async fn worker(node: &Node) -> JoinHandle<()> {
    let mut background = Background::new(node.inner()).await.unwrap();
    tokio::spawn(async move {
        background.step().await.unwrap();
    })
}
