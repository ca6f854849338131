//! A backup of a node that runs, made by the command for it and opened where it is.

use std::path::Path;

use serde_json::json;
use stoa_node::Position;
use tempfile::TempDir;

use crate::bank::Bank;
use crate::process::{Node, stoa};

/// Backs a directory up to another: what the command said.
fn back_up(from: &Path, to: &Path) -> Result<String, String> {
    let (from, to) = (from.to_str().unwrap(), to.to_str().unwrap());
    let done = stoa(&["backup", to, "--data", from]).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if done.status.success() { Ok(text(done.stdout)) } else { Err(text(done.stderr)) }
}

#[test]
fn a_backup_under_load_holds_what_was_acknowledged_before_and_no_half() {
    let (data, place) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let to = place.path().join("sunday");
    let mut node = Node::start(data.path(), &[]);
    let bank = Bank::open(&mut node);
    let before = bank.rush(&node, "before");
    let (said, during) = std::thread::scope(|scope| {
        let rush = scope.spawn(|| bank.rush(&node, "during"));
        (back_up(data.path(), &to).unwrap(), rush.join().unwrap())
    });
    assert!(said.contains("sunday/stoa.db holds commit "), "{said}");
    // The node knows of it.
    let end: i64 =
        said.split("commit ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let known =
        node.call(&bank.token, "system", "GetNode", &json!({})).ok()["node"]["backup"].clone();
    let position = known["position"].as_str().unwrap();
    assert_eq!(Position::parse(position).unwrap().0, end);
    assert!(said.contains(known["bytes"].as_str().unwrap()), "{said}, {known}");
    let again = back_up(data.path(), &to).unwrap_err();
    assert!(again.contains("[backup.exists]"), "{again}");

    // The key of what is sealed is not in the backup: it is kept elsewhere.
    let key = data.path().join("root.key");
    let copy = Node::start(&to, &["--root-key", key.to_str().unwrap()]);
    let held = bank.balance(&copy);
    let (least, most) = (before.done.len(), before.done.len() + during.done.len());
    assert!((least..=most).contains(&held), "{held} of {least} to {most}");
    bank.retry(&copy, before.done);
    assert_eq!(bank.balance(&copy), held, "the keys came along");
    bank.retry(&copy, during.done);
    assert_eq!(bank.balance(&copy), most, "what came too late for it happens once more, and once");
}
