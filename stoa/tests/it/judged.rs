//! What `schemathesis`, which others wrote, finds between `/openapi.json` and what a node answers.

use std::process::Command;

use stoa_testkit::fuzz;
use tempfile::TempDir;

use crate::shop::Shop;

const SCHEMATHESIS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/venv/bin/schemathesis");

/// What is asked of each answer: that it is no fault of ours; a status, a content type, headers and a body
/// as the document says; that what the document forbids is refused, and what it does not name as well.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
     response_headers_conformance,response_schema_conformance,negative_data_rejection,\
     unsupported_method";

/// It has another opinion than RFC 9110 on what refuses.
const SETTINGS: &str = "[checks.negative_data_rejection]\n\
     expected-statuses = [400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 429]\n";

/// How many operations there are, about, and how many cases are tried of all of them.
const OPERATIONS: usize = 110;
const USUAL: usize = 220;

#[test]
#[allow(clippy::print_stdout, reason = "how much was asked")]
fn a_node_answers_as_its_document_says() {
    let folder = TempDir::new().unwrap();
    let shop = Shop::open(&folder.path().join("data"));
    std::fs::write(folder.path().join("schemathesis.toml"), SETTINGS).unwrap();
    let (node, seed) = (&shop.node, fuzz::seed());
    // A case of theirs takes as long as ten of ours.
    let cases = fuzz::cases(10 * USUAL) / 10;
    let more = if cases > USUAL { ",coverage,stateful" } else { "" };
    let mut judge = Command::new(SCHEMATHESIS);
    judge.current_dir(folder.path()).arg("run").arg(format!("{}/openapi.json", node.url()));
    judge.args(["--header", &format!("Authorization: Bearer {}", shop.admin)]);
    judge.args(["--checks", CHECKS, "--phases", &format!("examples,fuzzing{more}")]);
    judge.args(["--max-examples", &cases.div_ceil(OPERATIONS).to_string(), "--workers", "1"]);
    judge.args(["--seed", &seed.to_string(), "--generation-database", "none"]);
    judge.args(["--suppress-health-check", "all", "--request-timeout", "20", "--no-color"]);
    judge.args(["--warnings", "off"]);
    let output = judge.output().unwrap_or_else(|error| panic!("{SCHEMATHESIS}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}
