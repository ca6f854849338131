//! What a node logged, as its own contract tells it.

use serde_json::{Value, json};
use stoa_kit::{Caller, Service};
use stoa_testkit::{Node, both};
use tracing_subscriber::prelude::*;

use crate::echo;

fn services() -> Vec<Service> {
    vec![echo::service()]
}

/// Logs something as the node does.
fn logging(node: &Node, log: impl FnOnce()) {
    let subscriber = tracing_subscriber::registry().with(node.logs().layer());
    tracing::subscriber::with_default(subscriber, log);
}

async fn list(node: &Node, request: Value) -> (Vec<String>, Value) {
    let reply = node.ask(&node.admin(), "ListLogs", request).await.unwrap();
    let lines = reply["lines"].as_array().cloned().unwrap_or_default();
    let text = |line: &Value| line["text"].as_str().unwrap().to_owned();
    (lines.iter().map(text).collect(), reply)
}

both! {
    async fn lines_are_listed_from_the_youngest_and_told_apart(node: Node) {
        logging(&node, || {
            tracing::info!(listen = "127.0.0.1:1", "listening");
            tracing::warn!(path = "a/B", trace = "4bf92f3577b34da6a3ce929d0e0e4736", "refused");
            tracing::error!(error = ?"gone", "the Disk is gone");
        });
        let (all, reply) = list(&node, json!({})).await;
        let texts = ["the Disk is gone error=\"gone\"", "refused path=a/B", "listening listen=127.0.0.1:1"];
        assert_eq!((all, &reply["node"]), (texts.map(str::to_owned).to_vec(), &json!("test")));
        let ids = |reply: &Value| -> Vec<i64> {
            let lines = reply["lines"].as_array().unwrap().iter();
            lines.map(|line| line["id"].as_str().unwrap().parse().unwrap()).collect()
        };
        assert!(ids(&reply).is_sorted_by(|one, next| one > next), "of one moment, in their order");
        let of = |request| async { list(&node, request).await.0 };
        assert_eq!(of(json!({"level": "warn"})).await, texts[..2]);
        assert_eq!(of(json!({"text": "disk"})).await, texts[..1]);
        assert_eq!(of(json!({"text": "stoa_node"})).await, [""; 0]);
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(of(json!({"trace": trace})).await, texts[1..2]);
        // Page by page, and what came since.
        let (first, page) = list(&node, json!({"pageSize": 2})).await;
        let rest = json!({"pageSize": 2, "pageToken": page["nextPageToken"]});
        assert_eq!((first.as_slice(), of(rest).await.as_slice()), (&texts.map(str::to_owned)[..2], &texts.map(str::to_owned)[2..]));
        let after = json!({"after": page["lines"][0]["id"]});
        assert_eq!(of(after.clone()).await, [""; 0]);
        logging(&node, || tracing::info!("draining"));
        assert_eq!(of(after).await, ["draining"]);
        // They are bounded, and so is each of them.
        logging(&node, || (0..600).for_each(|number| tracing::info!("{number:04}{}", "ä".repeat(4_096))));
        let (last, _) = list(&node, json!({"text": "ä", "pageSize": 1})).await;
        assert!(last[0].starts_with("0599") && last[0].len() <= 4_100, "{}", last[0].len());
assert_eq!(of(json!({"text": "0000ä"})).await.len() + of(json!({"text": "drain"})).await.len(), 0);
        assert_eq!(of(json!({"text": "0200ä"})).await.len(), 1);
    }
}

both! {
    async fn what_the_cell_logs_is_for_the_main_tenants_administrators(node: Node) {
        node.create_tenant("acme").await;
        let theirs = Caller::of("acme", "user:usr_adm", &["*"]);
        let refused = node.ask(&theirs, "ListLogs", json!({})).await.unwrap_err();
        assert_eq!(refused.reason(), "system.not_main");
    }
}
