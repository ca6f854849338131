//! The README's first call, as it is printed there, on a node of its own.

use std::process::Command;

use tempfile::TempDir;

use crate::process::Node;

/// The shell blocks of a section.
fn blocks(text: &str, section: &str) -> String {
    let section = text.split(&format!("\n## {section}\n")).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap()).collect()
}

#[test]
fn the_first_call_does_what_it_says() {
    let folder = TempDir::new().unwrap();
    let mut node = Node::start(&folder.path().join("data"), &[]);
    let (url, code) = (node.url(), node.said("set-up code "));
    // What a reader does by hand: another address, and copying what was printed.
    let script = blocks(include_str!("../../../README.md"), "A first call")
        .replace("alias stoa=target/release/stoa", "")
        .replace("stoa call auth SignIn", "reply=$(stoa call auth SignIn")
        .replace("battery\"}'\nexport", "battery\"}')\nexport")
        .replace("<token>", "$(echo \"$reply\" | sed -n 's/.*\"token\": *\"\\(.*\\)\".*/\\1/p')")
        .replace("<code>", &code)
        .replace("http://127.0.0.1:8080", &url);
    let stoa = "stoa() { word=$1; shift; \"$STOA\" \"$word\" --url \"$URL\" \"$@\"; }";
    let mut shell = Command::new("sh");
    shell.args(["-euc", &format!("{stoa}\n{script}")]).current_dir(folder.path());
    shell.env("STOA", env!("CARGO_BIN_EXE_stoa")).env("URL", &url);
    let output = shell.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).replace(' ', "");
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{printed}\n{failed}");
    let balances = printed.matches("\"balance\":{").count();
    assert_eq!(balances, 2, "one by the command line, one by HTTP: {printed}");
    assert_eq!(printed.matches("\"amount\":\"1000\"").count(), 3, "{printed}");
}
