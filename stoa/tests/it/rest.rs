//! REST, on a node that runs: what it adds to a reply, and who may ask for what.

use serde_json::json;
use stoa_contract::{Permission, Segment};
use tempfile::TempDir;

use crate::http::Request;
use crate::process::Node;

fn get(token: &str, path: &str) -> Request {
    let request = Request {
        method: "GET".to_owned(),
        path: path.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    match token {
        "" => request,
        token => request.with("authorization", &format!("Bearer {token}")),
    }
}

#[test]
fn a_resource_is_read_and_changed_by_its_etag() {
    let folder = TempDir::new().unwrap();
    let mut node = Node::start(&folder.path().join("data"), &[]);
    let (token, address) = (node.set_up(), node.address);
    let users = get(&token, "/v1/users").send(address).ok();
    let path = format!("/v1/users/{}", users["users"][0]["id"].as_str().unwrap());
    let read = get(&token, &path).send(address);
    let etag = read.header("etag").unwrap().to_owned();
    assert_eq!(etag, format!("\"{}\"", read.ok()["user"]["etag"].as_str().unwrap()));
    let again = get(&token, &path).with("if-none-match", &etag).send(address);
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), Some(etag.as_str()));
    let change = |etag: &str, body: serde_json::Value| {
        let request = get(&token, &path).by("PATCH").with("content-type", "application/json");
        request.with("if-match", etag).body(body.to_string()).send(address)
    };
    let changed = change(&etag, json!({"displayName": "Ada"}));
    assert_eq!(changed.ok()["user"]["displayName"], "Ada");
    assert_ne!(changed.header("etag"), Some(etag.as_str()));
    let late = change(&etag, json!({"displayName": "Eve"}));
    assert_eq!((late.status, &late.json()["reason"]), (412, &json!("request.etag")));
    let emptied = change("*", json!({"displayName": ""})).ok();
    assert_eq!(emptied["user"]["displayName"], json!(null), "what is sent is changed, to nothing");
}

#[test]
fn a_reply_says_what_is_left_and_a_page_may_read_it() {
    let folder = TempDir::new().unwrap();
    let settings = ["--anonymous-per-second", "3", "--cors-origins", "https://shop.example"];
    let node = Node::start(&folder.path().join("data"), &settings);
    let setup = || get("", "/v1/auth/setup").with("origin", "https://shop.example");
    let first = setup().send(node.address);
    assert_eq!(first.header("ratelimit-policy"), Some("\"calls\";q=3;w=1"));
    assert!(first.header("ratelimit").unwrap().starts_with("\"calls\";r=2;t="), "{first:?}");
    assert_eq!(first.header("access-control-allow-origin"), Some("https://shop.example"));
    assert!(first.header("access-control-expose-headers").unwrap().contains("ratelimit"));
    let refused = (0..100).map(|_| setup().send(node.address)).find(|said| said.status != 200);
    let refused = refused.expect("nobody has three calls a second for ever");
    assert_eq!((refused.status, &refused.json()["reason"]), (429, &json!("node.rate")));
    assert_eq!(refused.header("retry-after"), Some("1"));
}

#[test]
fn nobody_is_told_what_is_not_for_everybody() {
    let folder = TempDir::new().unwrap();
    let node = Node::start(&folder.path().join("data"), &["--anonymous-per-second", "0"]);
    let services = stoa::Catalogue::standard().services(&[]).unwrap();
    let contracts = services.iter().filter_map(|service| service.contract);
    let mut asked = 0;
    for method in contracts.flat_map(|contract| contract.methods) {
        for binding in method.http {
            let segments = binding.segments.iter().map(|segment| match segment {
                Segment::Word(word) => format!("/{word}"),
                Segment::One | Segment::Rest => "/x".to_owned(),
            });
            let verb = if binding.verb.is_empty() { "" } else { ":" };
            let path = format!("{}{verb}{}", segments.collect::<String>(), binding.verb);
            let said = get("", &path).by(binding.http_method).send(node.address);
            let reason = if said.status == 200 { json!("") } else { said.json()["reason"].clone() };
            match method.permission {
                Permission::Public => assert_ne!(reason, "auth.required", "{path}"),
                _ => assert_eq!((said.status, reason), (401, json!("auth.required")), "{path}"),
            }
            asked += 1;
        }
    }
    assert!(asked > 70, "{asked} bindings");
}
