//! Clients of OpenFGA: what they may, and how they are refused. `stoa/tests/it/fga.mjs` and `fga.py` are two.

use stoa_access_v1::*;
use stoa_kit::Caller;
use stoa_kit::v1::HttpRequest;
use stoa_testkit::{Node, both};

use super::{GROUPS, model, question, relation_of, services, write};

/// The status of an answer, and its body.
async fn ask(node: &Node, caller: &Caller, verb: &str, path: &str, body: &str) -> (i32, String) {
    let http = HttpRequest {
        method: verb.into(),
        path: format!("/fga/{path}"),
        body: body.into(),
        ..HttpRequest::default()
    };
    let answer = node.call(caller, ServeFgaRequest { http: http.into() }).await.unwrap().http;
    (answer.status, String::from_utf8(answer.body.clone()).unwrap())
}

/// The path of the tenant's store, which every client asks for first.
async fn store(node: &Node) -> String {
    let (_, told) = ask(node, &node.admin(), "GET", "stores", "").await;
    let id = told.split(r#""id":""#).nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(id.len(), 26, "{told}");
    format!("stores/{id}")
}

const CHECK: &str = r#"{"tuple_key":{"user":"user:ada","relation":"member","object":"group:a"}}"#;

both! {
    async fn each_request_takes_the_permission_of_what_it_stands_for(node: Node) {
        let store = store(&node).await;
        model(&node, GROUPS).await.unwrap();
        let may = ["access.fga.serve", "access.decisions.check"];
        let caller = node.account_with("svc_1", &may);
        assert_eq!(ask(&node, &caller, "POST", &format!("{store}/check"), CHECK).await.0, 200);
        let user = r#"{"user":"user:ada","relation":"member","type":"group"}"#;
        for (path, body) in [
            ("read", "{}"),
            ("write", r#"{"writes":{"tuple_keys":[]}}"#),
            ("list-objects", user),
            ("authorization-models", r#"{"schema_version":"1.1","type_definitions":[]}"#),
        ] {
            let (status, told) = ask(&node, &caller, "POST", &format!("{store}/{path}"), body).await;
            assert_eq!(status, 403, "{path}: {told}");
            assert!(told.starts_with(r#"{"code":"forbidden","message":"#), "{told}");
        }
    }

    async fn a_store_of_somebody_else_is_none(node: Node) {
        let store = store(&node).await;
        let other = store.replace(|letter: char| letter.is_ascii_digit(), "Z");
        for (path, status, code) in [
            (&*other, 404, "store_id_not_found"),
            ("nonsense", 404, "undefined_endpoint"),
            (&*format!("{store}/expand"), 404, "undefined_endpoint"),
            (&*format!("{store}/check"), 400, "latest_authorization_model_not_found"),
        ] {
            let (said, told) = ask(&node, &node.admin(), "POST", path, CHECK).await;
            assert_eq!(said, status, "{path}: {told}");
            assert!(told.contains(code), "{path}: {told}");
        }
        let (status, told) = ask(&node, &node.admin(), "DELETE", &store, "").await;
        assert!(status == 400 && told.contains("the tenant's"), "{status} {told}");
    }

    async fn a_decision_follows_the_model_that_is_named(node: Node) {
        let old = model(&node, GROUPS).await.unwrap();
        write(&node, &["group:a#member@group:b#member", "group:b#member@user:ada"], &[]).await.unwrap();
        let narrow = GROUPS.replace("[user, user:*, group#member]", "[user, user:*]");
        model(&node, &narrow).await.unwrap();
        for (model_id, allowed) in [("", false), (&*old, true)] {
            let check = CheckRequest { model_id: model_id.into(), ..question("group:a", "member", "user:ada") };
            assert_eq!(node.call(&node.admin(), check).await.unwrap().allowed, allowed, "{model_id}");
        }
        let check = CheckRequest { model_id: "mdl_none".into(), ..question("group:a", "member", "user:ada") };
        assert_eq!(node.fails(&node.admin(), check).await.reason(), "resource.not_found");
    }

    async fn who_wants_only_what_is_new_changes_nothing_where_it_is_not(node: Node) {
        model(&node, GROUPS).await.unwrap();
        let relation = |user: &str| relation_of("group:a", "member", user);
        write(&node, &["group:a#member@user:ada"], &[]).await.unwrap();
        let twice = WriteRelationsRequest {
            writes: vec![relation("user:bob"), relation("user:ada")],
            only_new: true,
            ..WriteRelationsRequest::default()
        };
        assert_eq!(node.fails(&node.admin(), twice).await.reason(), "access.relation_exists");
        let missing = WriteRelationsRequest {
            deletes: vec![relation("user:ada"), relation("user:bob")],
            only_there: true,
            ..WriteRelationsRequest::default()
        };
        assert_eq!(node.fails(&node.admin(), missing).await.reason(), "access.relation_missing");
        let kept = node.call(&node.admin(), ListRelationsRequest::default()).await.unwrap().relations;
        assert_eq!(kept.iter().map(|it| &*it.user).collect::<Vec<_>>(), ["user:ada"]);
    }
}
