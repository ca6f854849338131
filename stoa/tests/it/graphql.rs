//! GraphQL, by clients that we did not write.

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::Node;

/// What the clients heard.
fn heard(node: &Node, token: &str) -> Value {
    let mut clients = Command::new("node");
    clients.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/graphql.mjs"));
    clients.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../tools"));
    let output = clients.args([&node.url(), token]).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {complaint}"))
}

#[test]
fn clients_of_others_ask_as_they_do_elsewhere() {
    let folder = TempDir::new().unwrap();
    let mut node = Node::start(&folder.path().join("data"), &[]);
    let token = node.set_up();
    let heard = heard(&node, &token);
    // What conforms to GraphQL over HTTP: all that is asked for, required or not.
    assert_eq!(heard["audit"], json!({"ok": 61, "failed": []}));
    assert!(heard["schema"]["count"].as_u64().unwrap() > 100, "{heard}");
    let leads = json!([
        "OrdersOrder.transfer: LedgerTransfer",
        "LedgerLeg.debitAccount: LedgerAccount",
        "LedgerTransfer.reversesTransfer: LedgerTransfer",
        "NotifyNotification.user: UsersUser",
    ]);
    assert_eq!(heard["schema"]["leads"], leads);
    let subject = &heard["urql"]["data"]["auth"]["whoAmI"]["subject"];
    assert!(subject.as_str().unwrap().starts_with("user:usr_"), "{heard}");
    let refused = &heard["urql"]["refused"];
    assert_eq!(refused["reason"], "request.invalid");
    assert_eq!(refused["violations"][0]["path"], "currency");
    for client in ["sse", "ws"] {
        let asked = json!([{"auth": {"whoAmI": {"subject": subject}}}]);
        let states = json!([["0", "Ann"], ["7", "Ann"], ["7", "Bob"]]);
        let expected = json!({"asked": asked, "topic": "ledger.account", "states": states});
        assert_eq!(heard[client], expected);
    }
}
