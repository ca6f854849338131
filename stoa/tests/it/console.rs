//! The console, as a browser shows it.

use std::process::Command;

use tempfile::TempDir;

use crate::process::Node;

/// With a folder in this variable, pictures of every page are left there.
const PICTURES: &str = "CONSOLE_PICTURES";

#[test]
fn every_page_of_the_console_is_walked_through() {
    let directory = TempDir::new().unwrap();
    let mut node = Node::start(directory.path(), &[]);
    let code = node.said("set-up code ");
    let mut walk = Command::new("node");
    walk.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../web/console/tests/walk.mjs"));
    walk.args([node.url(), code]).args(std::env::var_os(PICTURES));
    let walked = walk.output().unwrap();
    let complaint = String::from_utf8_lossy(&walked.stderr);
    assert!(walked.status.success(), "{complaint}");
    assert_eq!(walked.stdout, b"ok\n");
}
