//! The binary as its users meet it: processes, signals, and what they print.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, and stand outside the world"
)]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// What two thousand purchases come to, whatever happens meanwhile. The rest of the line is time.
const PURCHASES: &str = "2000";

fn stoa(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stoa"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STOA_")) {
        command.env_remove(name);
    }
    command
}

/// Starts a node and waits for its first line.
fn up(directory: &Path) -> (Child, String) {
    let data = directory.to_str().unwrap();
    let mut node = stoa(&["up", "--listen", "127.0.0.1:0", "--data", data]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(node.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (node, line)
}

fn signal(process: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &process.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn up_says_first_where_it_listens_and_drains_when_told_to_end() {
    let directory = TempDir::new().unwrap();
    let (mut node, line) = up(directory.path());
    let address = line.trim().strip_prefix("listening http://127.0.0.1:").unwrap();
    assert_ne!(address.parse::<u16>().unwrap(), 0);
    signal(&node, "-TERM");
    let ended = node.wait().unwrap();
    let mut log = String::new();
    node.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert_eq!(ended.code(), Some(0), "{log}");
    // What it held is free: another node opens the same directory.
    let (mut again, line) = up(directory.path());
    assert!(line.starts_with("listening http://"));
    signal(&again, "-INT");
    assert_eq!(again.wait().unwrap().code(), Some(0));
}

#[test]
fn up_refuses_what_it_does_not_know() {
    let directory = TempDir::new().unwrap();
    let refused = |mut command: Command, words: &str| {
        let Output { status, stdout, stderr } =
            command.current_dir(directory.path()).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(!status.success() && stdout.is_empty(), "{stderr}");
        assert!(stderr.contains(words), "{stderr}");
    };
    refused(stoa(&["up", "--listn", "127.0.0.1:0"]), "--listen");
    let mut variable = stoa(&["up"]);
    variable.env("STOA_LISTN", "127.0.0.1:0");
    refused(variable, "did you mean `listen`?");
    std::fs::write(directory.path().join("stoa.toml"), "listn = \"127.0.0.1:0\"").unwrap();
    refused(stoa(&["up"]), "did you mean `listen`?");
    assert!(!directory.path().join("data").exists(), "a node that refuses leaves nothing");
}

/// The last line of a demo, without the time it took.
fn figures(output: Output) -> String {
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}\n{text}");
    let line = text.lines().last().unwrap();
    line.rsplit_once(" seconds=").unwrap().0.to_owned()
}

/// Brings purchases in while the node is killed, and once while the demo itself is.
fn demo_survives_crashes(database: &str) {
    let directory = TempDir::new().unwrap();
    let data = directory.path().to_str().unwrap();
    let demo = |more: &[&str]| {
        let mut arguments =
            vec!["demo", "--data", data, "--database", database, "--purchases", PURCHASES];
        arguments.extend(more);
        stoa(&arguments)
    };
    let mut killed = demo(&[]).spawn().unwrap();
    // Some of the work is done by then, and some is not; that it is not always the same is meant.
    let left = wait_for_orders(&mut killed, directory.path());
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(left, "the demo ended before it could be killed");
    let crashed = figures(demo(&["--crash"]).output().unwrap());
    assert!(crashed.starts_with("demo: purchases=2000 customers="), "{crashed}");
    assert!(crashed.ends_with(" trial_balance=0.00"), "{crashed}");
    assert_eq!(figures(demo(&[]).output().unwrap()), crashed, "a run again adds nothing");
    let secrets = std::fs::metadata(directory.path().join("demo.json")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&secrets) & 0o777, 0o600);
}

/// Waits until the importer has its key, and a moment more.
fn wait_for_orders(demo: &mut Child, directory: &Path) -> bool {
    let secrets = directory.join("demo.json");
    let begun = || std::fs::read_to_string(&secrets).is_ok_and(|s| s.contains("demo_token"));
    while !begun() {
        if demo.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    std::thread::park_timeout(Duration::from_millis(500));
    demo.try_wait().unwrap().is_none()
}

mod demo_ends_with_the_same_figures_after_crashes {
    #[test]
    fn sqlite() {
        super::demo_survives_crashes("");
    }

    #[test]
    fn postgres() {
        let database = stoa_testkit::postgres::shared();
        super::demo_survives_crashes(database.url());
    }
}
