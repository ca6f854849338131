//! What others wrote to find out whether this is SCIM.

use std::process::Command;

use stoa_testkit::Engine;

use crate::world::directory;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tools");

#[test]
fn scim2_tester_finds_no_error() {
    stoa_testkit::run(Engine::Sqlite, crate::services(), |node| async move {
        let server = node.serve().await;
        let mut tester = Command::new(format!("{TOOLS}/venv/bin/python"));
        tester.arg(format!("{HERE}/tester.py"));
        tester.arg(format!("http://{}/scim/v2", server.address)).arg(directory(&node).await);
        let output = tokio::task::spawn_blocking(move || tester.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.lines().last().is_some_and(|line| line.ends_with(" and no error")), "{said}");
        server.stop().await;
    });
}
