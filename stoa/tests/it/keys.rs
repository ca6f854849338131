//! The root key, as whoever runs a node meets it; and what a database without it is worth.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;
use stoa_testkit::postgres::Cluster;
use tempfile::TempDir;

use crate::http::Request;
use crate::process::{Node, stoa};

const PASSWORD: &str = "correct horse battery";

/// A node's directory after somebody was set up, and the file of its root key.
fn lived_in() -> (TempDir, std::path::PathBuf) {
    let directory = TempDir::new().unwrap();
    let mut node = Node::start(directory.path(), &[]);
    node.set_up();
    stop(node);
    let root = directory.path().join("root.key");
    (directory, root)
}

fn stop(mut node: Node) {
    node.signal("-TERM");
    let (ended, log) = node.wait();
    assert!(ended.success(), "{log}");
}

/// The reason why a node does not start.
fn refused(directory: &Path) -> String {
    let up = ["up", "--listen", "127.0.0.1:0", "--data", directory.to_str().unwrap()];
    let output = stoa(&up).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    let error = text.lines().find(|line| line.starts_with("error: ")).expect(&text);
    assert!(text.contains("\n  next: "), "{text}");
    error.rsplit_once('[').expect(error).1.trim_end_matches(']').to_owned()
}

#[test]
fn a_start_with_another_root_key_or_without_is_refused_and_changes_nothing() {
    let (directory, root) = lived_in();
    assert_eq!(std::fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o600);
    let kept = std::fs::read(&root).unwrap();
    std::fs::remove_file(&root).unwrap();
    assert_eq!(refused(directory.path()), "ring.no_root");
    assert!(!root.exists(), "none is made for a database that has one");
    let (_another, other) = lived_in();
    std::fs::copy(other, &root).unwrap();
    assert_eq!(refused(directory.path()), "ring.wrong_root");
    std::fs::write(&root, b"stoa-root-1 ff").unwrap();
    assert_eq!(refused(directory.path()), "ring.malformed");
    std::fs::write(&root, &kept).unwrap();
    std::fs::set_permissions(&root, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(refused(directory.path()), "ring.exposed");
    std::fs::set_permissions(&root, PermissionsExt::from_mode(0o600)).unwrap();
    let node = Node::start(directory.path(), &[]);
    node.sign_in("ada@example.com", PASSWORD);
}

#[test]
fn another_root_key_opens_what_the_old_one_did() {
    let (directory, root) = lived_in();
    let old = std::fs::read(&root).unwrap();
    let data = directory.path().to_str().unwrap();
    let rotated = stoa(&["keys", "rotate", "--data", data]).output().unwrap();
    let said = String::from_utf8(rotated.stdout).unwrap();
    assert!(rotated.status.success() && said.starts_with("wrapped 2 keys anew"), "{said}");
    let new = std::fs::read(&root).unwrap();
    assert!(new != old && new.len() == old.len(), "the old one is in it no more");
    let node = Node::start(directory.path(), &[]);
    node.sign_in("ada@example.com", PASSWORD);
    stop(node);
    std::fs::write(&root, old).unwrap();
    assert_eq!(refused(directory.path()), "ring.wrong_root");
}

/// What a node makes under a root key that is no more would be opened by nobody.
#[test]
fn a_node_that_runs_while_another_root_key_is_taken_makes_no_key_under_the_old_one() {
    let cluster = Cluster::start().unwrap();
    let database = cluster.database().unwrap();
    let directory = TempDir::new().unwrap();
    let more = ["--database", database.url()];
    let mut node = Node::start(directory.path(), &more);
    let main = node.set_up();
    let made = node.call(&main, "system", "CreateTenant", &json!({"name": "acme"})).ok();
    let data = directory.path().to_str().unwrap();
    let rotate = ["keys", "rotate", "--data", data, "--database", database.url()];
    let rotated = stoa(&rotate).output().unwrap();
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    let ada = json!({
        "code": made["setupCode"], "handle": "ada", "email": "ada@example.com", "password": PASSWORD,
    });
    let set_up = |node: &Node| {
        let call = Request::call("", "auth", "SetUp", &ada).with("stoa-tenant", "acme");
        call.send(node.address)
    };
    assert_eq!(set_up(&node).reason(), "ring.rotated");
    // The keys that it has at hand it goes on with.
    node.sign_in("ada", PASSWORD);
    stop(node);
    let node = Node::start(directory.path(), &more);
    set_up(&node).ok();
    stop(node);
    let node = Node::start(directory.path(), &more);
    let login = json!({"login": "ada@example.com", "password": PASSWORD});
    Request::call("", "auth", "SignIn", &login).with("stoa-tenant", "acme").send(node.address).ok();
}

#[test]
fn a_value_that_was_moved_does_not_open() {
    let directory = TempDir::new().unwrap();
    let mut node = Node::start(directory.path(), &[]);
    let token = node.set_up();
    node.sign_in("ada", PASSWORD);
    let bob = json!({"handle": "bob", "email": "bob@example.com"});
    let bob = node.call(&token, "users", "CreateUser", &bob).ok()["user"]["id"].clone();
    let sessions = |node: &Node, token: &str| node.call(token, "auth", "ListSessions", &json!({}));
    sessions(&node, &token).ok();
    stop(node);
    // To another person's row; to another row about the same person; to another column of it.
    for (moved, service, method, request) in [
        (
            "UPDATE users_user SET email = (SELECT email FROM users_user WHERE handle = 'ada') \
             WHERE handle = 'bob'",
            "users",
            "GetUser",
            json!({"id": bob}),
        ),
        (
            "UPDATE auth_session SET address = (SELECT MAX(address) FROM auth_session)",
            "auth",
            "ListSessions",
            json!({}),
        ),
        ("UPDATE auth_session SET label = address", "auth", "ListSessions", json!({})),
    ] {
        let copy = TempDir::new().unwrap();
        for name in ["stoa.db", "root.key"] {
            std::fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
        }
        let database = rusqlite::Connection::open(copy.path().join("stoa.db")).unwrap();
        assert!(database.execute(moved, ()).unwrap() > 0);
        drop(database);
        let node = Node::start(copy.path(), &[]);
        let token = node.sign_in("ada", PASSWORD);
        let answer = node.call(&token, service, method, &request);
        assert_eq!(answer.reason(), "ring.damaged", "{moved}");
    }
}
