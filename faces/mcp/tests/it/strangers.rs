//! Clients that others wrote: the conformance suite of MCP, and its inspector.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use stoa_mcp::{Mcp, Settings};
use stoa_testkit::{Engine, run};
use tempfile::TempDir;

use crate::{garden, listen, suite};

const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/node_modules");

/// Scenarios that ask for what no contract says: they fail, and no other does.
const BEYOND: &str = "
server:
  # A name of a tool, and of what it refers to, that comes of no contract. What it is about, `$defs` and
  # `additionalProperties`, is compared word for word in `tools.rs`.
  - json-schema-2020-12
  # A method asks no model.
  - tools-call-sampling
  # A person is asked whether something is to be done; what it is done with, the agent says.
  - elicitation-sep1034-defaults
  - elicitation-sep1330-enums
";

/// Runs a test beside a node that listens: it is given where.
fn with_server(test: impl FnOnce(&str)) {
    run(Engine::Sqlite, vec![garden::service(), suite::service()], |node| async move {
        let mcp = Mcp::new(node.inner().registry(), Settings::default());
        let node = std::sync::Arc::clone(node.inner());
        let server = stoa_node::serve(node, vec![std::sync::Arc::new(mcp)], listen()).await;
        let server = server.unwrap();
        test(&format!("http://{}/mcp", server.address));
    });
}

/// What a program says in a folder; it has to succeed.
fn said(program: &str, arguments: &[&str], folder: &Path) -> String {
    let mut command = Command::new(format!("{TOOLS}/.bin/{program}"));
    let output = command.args(arguments).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}\n{said}\n{complaint}");
    said
}

#[test]
fn the_conformance_suite_finds_what_contracts_can_give() {
    with_server(|url| {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("beyond.yml"), BEYOND).unwrap();
        let arguments =
            ["server", "--url", url, "--suite", "all", "--expected-failures", "beyond.yml"];
        let said = said("conformance", &arguments, folder.path());
        let passed = said.lines().filter(|line| line.starts_with('✓')).count();
        assert_eq!(passed, 28, "{said}");
    });
}

#[test]
fn the_inspector_lists_calls_and_reads() {
    with_server(|url| {
        // It looks for its version from where it is called.
        let folder = format!("{TOOLS}/@modelcontextprotocol/inspector-cli/build");
        let inspect = |token: &str, arguments: &[&str]| -> Value {
            let header = format!("Authorization: Bearer {token}");
            let server = ["--cli", url, "--transport", "http", "--header", &header];
            let said =
                said("mcp-inspector-cli", &[&server[..], arguments].concat(), folder.as_ref());
            serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
        };
        let tools = inspect(crate::ADA, &["--method", "tools/list"]);
        let names = tools["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]);
        assert!(names.clone().any(|name| name == "garden_create_plant"), "{tools}");
        assert!(!names.clone().any(|name| name == "garden_delete_plant"), "{tools}");
        let call = ["--method", "tools/call", "--tool-name", "garden_create_plant"];
        let rose = [&call[..], &["--tool-arg", r#"plant={"id":"rose","leaves":"3"}"#]].concat();
        let reply = inspect(crate::ADA, &rose);
        assert_eq!(reply["structuredContent"]["plant"]["leaves"], "3", "{reply}");
        let wrong = [&call[..], &["--tool-arg", r#"plant={"id":"rose","petals":"3"}"#]].concat();
        let refusal = inspect(crate::ADA, &wrong);
        assert_eq!(refusal["structuredContent"]["violations"][0]["path"], "plant.petals");
        let delete = ["--method", "tools/call", "--tool-name", "garden_delete_plant"];
        let delete = [&delete[..], &["--tool-arg", "id=rose"]].concat();
        let refusal = inspect(crate::ADA, &delete);
        assert_eq!(refusal["structuredContent"]["reason"], "auth.permission_denied", "{refusal}");
        assert_eq!(inspect(crate::GARDENER, &delete)["isError"], false);
        let templates = inspect(crate::ADA, &["--method", "resources/templates/list"]);
        assert!(templates.to_string().contains("garden://beds/{bed}/plants/{id}"));
        let read = ["--method", "resources/read", "--uri", "garden://plants?pageSize=2"];
        let read = inspect(crate::ADA, &read);
        let text = read["contents"][0]["text"].as_str().unwrap();
        assert!(text.contains("plant-1"), "{text}");
    });
}
