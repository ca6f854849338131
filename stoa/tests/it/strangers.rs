//! Who one is not, and what belongs to somebody else.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use stoa_auth_v1::CreateApiKeyRequest;
use stoa_kit::Micros;
use tempfile::TempDir;

use crate::process::{Node, PASSWORD, commits};
use crate::shop::Shop;

/// Calls in the name of a token's bearer are refused like this, and write nothing.
fn refused(node: &Node, directory: &Path, token: &str, reason: &str) {
    let before = commits(directory);
    let account = json!({"code": "cash", "currency": "EUR", "kind": "ACCOUNT_KIND_ASSET"});
    for (service, method, body) in
        [("ledger", "CreateAccount", &account), ("auth", "WhoAmI", &json!({}))]
    {
        let answer = node.call(token, service, method, body);
        assert_eq!((answer.status, &*answer.reason()), (401, reason), "{token}");
        assert_eq!(answer.json()["code"], "unauthenticated");
    }
    assert_eq!(commits(directory), before);
}

/// A key of the caller's own, which may do all that they may, and for how long.
fn key(node: &Node, token: &str, life: Duration) -> (String, String) {
    let end = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + life;
    let request = CreateApiKeyRequest {
        name: "nightly".to_owned(),
        permissions: vec!["*".to_owned()],
        expire_time: Micros(end.as_micros().try_into().unwrap()).timestamp(),
        ..Default::default()
    };
    let request = serde_json::to_value(request).unwrap();
    let made = node.call(token, "auth", "CreateApiKey", &request).ok();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["token"]), text(&made["apiKey"]["id"]))
}

#[test]
fn a_token_that_is_not_good_opens_nothing() {
    let directory = TempDir::new().unwrap();
    let mut node = Node::start(directory.path(), &[]);
    let token = node.set_up();
    let refused = |token: &str, reason| refused(&node, directory.path(), token, reason);
    refused("", "auth.required");
    refused(" ", "auth.malformed");
    let last = if token.ends_with('0') { "1" } else { "0" };
    let forged = token[..token.len() - 1].to_owned() + last;
    for token in [
        "x",
        "stoa_k_",
        "stoa_s_00",
        "stoa_s_main_00",
        "stoa_s_gone_00",
        "' OR 1=1 --",
        &"x".repeat(8_000),
        &forged,
    ] {
        refused(token, "auth.token_invalid");
    }

    let (revoked, id) = key(&node, &token, Duration::from_secs(600));
    node.call(&revoked, "auth", "WhoAmI", &json!({})).ok();
    node.call(&token, "auth", "RevokeApiKey", &json!({"id": id})).ok();
    refused(&revoked, "auth.token_invalid");

    let left = node.sign_in("ada", PASSWORD);
    node.call(&left, "auth", "SignOut", &json!({})).ok();
    refused(&left, "auth.token_invalid");

    let (expiring, _) = key(&node, &token, Duration::from_secs(2));
    let good = || node.call(&expiring, "auth", "WhoAmI", &json!({})).status == 200;
    assert!(good(), "it is good before it expires");
    while good() {
        std::thread::park_timeout(Duration::from_millis(50));
    }
    refused(&expiring, "auth.token_invalid");
    node.call(&token, "auth", "WhoAmI", &json!({})).ok();
}

/// A process that is stopped, as one is that waits for a disk which does not answer.
struct Stopped(String);

impl Stopped {
    fn new(pid: &str) -> Self {
        signal("-STOP", pid);
        Self(pid.to_owned())
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal("-CONT", &self.0);
    }
}

fn signal(name: &str, pid: &str) {
    assert!(Command::new("kill").args([name, pid]).status().unwrap().success());
}

#[test]
fn a_node_that_hears_nothing_of_others_believes_nothing_that_it_remembers() {
    const FOLLOWER: &str = "SELECT string_agg(pid::text, '') FROM pg_stat_activity \
         WHERE datname = current_database() AND query LIKE 'SELECT pg_current_snapshot()%UNION%'";
    let database = stoa_testkit::postgres::shared();
    let directory = TempDir::new().unwrap();
    let flags = ["--database", database.url()];
    let mut deaf = Node::start(directory.path(), &flags);
    let token = deaf.set_up();
    let good = |node: &Node| node.call(&token, "auth", "WhoAmI", &json!({})).status == 200;
    assert!(good(&deaf));
    let pid = database.text(FOLLOWER).unwrap();
    let other = Node::start(directory.path(), &flags);
    let _stopped = Stopped::new(&pid);
    assert!(good(&deaf), "what it can still ask is enough");
    other.call(&token, "auth", "SignOut", &json!({})).ok();
    let since = Instant::now();
    while good(&deaf) {
        assert!(since.elapsed() < Duration::from_secs(5), "a token that was revoked is taken");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

#[test]
fn what_belongs_to_somebody_else_looks_like_nothing() {
    let directory = TempDir::new().unwrap();
    let shop = Shop::open(directory.path());
    let (node, ada, eve) = (&shop.node, &shop.ada, &shop.eve);
    let me = node.call(ada, "auth", "WhoAmI", &json!({})).ok();
    let (user, session) = (me["userId"].clone(), me["credentialId"].clone());
    let cart = json!({"currency": "EUR", "lines": [{"sku": "CD", "quantity": 1}]});
    let order = node.call(ada, "orders", "PlaceOrder", &cart).ok()["order"]["id"].clone();
    let inbox = shop.list(ada, ("notify", "ListInbox", "notifications"), &json!({}));
    let account = json!(format!("customers/{}", user.as_str().unwrap()));

    let before = commits(directory.path());
    for (service, method, field, id) in [
        ("orders", "GetOrder", "id", &order),
        ("orders", "CancelOrder", "id", &order),
        ("users", "GetUser", "id", &user),
        ("users", "UpdateUser", "id", &user),
        ("auth", "RevokeSession", "id", &session),
        ("notify", "MarkRead", "id", &inbox[0]["id"]),
        ("ledger", "GetAccount", "account", &account),
    ] {
        let theirs = node.call(eve, service, method, &json!({field: id}));
        // The answer is the same as for one that nobody has.
        let none = format!("{}~", id.as_str().unwrap());
        let none = node.call(eve, service, method, &json!({field: none}));
        assert_eq!((theirs.status, &*theirs.reason()), (404, "resource.not_found"), "{method}");
        assert_eq!((none.status, &*none.reason()), (404, "resource.not_found"), "{method}");
    }
    for (list, by) in [
        (("orders", "ListOrders", "orders"), json!({"customer_id": user})),
        (("auth", "ListSessions", "sessions"), json!({"user_id": user})),
        (("ledger", "ListAccounts", "accounts"), json!({"owner_id": user})),
    ] {
        let seen = |who: &str, by: &Value| {
            let rows = shop.list(who, list, by);
            rows.as_array().map_or(0, Vec::len)
        };
        assert!(seen(&shop.admin, &by) > 0, "{list:?}: whoever may see all sees it");
        assert_eq!(seen(eve, &by), 0, "{list:?}");
    }
    assert_eq!(shop.list(eve, ("notify", "ListInbox", "notifications"), &json!({})), Value::Null);
    assert_eq!(commits(directory.path()), before, "something was written");
    node.call(ada, "orders", "GetOrder", &json!({"id": order})).ok();
}
