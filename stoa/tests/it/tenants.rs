//! A second tenant of a node, as whoever runs it and whoever uses it meet it.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{Answer, Request};
use crate::process::{Node, stoa};

const PASSWORD: &str = "correct horse battery";

fn refused(answer: &Answer) -> (u16, String) {
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    (answer.status, body["details"][0]["debug"]["reason"].as_str().unwrap().to_owned())
}

#[test]
fn a_tenant_is_made_set_up_and_reached_by_its_host() {
    let directory = TempDir::new().unwrap();
    let mut node = Node::start(directory.path(), &[]);
    let main = node.set_up();
    let acme = json!({"name": "acme", "hosts": ["acme.example.com"]});
    let made = node.call(&main, "system", "CreateTenant", &acme).ok();
    let code = made["setupCode"].as_str().unwrap();
    let set_up = ["--url", &node.url(), "--tenant", "acme", "auth", "set-up", "--code", code];
    let ada = ["--handle", "ada", "--email", "ada@example.com", "--password", PASSWORD];
    let output = stoa(&[set_up.as_slice(), &ada].concat()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    // The same handle and password are two people, by where they sign in.
    let login = json!({"login": "ada", "password": PASSWORD});
    let sign_in = Request::call("", "auth", "SignIn", &login).with("host", "acme.example.com:8080");
    let token = sign_in.send(node.address).ok()["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("stoa_s_acme_"), "{token}");
    let who = |token: &str| Request::call(token, "auth", "WhoAmI", &json!({}));
    let (here, there) = (who(&main).send(node.address).ok(), who(&token).send(node.address).ok());
    assert_ne!(here["userId"], there["userId"]);
    let elsewhere = who(&main).with("host", "acme.example.com").send(node.address);
    assert_eq!(refused(&elsewhere), (403, "tenant.mismatch".to_owned()));

    // A proxy's clients are strangers to this machine.
    let forwarded = |request: Request| request.with("x-forwarded-for", "203.0.113.9");
    let named = forwarded(sign_in.with("host", "stoa").with("stoa-tenant", "acme"));
    assert_eq!(refused(&named.send(node.address)), (403, "tenant.header".to_owned()));
    let metrics = |token: &str| forwarded(who(token).by("GET").to("/metrics")).send(node.address);
    assert_eq!((metrics(&main).status, metrics(&token).status), (200, 403));

    node.call(&main, "system", "SuspendTenant", &json!({"name": "acme"})).ok();
    let stopped = who(&token).send(node.address);
    assert_eq!(refused(&stopped), (400, "tenant.suspended".to_owned()));
    who(&main).send(node.address).ok();
    node.call(&main, "system", "ResumeTenant", &json!({"name": "acme"})).ok();
    who(&token).send(node.address).ok();
}
