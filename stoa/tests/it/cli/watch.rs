//! `--watch`: states line by line, over lost connections, until somebody has seen enough or may not.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{run, signed_in, told};
use crate::process::{Node, stoa};
use crate::relay::Relay;

/// A watch that goes on, and what it writes.
struct Watch {
    process: Child,
    said: Option<BufReader<ChildStdout>>,
}

impl Watch {
    fn start(words: &[&str]) -> Self {
        let mut process = stoa(words).stdin(Stdio::null()).spawn().unwrap();
        let said = process.stdout.take().map(BufReader::new);
        Self { process, said }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.as_mut().unwrap().read_line(&mut line).unwrap();
        line
    }

    /// The amount of the next balance.
    fn balance(&mut self) -> String {
        let line = self.line();
        let reply: Value = serde_json::from_str(&line).unwrap_or_else(|error| {
            panic!("{error}: {line} {}", told(&self.end()));
        });
        reply["balance"]["amount"].as_str().unwrap_or("0").to_owned()
    }

    fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// How it ended, and the rest of what it said.
    fn end(&mut self) -> std::process::Output {
        let mut stdout = Vec::new();
        std::io::Read::read_to_end(self.said.as_mut().unwrap(), &mut stdout).unwrap();
        let status = self.process.wait().unwrap();
        let mut stderr = Vec::new();
        std::io::Read::read_to_end(self.process.stderr.as_mut().unwrap(), &mut stderr).unwrap();
        std::process::Output { status, stdout, stderr }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // One that has ended already is as well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A node with two accounts, and a session's token.
fn bank(folder: &TempDir) -> (Node, String) {
    let mut node = Node::start(&folder.path().join("data"), &[]);
    let token = node.set_up();
    for (code, kind) in [("cash", "ASSET"), ("ada", "LIABILITY")] {
        let account =
            json!({"code": code, "currency": "EUR", "kind": format!("ACCOUNT_KIND_{kind}")});
        node.call(&token, "ledger", "CreateAccount", &account).ok();
    }
    (node, token)
}

fn pay(node: &Node, token: &str, amount: i64) {
    let legs = json!([{"debit": "cash", "credit": "ada", "amount": amount.to_string()}]);
    let transfer = json!({"currency": "EUR", "legs": legs});
    node.call(token, "ledger", "CreateTransfer", &transfer).ok();
}

#[test]
fn each_state_is_a_line_also_over_lost_connections_until_ctrl_c() {
    let folder = TempDir::new().unwrap();
    let (node, token) = bank(&folder);
    let relay = Relay::to(node.address);
    let url = format!("http://{}", relay.address);
    let words = ["--url", &url, "--token", &token, "ledger", "get-balance", "ada", "--watch"];
    let mut watch = Watch::start(&words);
    assert_eq!(watch.balance(), "0");
    pay(&node, &token, 100);
    assert_eq!(watch.balance(), "100");
    // What did not change meanwhile is not said again; what did is.
    relay.cut();
    pay(&node, &token, 20);
    assert_eq!(watch.balance(), "120");
    relay.cut();
    relay.cut();
    pay(&node, &token, 3);
    assert_eq!(watch.balance(), "123");
    watch.signal("-INT");
    let ended = watch.end();
    assert_eq!((ended.status.code(), &*ended.stdout), (Some(0), &b""[..]), "{}", told(&ended));
    assert!(told(&ended).contains("trying again"), "{}", told(&ended));
}

#[test]
fn a_watch_ends_with_the_session_that_watches() {
    let folder = TempDir::new().unwrap();
    let (node, token) = bank(&folder);
    let other = node.sign_in("ada", "correct horse battery");
    let url = node.url();
    let words = ["--url", &url, "--token", &other, "ledger", "get-balance", "ada", "--watch"];
    let mut watch = Watch::start(&words);
    assert_eq!(watch.balance(), "0");
    node.call(&other, "auth", "SignOut", &json!({})).ok();
    pay(&node, &token, 100);
    assert_eq!(watch.line(), "", "nothing more is told");
    let ended = watch.end();
    assert_eq!(ended.status.code(), Some(77), "{}", told(&ended));
    assert!(told(&ended).contains("[auth.token_invalid]"), "{}", told(&ended));
}

#[test]
fn a_watch_ends_when_nobody_reads() {
    let folder = TempDir::new().unwrap();
    let (node, token) = bank(&folder);
    let url = node.url();
    let words = ["--url", &url, "--token", &token, "ledger", "list-accounts", "--watch"];
    let mut watch = Watch::start(&words);
    assert!(watch.line().starts_with("{\"accounts\":"));
    let Watch { process, said } = &mut watch;
    drop(said.take());
    assert!(process.wait().unwrap().success());
}

#[test]
fn what_cannot_be_watched_is_told_at_once() {
    let folder = TempDir::new().unwrap();
    let node = signed_in(&folder);
    let words = ["ledger", "list-accounts", "--watch"];
    for (more, status, said) in [
        (&["--all"][..], 64, "--page-size"),
        (&["--url", "http://127.0.0.1:1"], 69, "[client.unreachable]"),
        (&["--page-size", "-1"], 65, "--page-size"),
    ] {
        let output = run(folder.path(), &[&words[..], more].concat(), "");
        let text = told(&output);
        assert_eq!(output.status.code(), Some(status), "{more:?}: {text}");
        assert!(text.contains(said), "{more:?}: {text}");
    }
    let unwatchable = run(folder.path(), &["system", "list-jobs", "--watch"], "");
    assert!(told(&unwatchable).contains("[watch.untold]"), "{}", told(&unwatchable));
    drop(node);
}
