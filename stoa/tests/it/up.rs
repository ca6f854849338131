//! How a node starts, refuses to, and ends; and what the command line says of it.

use std::process::{Command, Output};

use tempfile::TempDir;

use crate::process::{Node, stoa};

#[test]
fn up_says_first_where_it_listens_and_drains_when_told_to_end() {
    let directory = TempDir::new().unwrap();
    let mut node = Node::start(directory.path(), &[]);
    assert_ne!(node.address.port(), 0);
    node.signal("-TERM");
    let (ended, log) = node.wait();
    assert_eq!(ended.code(), Some(0), "{log}");
    assert!(!directory.path().join("stoa.db-wal").exists(), "the database is one file");
    // What it held is free: another node opens the same directory.
    let mut again = Node::start(directory.path(), &[]);
    again.signal("-INT");
    assert_eq!(again.wait().0.code(), Some(0));
}

#[test]
fn up_refuses_a_directory_that_another_node_has() {
    let directory = TempDir::new().unwrap();
    let node = Node::start(directory.path(), &[]);
    let second = ["up", "--listen", "127.0.0.1:0", "--data", directory.path().to_str().unwrap()];
    let Output { status, stdout, stderr } = stoa(&second).output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(!status.success() && stdout.is_empty(), "{stderr}");
    let holder = format!("process {} has the database", node.pid());
    assert!(stderr.contains(&holder) && stderr.contains("[store.in_use]"), "{stderr}");
}

#[test]
fn a_node_whose_files_are_moved_away_ends() {
    let above = TempDir::new().unwrap();
    let data = above.path().join("data");
    let mut node = Node::start(&data, &[]);
    std::fs::rename(&data, above.path().join("moved")).unwrap();
    let (ended, log) = node.wait();
    assert!(!ended.success() && log.contains("store.files_gone"), "{log}");
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

#[test]
fn who_has_read_enough_is_no_fault() {
    let directory = TempDir::new().unwrap();
    let mut node = Node::start(directory.path(), &[]);
    let token = node.set_up();
    let mut services = stoa(&["system", "list-services", "--url", &node.url(), "--token", &token]);
    let mut services = services.spawn().unwrap();
    drop(services.stdout.take());
    let ended = services.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}
