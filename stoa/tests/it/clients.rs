//! Clients that we did not write. What they know of the node, they learn by reflection.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use stoa_auth_v1::PrepareSetupRequest;
use stoa_contract::{Format, Message, rpc};
use tempfile::TempDir;

use crate::process::{Node, PASSWORD};

const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools");

/// Runs a client to its end: whether it succeeded, and what it said on either output.
fn run(mut client: Command) -> (Option<i32>, Value, Value) {
    let program = Path::new(client.get_program()).to_owned();
    let output = client.output().unwrap_or_else(|error| panic!("{program:?}: {error}"));
    let read = |text: &[u8]| {
        let words = || Value::String(String::from_utf8_lossy(text).into_owned());
        serde_json::from_slice(text).unwrap_or_else(|_| words())
    };
    (output.status.code(), read(&output.stdout), read(&output.stderr))
}

/// `buf curl` over a protocol.
fn buf(node: &Node, token: &str, protocol: &str, method: &str, request: &Value) -> Command {
    let mut buf = Command::new(format!("{TOOLS}/node_modules/.bin/buf"));
    buf.args([
        "curl",
        "--protocol",
        protocol,
        "--header",
        &format!("Authorization: Bearer {token}"),
    ]);
    buf.args(["--data", &request.to_string(), &format!("{}/{method}", node.url())]);
    buf
}

fn buf_curl_calls_and_is_refused_over(protocol: &str) {
    let directory = TempDir::new().unwrap();
    let mut node = Node::start(directory.path(), &[]);
    let token = node.set_up();
    let ask = |method: &str, request: Value| run(buf(&node, &token, protocol, method, &request));
    let (ended, reply, complaint) = ask("stoa.auth.v1.AuthService/WhoAmI", json!({}));
    assert_eq!(ended, Some(0), "{complaint}");
    assert!(reply["subject"].as_str().unwrap().starts_with("user:usr_"), "{reply}");

    let wrong = json!({"code": "cash", "currency": "euro", "kind": "ACCOUNT_KIND_ASSET"});
    let (ended, _, refusal) = ask("stoa.ledger.v1.LedgerService/CreateAccount", wrong);
    // It ends with the code of gRPC times eight.
    assert_eq!((ended, &refusal["code"]), (Some(3 * 8), &json!("invalid_argument")), "{refusal}");
    let info = detail::<rpc::ErrorInfo>(&refusal);
    assert_eq!(info.reason, "request.invalid");
    let violation = &detail::<rpc::BadRequest>(&refusal).field_violations[0];
    assert_eq!((&*violation.field, &*violation.reason), ("currency", "string.pattern"));
}

/// A typed detail of an error, out of the bytes that it travelled as.
fn detail<M: Message>(refusal: &Value) -> M {
    let details = refusal["details"].as_array().unwrap();
    let found = details.iter().find(|detail| detail["type"] == M::NAME);
    let found = found.unwrap_or_else(|| panic!("no {}: {refusal}", M::NAME));
    // Bytes are base64 in JSON: a message of nothing but bytes knows how to read them.
    let bytes = json!({"code_hash": found["value"]}).to_string();
    let bytes = stoa_contract::decode::<PrepareSetupRequest>(bytes.as_bytes(), Format::Json);
    stoa_contract::decode(&bytes.unwrap().code_hash, Format::Binary).unwrap()
}

mod buf_curl {
    #[test]
    fn connect() {
        super::buf_curl_calls_and_is_refused_over("connect");
    }

    #[test]
    fn grpc() {
        super::buf_curl_calls_and_is_refused_over("grpc");
    }

    #[test]
    fn grpc_web() {
        super::buf_curl_calls_and_is_refused_over("grpcweb");
    }
}

#[test]
fn grpcio_finds_its_way_by_reflection() {
    let directory = TempDir::new().unwrap();
    let mut node = Node::start(directory.path(), &[]);
    let token = node.set_up();
    let mut python = Command::new(format!("{TOOLS}/venv/bin/python"));
    python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/client.py"));
    python.args([&node.address.to_string(), &token]);
    let (ended, said, complaint) = run(python);
    assert_eq!(ended, Some(0), "{complaint}");
    let services = said["services"].as_array().unwrap();
    for service in ["stoa.ledger.v1.LedgerService", "stoa.system.v1.SystemService"] {
        assert!(services.contains(&json!(service)), "{said}");
    }
    assert!(said["subject"].as_str().unwrap().starts_with("user:usr_"), "{said}");
    let failed = &said["failed"];
    assert_eq!(failed["code"], "INVALID_ARGUMENT");
    let details = &failed["details"];
    assert_eq!(details["google.rpc.ErrorInfo"]["reason"], "request.invalid", "{said}");
    let violation = &details["google.rpc.BadRequest"]["fieldViolations"][0];
    assert_eq!(violation["field"], "currency", "{said}");
    assert_eq!(violation["reason"], "string.pattern", "{said}");
}

#[test]
fn pymerkle_makes_the_tree_of_the_audit_log_and_its_proofs() {
    let directory = TempDir::new().unwrap();
    let mut node = Node::start(directory.path(), &[]);
    let token = node.set_up();
    for code in 0..12 {
        let code = format!("cash-{code}");
        let open = json!({"code": code, "currency": "EUR", "kind": "ACCOUNT_KIND_ASSET"});
        node.call(&token, "ledger", "CreateAccount", &open).ok();
    }
    let mut python = Command::new(format!("{TOOLS}/venv/bin/python"));
    python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/audit.py"));
    python.args([&node.url(), &token, "12"]);
    let (ended, said, complaint) = run(python);
    assert_eq!(ended, Some(0), "{complaint}");
    let entries = said["entries"].as_u64().unwrap();
    assert!(entries > 12, "{said}");
    let all = json!({"entries": entries, "root": true, "proofs": entries, "earlier": entries});
    assert_eq!(said, all);
}

#[test]
fn a_client_of_vault_encrypts_and_signs() {
    let directory = TempDir::new().unwrap();
    let mut node = Node::start(directory.path(), &[]);
    let token = node.set_up();
    let mut python = Command::new(format!("{TOOLS}/venv/bin/python"));
    python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/vault.py"));
    python.args([&node.url(), &token]);
    let (ended, said, complaint) = run(python);
    assert_eq!((ended, &said), (Some(0), &json!("ok\n")), "{complaint}");
}

#[test]
fn an_authenticator_app_shows_the_codes_that_are_asked_for() {
    let directory = TempDir::new().unwrap();
    let mut node = Node::start(directory.path(), &[]);
    let token = node.set_up();
    let mut python = Command::new(format!("{TOOLS}/venv/bin/python"));
    python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/totp.py"));
    python.args([&*node.url(), &*token, PASSWORD]);
    let (ended, said, complaint) = run(python);
    assert_eq!((ended, &said), (Some(0), &json!("ok\n")), "{complaint}");
}

#[test]
fn clients_of_openfga_write_models_and_ask() {
    let directory = TempDir::new().unwrap();
    let mut node = Node::start(directory.path(), &[]);
    let token = node.set_up();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
    let python = format!("{TOOLS}/venv/bin/python");
    for (program, file) in [("node", "fga.mjs"), (&*python, "fga.py")] {
        let mut client = Command::new(program);
        client.arg(format!("{folder}/{file}")).args([&node.url(), &token]);
        let (ended, said, complaint) = run(client);
        assert_eq!((ended, &said), (Some(0), &json!("ok\n")), "{file}: {complaint}");
    }
}

#[test]
fn clients_of_the_registry_and_of_cloudevents_are_understood() {
    let directory = TempDir::new().unwrap();
    let mut node = Node::start(directory.path(), &[]);
    let token = node.set_up();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
    let python = format!("{TOOLS}/venv/bin/python");
    for (program, file) in [(&*python, "cloud_events.py"), ("node", "registry.mjs")] {
        let mut client = Command::new(program);
        client.arg(format!("{folder}/{file}")).args([&node.url(), &token]);
        let (ended, said, complaint) = run(client);
        assert_eq!((ended, &said), (Some(0), &json!("ok\n")), "{file}: {complaint}");
    }
}

#[test]
fn the_typescript_sdk_does_what_it_promises() {
    // Node has WebSockets by itself from 22 on.
    sdk(&["--experimental-websocket"], "");
}

#[test]
fn the_typescript_sdk_watches_where_there_is_no_websocket() {
    sdk(&[], "no WebSocket");
}

fn sdk(flags: &[&str], without: &str) {
    let directory = TempDir::new().unwrap();
    let mut node = Node::start(directory.path(), &[]);
    let code = node.said("set-up code ");
    let mut sdk = Command::new("node");
    sdk.args(flags);
    sdk.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../web/sdk/tests/on-a-node.mjs"));
    sdk.args([&node.url(), &code, without]);
    let (ended, said, complaint) = run(sdk);
    assert_eq!((ended, &said), (Some(0), &json!("ok\n")), "{complaint}");
}
