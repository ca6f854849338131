//! The README's first call and the commands of the runbooks, as they are printed there.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::process::Node;

/// The shell blocks of a section.
fn blocks(text: &str, section: &str) -> String {
    let section = text.split(&format!("\n## {section}\n")).nth(1).unwrap();
    shell_blocks(section.split("\n## ").next().unwrap())
}

fn shell_blocks(text: &str) -> String {
    let blocks = text.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap()).collect()
}

/// Runs a script that calls a node; it ends at the first command that fails.
fn run(script: &str, node: &Node, token: &str, folder: &Path) -> Output {
    let stoa = "stoa() { \"$STOA\" \"$@\"; }";
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", &format!("{stoa}\n{script}")]).current_dir(folder);
    shell.env("STOA", env!("CARGO_BIN_EXE_stoa")).env("URL", node.url());
    shell.env("STOA_URL", node.url()).env("STOA_TOKEN", token);
    // A folder that nobody shares: the node's own.
    shell.env("XDG_CONFIG_HOME", node.directory());
    shell.output().unwrap()
}

#[test]
fn what_the_runbooks_say_can_be_done() {
    let folder = TempDir::new().unwrap();
    let mut node = Node::start(&folder.path().join("data"), &[]);
    let token = node.set_up();
    let books = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/runbooks");
    let mut count = 0;
    for book in std::fs::read_dir(books).unwrap() {
        let text = std::fs::read_to_string(book.unwrap().path()).unwrap();
        let script = shell_blocks(&text);
        assert!(!script.is_empty(), "a runbook without a command: {text}");
        let output = run(&script, &node, &token, folder.path());
        let failed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n{failed}");
        count += 1;
    }
    assert!(count > 1);
}

#[test]
fn every_face_gives_the_same_answer() {
    let folder = TempDir::new().unwrap();
    let mut node = Node::start(&folder.path().join("data"), &[]);
    let token = node.set_up();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let ready = "stoa ledger create-account --code wallets/ada --currency EUR --kind liability";
    assert!(run(ready, &node, &token, &root).status.success());
    let text = std::fs::read_to_string(root.join("docs/faces.md")).unwrap();
    let mut answers = Vec::new();
    for section in text.split("\n## ").skip(1) {
        let buf = "buf() { tools/node_modules/.bin/buf \"$@\"; }";
        let script = format!("{buf}\n{}", shell_blocks(section));
        let script = script.replace("http://127.0.0.1:8080", &node.url());
        let output = run(&script, &node, &token, &root);
        let failed = String::from_utf8_lossy(&output.stderr);
        let given = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
        for (block, answer) in given.enumerate() {
            let answer: serde_json::Result<serde_json::Value> = answer;
            let mut answer =
                answer.unwrap_or_else(|error| panic!("{script}\n{error} in {block}\n{failed}"));
            // GraphQL answers within what was asked.
            if let Some(asked) = answer.pointer_mut("/data/ledger/balance") {
                answer = asked.take();
            }
            answers.push(answer);
        }
    }
    assert_eq!(answers.len(), text.matches("```sh\n").count(), "one of each block: {answers:?}");
    assert_eq!(answers[0]["balance"]["currency"], "EUR", "{answers:?}");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[test]
fn the_first_call_does_what_it_says() {
    let folder = TempDir::new().unwrap();
    let mut node = Node::start(&folder.path().join("data"), &[]);
    let (url, code) = (node.url(), node.said("set-up code "));
    // What a reader does by hand: another address, and copying what was printed.
    let script = blocks(include_str!("../../../README.md"), "A first call")
        .replace("alias stoa=target/release/stoa", "")
        .replace("stoa login", "echo 'correct horse battery' | stoa login")
        .replace("<code>", &code)
        .replace("http://127.0.0.1:8080", &url);
    let output = run(&script, &node, "", folder.path());
    let printed = String::from_utf8_lossy(&output.stdout).replace(' ', "");
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{printed}\n{failed}");
    let balances = printed.matches("\"balance\":{").count();
    assert_eq!(balances, 2, "one by the command line, one by HTTP: {printed}");
    assert_eq!(printed.matches("\"amount\":\"1000\"").count(), 3, "{printed}");
}

#[test]
fn what_the_page_about_the_command_line_says_is_so() {
    let folder = TempDir::new().unwrap();
    let mut node = Node::start(&folder.path().join("data"), &[]);
    let token = node.set_up();
    let text = include_str!("../../../docs/cli.md");
    let script = shell_blocks(text);
    let output = run(&script, &node, &token, folder.path());
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{failed}");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("\"amount\": \"1177\""), "{printed}");
    assert!(printed.contains("14.77 EUR"), "a table of accounts: {printed}");
    assert!(printed.contains("  2 rows of ledger_entry\n"), "a dry run: {printed}");
    assert!(printed.contains("ledger.transfers.create\n"), "who may: {printed}");
    let state = r#"{"balance":{"amount":"1477","currency":"EUR"}}"#;
    assert!(printed.lines().any(|line| line == state), "a watch: {printed}");
    let rows = text.lines().filter_map(|line| {
        let (status, when) = line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | ")?;
        Some((status.parse::<u8>().ok()?, when))
    });
    let known = stoa_cli::EXITS.iter().map(|exit| (exit.status, exit.when));
    let known: Vec<_> = [(0, "it is done")].into_iter().chain(known).collect();
    assert_eq!(rows.collect::<Vec<_>>(), known);
}
