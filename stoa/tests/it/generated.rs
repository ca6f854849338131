//! Clients that others' generators make of `/openapi.json`, and what judges it.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Request;
use crate::process::Node;

const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools");

const VALIDATE: &str = "
import json, openapi_spec_validator
openapi_spec_validator.validate(json.load(open('openapi.json')))
";

const IN_PYTHON: &str = "
import os
from client import AuthenticatedClient
from client.api.ledger import ledger_create_account, ledger_get_balance
from client.models import LedgerAccountKind as Kind, LedgerCreateAccountRequest as Create

node = AuthenticatedClient(base_url=os.environ['URL'], token=os.environ['STOA_TOKEN'])
create = Create(code='wallets/ada', currency='EUR', kind=Kind.ACCOUNT_KIND_LIABILITY)
assert ledger_create_account.sync(client=node, body=create).account.code == 'wallets/ada'
again = ledger_create_account.sync_detailed(client=node, body=create)
assert (again.status_code, again.parsed.reason) == (409, 'ledger.account_exists'), again
print(ledger_get_balance.sync(client=node, account='wallets/ada').balance.currency)
";

const IN_TYPESCRIPT: &str = r#"
import type { paths } from "./api";
declare const process: { env: Record<string, string> };
type Get = paths["/v1/ledger/accounts/{account}/balance"]["get"];
const account: Get["parameters"]["path"]["account"] = "wallets/ada";
const path = `/v1/ledger/accounts/${encodeURIComponent(account)}/balance`;
const headers = { authorization: `Bearer ${process.env.STOA_TOKEN}` };
const answer = await fetch(process.env.URL + path, { headers });
const reply: Get["responses"]["200"]["content"]["application/json"] = await answer.json();
console.log(reply.balance?.currency);
"#;

/// Runs a program in a folder, with a node to call.
fn run(folder: &Path, node: &Node, token: &str, program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env("URL", node.url()).env("STOA_TOKEN", token);
    let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}\n{said}\n{complaint}");
    said
}

fn document(token: &str, query: &str) -> Request {
    let request = Request::call(token, "ledger", "GetBalance", &json!({})).body("").by("GET");
    request.to(&format!("/openapi.json{query}"))
}

#[test]
fn the_document_is_valid_and_clients_made_of_it_call() {
    let folder = TempDir::new().unwrap();
    let mut node = Node::start(&folder.path().join("data"), &[]);
    let token = node.set_up();
    let text = document(&token, "").send(node.address);
    assert_eq!(text.status, 200);
    std::fs::write(folder.path().join("openapi.json"), &text.body).unwrap();
    let run =
        |program: &str, arguments: &[&str]| run(folder.path(), &node, &token, program, arguments);
    let python = format!("{TOOLS}/venv/bin/python");
    run(&python, &["-c", VALIDATE]);
    std::fs::write(folder.path().join("quiet.yml"), "post_hooks: []\n").unwrap();
    run(
        &format!("{TOOLS}/venv/bin/openapi-python-client"),
        &[
            "generate",
            "--path",
            "openapi.json",
            "--meta",
            "none",
            "--output-path",
            "client",
            "--config",
            "quiet.yml",
            "--fail-on-warning",
        ],
    );
    assert_eq!(run(&python, &["-c", IN_PYTHON]), "EUR\n");

    let bin = format!("{TOOLS}/node_modules/.bin");
    run(&format!("{bin}/openapi-typescript"), &["openapi.json", "-o", "api.d.ts"]);
    std::fs::write(folder.path().join("main.mts"), IN_TYPESCRIPT).unwrap();
    let strict = ["--strict", "--target", "es2022", "--module", "esnext"];
    let lookup = ["--moduleResolution", "bundler", "main.mts"];
    run(&format!("{bin}/tsc"), &[&strict[..], &lookup[..]].concat());
    assert_eq!(run("node", &["main.mjs"]), "EUR\n");
}

#[test]
fn a_document_shows_what_its_reader_may_call() {
    let folder = TempDir::new().unwrap();
    let mut node = Node::start(&folder.path().join("data"), &[]);
    let token = node.set_up();
    let paths = |token: &str, query: &str| {
        let document = document(token, query).send(node.address).ok();
        let paths = document["paths"].as_object().cloned().unwrap();
        paths.into_iter().map(|(path, _)| path).collect::<Vec<String>>()
    };
    let everybodys = paths("", "");
    assert!(everybodys.iter().any(|path| path == "/v1/auth/sessions"), "{everybodys:?}");
    assert!(!everybodys.iter().any(|path| path.starts_with("/v1/ledger")), "{everybodys:?}");
    let all = paths(&token, "");
    let of_two = paths(&token, "?service=ledger&service=orders");
    let is_of_two =
        |path: &&String| path.starts_with("/v1/ledger/") || path.starts_with("/v1/orders");
    assert_eq!(of_two.iter().collect::<Vec<_>>(), all.iter().filter(is_of_two).collect::<Vec<_>>());
    assert!(all.len() > of_two.len() + everybodys.len());
    let unknown = document(&token, "?service=nothing").send(node.address);
    assert_eq!((unknown.status, &unknown.json()["reason"]), (404, &json!("resource.not_found")));
    let posted = document(&token, "").by("POST").send(node.address);
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
    let document: Value = document(&token, "").send(node.address).json();
    let close = &document["paths"]["/v1/ledger/accounts/{account}:close"]["post"];
    assert_eq!(close["operationId"], "ledger_close_account");
    assert_eq!(close["security"], json!([{"bearer": []}]));
    let refusal = &document["components"]["responses"]["ledger_409"]["description"];
    assert!(refusal.as_str().unwrap().contains("`ledger.account_exists`"), "{refusal}");
}
