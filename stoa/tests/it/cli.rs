//! The command line, as the binary has it: what it prints, what it ends with, whom it asks.

mod added;
mod tls;
mod watch;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Request;
use crate::process::{Node, stoa};

/// Runs the binary with a folder for profiles, and something that is piped in.
fn run(config: &Path, words: &[&str], piped: &str) -> Output {
    let mut command = stoa(words);
    command.env("XDG_CONFIG_HOME", config).stdin(Stdio::piped());
    let mut process = command.spawn().unwrap();
    // One that reads nothing may have ended.
    let _ = process.stdin.take().unwrap().write_all(piped.as_bytes());
    process.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A node, and a folder for profiles whose one is signed in there.
fn signed_in(folder: &TempDir) -> Node {
    let mut node = Node::start(&folder.path().join("data"), &[]);
    node.set_up();
    let words = ["login", &node.url(), "--login", "ada"];
    let login = run(folder.path(), &words, "correct horse battery\n");
    assert!(login.status.success(), "{}", told(&login));
    node
}

#[test]
fn the_status_tells_what_kind_of_error_it_was() {
    let folder = TempDir::new().unwrap();
    let node = signed_in(&folder);
    let create =
        ["ledger", "create-account", "--code", "a", "--currency", "EUR", "--kind", "asset"];
    assert!(run(folder.path(), &create, "").status.success());
    let nowhere = TempDir::new().unwrap();
    let url = node.url();
    for (config, words, status, said) in [
        (&folder, &["ledger", "get-balence"][..], 64, "'get-balance'"),
        (&folder, &["leger", "get-balance"], 64, "'ledger'"),
        (&folder, &["ledger", "get-balance", "--acount", "a"], 64, "'--account'"),
        (&folder, &["ledger", "get-balance", "--json", "{"], 64, "[cli.usage]"),
        (&folder, &["ledger", "create-account", "--currency", "eur"], 65, "--currency: "),
        (&folder, &["ledger", "get-account", "nothing"], 66, "[resource.not_found]"),
        (&folder, &["--url", "http://127.0.0.1:1", "users", "list-users"], 69, "stoa up"),
        (&folder, &create, 73, "[ledger.account_exists]"),
        (&nowhere, &["--url", &url, "users", "list-users"], 77, "[auth.required]"),
        (&folder, &["--url", "https//x", "users", "list-users"], 78, "[client.url]"),
        (&folder, &["--profile", "x", "users", "list-users"], 78, "There are: 127.0.0.1:"),
    ] {
        let output = run(config.path(), words, "");
        let text = told(&output);
        assert_eq!(output.status.code(), Some(status), "{words:?}: {text}");
        assert!(text.contains(said), "{words:?}: {text}");
        assert_eq!(out(&output), "", "{words:?}");
    }
}

#[test]
fn what_is_said_in_words_is_done() {
    let folder = TempDir::new().unwrap();
    let node = signed_in(&folder);
    let ok = |words: &[&str]| {
        let output = run(folder.path(), words, "");
        assert!(output.status.success(), "{words:?}: {}", told(&output));
        out(&output)
    };
    for (code, kind) in [("cash", "asset"), ("wallets/ada", "liability")] {
        ok(&["ledger", "create-account", "--code", code, "--currency", "EUR", "--kind", kind]);
    }
    let transfer = ["ledger", "create-transfer", "--debit", "cash", "--credit", "wallets/ada"];
    let transfer = [transfer.as_slice(), &["--amount", "11.77EUR", "--key", "once"]].concat();
    assert_eq!(ok(&transfer), ok(&transfer), "a key keeps it from happening twice");
    let balance: Value =
        serde_json::from_str(&ok(&["ledger", "get-balance", "wallets/ada"])).unwrap();
    assert_eq!(balance["balance"], json!({"amount": "1177", "currency": "EUR"}));
    let table = ok(&["ledger", "list-accounts", "-o", "table"]);
    assert!(table.starts_with("ID ") && table.contains("11.77 EUR"), "{table}");
    let all = ["ledger", "list-accounts", "--all", "--page-size", "1", "-o", "json"];
    let all: Value = serde_json::from_str(&ok(&all)).unwrap();
    assert_eq!(all["accounts"].as_array().unwrap().len(), 2);
    assert_eq!(all["nextPageToken"], json!(null));
    let help = ok(&["ledger", "create-transfer", "--help"]);
    assert!(help.contains("stoa ledger create-transfer "), "an example: {help}");
    let after = ["--json", "{\"filter\":{}}", "system", "follow-events"];
    assert_eq!(run(folder.path(), &after, "").status.code(), Some(64), "that is of a method");
    drop(node);
}

#[test]
fn a_dry_run_tells_and_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let node = signed_in(&folder);
    let json = |words: &[&str]| {
        let output = run(folder.path(), words, "");
        assert!(output.status.success(), "{words:?}: {}", told(&output));
        serde_json::from_str::<Value>(&out(&output)).unwrap()
    };
    let account =
        ["ledger", "create-account", "--code", "a", "--currency", "EUR", "--kind", "asset"];
    let dry = json(&[account.as_slice(), &["--dry-run"]].concat());
    assert_eq!(dry["reply"]["account"]["code"], "a");
    assert_eq!(dry["dryRun"]["rows"]["ledger_account"], 1);
    assert_eq!(dry["dryRun"]["events"]["ledger.account"], 1);
    let gone = run(folder.path(), &["ledger", "get-account", "a"], "");
    assert_eq!(gone.status.code(), Some(66), "{}", out(&gone));

    // The same word on REST.
    let request = Request {
        method: "POST".to_owned(),
        path: "/v1/ledger/accounts".to_owned(),
        headers: Vec::new(),
        body: br#"{"code":"a","currency":"EUR","kind":"ACCOUNT_KIND_ASSET"}"#.to_vec(),
    };
    let token = out(&run(folder.path(), &["profile", "token"], ""));
    let request = request.with("authorization", &format!("Bearer {}", token.trim()));
    let request = request.with("content-type", "application/json").with("stoa-dry-run", "true");
    let answer = request.send(node.address);
    let header: Value = serde_json::from_str(answer.header("stoa-dry-run").unwrap()).unwrap();
    assert_eq!((answer.status, &header), (200, &dry["dryRun"]));
    assert!(answer.header("stoa-position").is_none());

    let me = json(&["ledger", "create-account", "--explain"]);
    assert_eq!(me["allowed"], true);
    assert_eq!(
        (&me["permission"], &me["kind"]),
        (&json!("ledger.accounts.create"), &json!("command"))
    );
    let key = json(&["auth", "create-api-key", "--name", "k", "--permissions", "system.*"]);
    let token = key["token"].as_str().unwrap();
    let not = json(&["--token", token, "ledger", "create-account", "--explain"]);
    assert_eq!((&not["allowed"], &not["reason"]), (&json!(null), &json!("auth.permission_denied")));
}

#[test]
fn a_profile_is_its_owners_alone_and_its_token_its_nodes() {
    let folder = TempDir::new().unwrap();
    let node = signed_in(&folder);
    let file = folder.path().join("stoa/profiles.toml");
    let mode = |file: &Path| std::fs::metadata(file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    let name = node.url().replace("http://", "");
    let list = run(folder.path(), &["profile", "list"], "");
    assert_eq!(out(&list), format!("* {name}  {}\n", node.url()));
    let who = run(folder.path(), &["auth", "who-am-i"], "");
    assert!(out(&who).contains("user:usr_"), "{}", told(&who));

    // Somebody else at the same place under another name is no node of this profile.
    let other = node.url().replace("127.0.0.1", "localhost");
    let elsewhere = run(folder.path(), &["--url", &other, "auth", "who-am-i"], "");
    assert_eq!(elsewhere.status.code(), Some(77), "{}", told(&elsewhere));

    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    let readable = run(folder.path(), &["auth", "who-am-i"], "");
    assert_eq!(readable.status.code(), Some(78));
    assert!(told(&readable).contains("chmod 600"), "{}", told(&readable));
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();

    let token = run(folder.path(), &["profile", "token"], "");
    let token = out(&token).trim().to_owned();
    assert!(run(folder.path(), &["logout"], "").status.success());
    let after = run(folder.path(), &["--token", &token, "auth", "who-am-i"], "");
    assert!(
        told(&after).contains("[auth.token_invalid]"),
        "the session has ended: {}",
        told(&after)
    );
    assert!(!std::fs::read_to_string(&file).unwrap().contains(&token));
    let wrong = run(folder.path(), &["login", "--login", "ada"], "wrong\n");
    assert_eq!(wrong.status.code(), Some(77), "{}", told(&wrong));
    let again = run(folder.path(), &["login", "--login", "ada"], "correct horse battery\n");
    assert!(again.status.success(), "the node is that of the profile: {}", told(&again));
}

#[test]
fn a_lost_connection_is_asked_again_under_the_same_key() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let keys = std::thread::spawn(move || {
        let mut keys = Vec::new();
        for nth in 0..2 {
            let (mut peer, _) = listener.accept().unwrap();
            let (head, _) = head_and_body(&peer);
            keys.push(
                head.lines().find(|line| line.starts_with("idempotency-key")).map(str::to_owned),
            );
            // The first one is let down after all of it was read.
            if nth == 1 {
                peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
            }
        }
        keys
    });
    let folder = TempDir::new().unwrap();
    let words = ["--url", &url, "--token", "t", "users", "disable-user", "usr_1"];
    let output = run(folder.path(), &words, "");
    assert!(output.status.success(), "{}", told(&output));
    let keys = keys.join().unwrap();
    assert!(keys[0].is_some() && keys[0] == keys[1], "{keys:?}");
}

fn head_and_body(peer: &std::net::TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(peer);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        head += &line.to_lowercase();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (head, body)
}

#[test]
fn who_is_new_is_told_what_to_try() {
    let folder = TempDir::new().unwrap();
    let first = run(folder.path(), &[], "");
    assert!(
        out(&first).contains("stoa up") && out(&first).contains("stoa login"),
        "{}",
        out(&first)
    );
    let help = out(&run(folder.path(), &["--help"], ""));
    for service in stoa::Catalogue::standard().services(&[]).unwrap() {
        assert!(help.contains(&format!("\n  {} ", service.name)), "{}: {help}", service.name);
    }
}

/// What bash offers at the end of a line, asked as bash asks.
fn offered(script: &str, words: &str) -> String {
    let line = words.split(' ').map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
    let asked = format!(
        "{script}\nCOMP_WORDS=({line}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))\n\
         _stoa stoa \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD - 1]}}\"\n\
         echo \"${{COMPREPLY[*]}}\"\n"
    );
    let mut bash = std::process::Command::new("bash");
    let mut bash = bash.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(asked.as_bytes()).unwrap();
    out(&bash.wait_with_output().unwrap()).trim().to_owned()
}

#[test]
fn shells_complete_commands_options_and_words() {
    let folder = TempDir::new().unwrap();
    let script = out(&run(folder.path(), &["completion", "bash"], ""));
    for (words, wanted) in [
        ("stoa led", "ledger"),
        ("stoa ledger create-t", "create-transfer"),
        ("stoa -o json ledger get-bal", "get-balance"),
        ("stoa ledger create-transfer --cred", "--credit"),
        ("stoa ledger create-account --kind ", "asset liability equity income expense"),
        ("stoa ledger get-balance --wat", "--watch"),
    ] {
        assert_eq!(offered(&script, words), wanted, "{words}");
    }
    for shell in ["zsh", "fish"] {
        assert!(out(&run(folder.path(), &["completion", shell], "")).contains("create-transfer"));
    }
}
