//! What cannot be done stands aside, where people see it; the rest flows; released, it goes on
//! where it stopped.

use std::time::Duration;

use serde_json::{Value, json};
use stoa_kit::Service;
use stoa_testkit::{Node, both};

use crate::echo::{self, BITTER, CURED, EXPLOSIVE, SLOW, heard, system};
use crate::messages::{Enqueue, Poison, Say};

fn services() -> Vec<Service> {
    vec![echo::service()]
}

async fn poison(node: &Node, subject: &str, kind: i64) {
    node.call(&node.admin(), Poison::new(subject, kind)).await.unwrap();
}

/// Says numbers about several subjects in turn.
async fn say(node: &Node, subjects: &[&str], numbers: std::ops::Range<i64>) {
    for number in numbers {
        for subject in subjects {
            node.call(&node.admin(), Say::new(subject, number)).await.unwrap();
        }
    }
}

/// Who is parked and why, as the node shows it.
async fn parked(node: &Node) -> Vec<(String, String)> {
    let list = system(node, "ListParked", json!({})).await.unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let each = |one: &Value| {
        assert_eq!(one["subscription"], "echo.hear");
        (text(&one["subject"]), text(&one["error"]))
    };
    list["parked"].as_array().map(|all| all.iter().map(each).collect()).unwrap_or_default()
}

async fn release(node: &Node, subject: &str) -> Value {
    let request = json!({"subscription": "echo.hear", "subject": subject});
    let reply = system(node, "ReleaseParked", request).await.unwrap();
    node.settle().await;
    reply
}

/// The jobs in a state: what they are about stands in their outcome, not here.
async fn jobs(node: &Node, state: &str) -> Vec<Value> {
    let list = system(node, "ListJobs", json!({"state": state})).await.unwrap();
    list["jobs"].as_array().cloned().unwrap_or_default()
}

/// Lets time pass until a job has had every attempt it gets.
async fn wear_out(node: &Node) {
    for _ in 0..5 {
        node.advance(Duration::from_secs(60)).await;
    }
}

both! {
    async fn a_poison_event_parks_its_subject_and_the_rest_flows(node: Node) {
        poison(&node, "bad", BITTER).await;
        say(&node, &["good", "bad", "fine"], 0..10).await;
        node.settle().await;
        let all: Vec<i64> = (0..10).collect();
        assert_eq!((heard(&node, "good").await, heard(&node, "fine").await), (all.clone(), all));
        assert!(heard(&node, "bad").await.is_empty());
        let shown = parked(&node).await;
        assert!(shown.iter().all(|(subject, _)| subject == "bad") && shown.len() == 10);
        assert!(shown[0].1.contains("bad is bitter"), "{shown:?}");
        assert!(shown[1..].iter().all(|(_, error)| error.is_empty()), "they only wait: {shown:?}");
        say(&node, &["good", "bad"], 10..12).await;
        node.settle().await;
        assert_eq!(heard(&node, "good").await, (0..12).collect::<Vec<_>>());
        assert_eq!(parked(&node).await.len(), 12, "what comes later stands behind");
    }

    async fn what_is_released_drains_in_order(node: Node) {
        poison(&node, "bad", BITTER).await;
        say(&node, &["bad"], 0..100).await;
        node.settle().await;
        assert_eq!(release(&node, "bad").await["released"], "100");
        assert_eq!(parked(&node).await.len(), 50, "a page of those that failed again");
        assert!(heard(&node, "bad").await.is_empty());
        poison(&node, "bad", CURED).await;
        let request = json!({"subscription": "echo.hear", "subject": "bad"});
        system(&node, "ReleaseParked", request).await.unwrap();
        // Said while the earlier ones wait for their turn: it does not overtake them.
        say(&node, &["bad"], 100..110).await;
        node.settle().await;
        assert_eq!(heard(&node, "bad").await, (0..110).collect::<Vec<_>>());
        assert_eq!(parked(&node).await, []);
        say(&node, &["bad"], 110..111).await;
        node.settle().await;
        assert_eq!(heard(&node, "bad").await.len(), 111, "and flows as before");
    }

    async fn a_dropped_event_lets_those_behind_it_go_on(node: Node) {
        poison(&node, "bad", BITTER).await;
        say(&node, &["bad"], 0..5).await;
        node.settle().await;
        poison(&node, "bad", CURED).await;
        let request = json!({"subscription": "echo.hear", "subject": "bad"});
        system(&node, "DropParked", request.clone()).await.unwrap();
        node.settle().await;
        assert_eq!(heard(&node, "bad").await, [1, 2, 3, 4]);
        let error = system(&node, "DropParked", request).await.unwrap_err();
        assert_eq!(error.reason(), "system.not_parked");
    }

    /// Nothing that a handler does can hold up the subjects beside it.
    async fn every_kind_of_poison_parks(node: Node) {
        poison(&node, "slow", SLOW).await;
        poison(&node, "loud", EXPLOSIVE).await;
        say(&node, &["slow", "good", "loud"], 0..3).await;
        node.settle().await;
        assert_eq!(heard(&node, "good").await, [0, 1, 2]);
        let shown = parked(&node).await;
        assert_eq!(shown.len(), 6);
        assert!(shown[3].1.contains("longer than its budget"), "{shown:?}");
        poison(&node, "slow", CURED).await;
        release(&node, "slow").await;
        assert_eq!(heard(&node, "slow").await, [0, 1, 2]);
    }

    async fn a_poison_job_is_parked_and_the_rest_flows(node: Node) {
        poison(&node, "bad", BITTER).await;
        for subject in ["good", "bad", "fine"] {
            node.call(&node.admin(), Enqueue::new(subject, 7)).await.unwrap();
        }
        node.advance(Duration::from_secs(1)).await;
        assert_eq!(heard(&node, "job good").await.len() + heard(&node, "job fine").await.len(), 2);
        wear_out(&node).await;
        let dead = jobs(&node, "dead").await;
        assert_eq!(dead.len(), 1);
        assert_eq!((&dead[0]["attempts"], &dead[0]["method"]), (&json!("3"), &json!("stoa.echo.v1.EchoService/Work")));
        assert!(dead[0]["error"].as_str().unwrap().contains("bad is bitter"), "{dead:?}");
        assert_eq!(heard(&node, "given up").await, [7]);
        wear_out(&node).await;
        assert_eq!(heard(&node, "given up").await, [7], "what is parked stays so");
        poison(&node, "bad", CURED).await;
        system(&node, "RetryJob", json!({"id": dead[0]["id"]})).await.unwrap();
        node.advance(Duration::from_secs(1)).await;
        assert_eq!(heard(&node, "job bad").await.len(), 1);
        assert_eq!((jobs(&node, "dead").await.len(), jobs(&node, "done").await.len()), (0, 3));
        for method in ["RetryJob", "DropJob"] {
            let error = system(&node, method, json!({"id": dead[0]["id"]})).await.unwrap_err();
            assert_eq!(error.reason(), "system.job_not_dead");
        }
        // What is dropped is gone.
        poison(&node, "bad", BITTER).await;
        node.call(&node.admin(), Enqueue::new("bad", 8)).await.unwrap();
        node.advance(Duration::from_secs(1)).await;
        wear_out(&node).await;
        let dead = jobs(&node, "dead").await;
        system(&node, "DropJob", json!({"id": dead[0]["id"]})).await.unwrap();
        assert_eq!((dead.len(), jobs(&node, "dead").await.len()), (1, 0));
        assert_eq!(heard(&node, "job bad").await.len(), 1, "it did not run");
    }
}
