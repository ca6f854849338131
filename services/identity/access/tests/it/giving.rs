//! Nobody gives what they lack.

use stoa_access_v1::*;
use stoa_kit::v1::HttpRequest;
use stoa_kit::{Caller, Code};
use stoa_testkit::{Node, both};

use super::rules::{put, rule};
use super::{GROUPS, model, relations, services, write};

const SHARED: &str = "
    model
      schema 1.1
    type user
    type folder
      relations
        define viewer: [user]
    type document
      relations
        define folder: [folder]
        define blocked: [user]
        define owner: [user]
        define viewer: ([user] or owner or viewer from folder) but not blocked
    ";

/// Somebody who may write, and gives no more than they have.
fn writer(node: &Node, id: &str) -> Caller {
    node.user_with(id, &["access.relations.write", "access.rules.write", "access.fga.serve"])
}

async fn gives(node: &Node, caller: &Caller, writes: &[&str], deletes: &[&str]) -> bool {
    let (writes, deletes) = (relations(writes), relations(deletes));
    let request = WriteRelationsRequest { writes, deletes, ..WriteRelationsRequest::default() };
    match node.call(caller, request).await {
        Ok(_) => true,
        Err(error) => {
            assert_eq!((error.code(), error.reason()), (Code::PermissionDenied, "access.not_held"));
            false
        }
    }
}

async fn rules(node: &Node, caller: &Caller, writes: &[AccessRule], deletes: &[&str]) -> bool {
    let deletes = deletes.iter().map(|name| (*name).to_owned()).collect();
    let request = WriteRulesRequest { writes: writes.to_vec(), deletes };
    match node.call(caller, request).await {
        Ok(_) => true,
        Err(error) => {
            assert_eq!((error.code(), error.reason()), (Code::PermissionDenied, "access.not_held"));
            false
        }
    }
}

both! {
    async fn nobody_gives_what_they_lack(node: Node) {
        model(&node, SHARED).await.unwrap();
        write(&node, &["document:plan#owner@user:ada", "folder:a#viewer@user:bob", "document:memo#owner@user:bob"], &[]).await.unwrap();
        let (ada, bob) = (writer(&node, "ada"), writer(&node, "bob"));
        assert!(gives(&node, &ada, &["document:plan#viewer@user:eve"], &[]).await);
        assert!(gives(&node, &ada, &["document:plan#owner@user:bob"], &[]).await, "it is hers to share");
        assert!(!gives(&node, &ada, &["document:memo#viewer@user:ada"], &[]).await, "not to herself either");
        assert!(!gives(&node, &ada, &["document:plan#viewer@user:eve", "document:memo#viewer@user:eve"], &[]).await);
        assert!(!gives(&node, &writer(&node, "eve"), &["document:plan#owner@user:eve"], &[]).await);
        // A folder gives all who see it what the document gives: that takes what follows, not the folder.
        assert!(gives(&node, &bob, &["document:memo#folder@folder:a"], &[]).await);
        assert!(!gives(&node, &ada, &["document:memo#folder@folder:b"], &[]).await);
        // To take away is no gift, but to let go of what takes away is.
        assert!(gives(&node, &ada, &["document:plan#blocked@user:eve"], &[]).await);
        assert!(!gives(&node, &ada, &[], &["document:plan#blocked@user:eve"]).await);
        assert!(gives(&node, &ada, &[], &["document:plan#viewer@user:eve"]).await);
        // Who is blocked has it no more, whatever is written.
        write(&node, &["document:memo#blocked@user:bob"], &[]).await.unwrap();
        assert!(!gives(&node, &bob, &["document:memo#viewer@user:eve"], &[]).await);
        // Whoever may give anything does, and the type of a service account is not even in the model.
        assert!(!gives(&node, &node.account_with("svc_1", &["access.relations.write"]), &["document:memo#viewer@user:eve"], &[]).await);
        let free = node.account_with("svc_1", &["access.relations.write", "access.grants.write_all"]);
        assert!(gives(&node, &free, &["document:memo#viewer@user:eve"], &["document:memo#blocked@user:bob"]).await);
    }

    async fn nobody_gives_by_way_of_openfga_what_they_lack(node: Node) {
        model(&node, SHARED).await.unwrap();
        write(&node, &["document:plan#owner@user:ada"], &[]).await.unwrap();
        let ask = async |caller: &Caller, verb: &str, path: String, object: &str| {
            let key = format!(r#"{{"user":"user:eve","relation":"viewer","object":"{object}"}}"#);
            let body = format!(r#"{{"writes":{{"tuple_keys":[{key}]}}}}"#);
            let http = HttpRequest { method: verb.into(), path, body: body.into(), ..HttpRequest::default() };
            let answer = node.call(caller, ServeFgaRequest { http: http.into() }).await.unwrap().http;
            (answer.status, String::from_utf8(answer.body.clone()).unwrap())
        };
        let ada = writer(&node, "ada");
        let (_, stores) = ask(&ada, "GET", "/fga/stores".into(), "").await;
        let store = stores.split(r#""id":""#).nth(1).unwrap().split('"').next().unwrap();
        let path = || format!("/fga/stores/{store}/write");
        assert_eq!(ask(&ada, "POST", path(), "document:plan").await.0, 200);
        let (status, told) = ask(&ada, "POST", path(), "document:memo").await;
        assert_eq!(status, 403, "{told}");
    }

    async fn nobody_allows_by_a_rule_what_they_lack(node: Node) {
        model(&node, GROUPS).await.unwrap();
        write(&node, &["group:a#member@user:ada"], &[]).await.unwrap();
        put(&node, &[rule("out", Effect::Deny, 9, "user:eve", "group:a"), rule("far", Effect::Deny, 9, "user:eve", "group:*")], &[]).await.unwrap();
        let (ada, bob) = (writer(&node, "ada"), writer(&node, "bob"));
        let allow = |object: &str| [rule("new", Effect::Allow, 1, "user:bob", object)];
        assert!(!rules(&node, &bob, &allow("group:a"), &[]).await);
        assert!(rules(&node, &ada, &allow("group:a"), &[]).await);
        assert!(!rules(&node, &ada, &allow("group:b"), &[]).await);
        assert!(!rules(&node, &ada, &allow("group:*"), &[]).await, "nobody has what is not there yet");
        let any = [AccessRule { relation: "*".into(), ..rule("any", Effect::Allow, 1, "user:bob", "group:a") }];
        assert!(!rules(&node, &ada, &any, &[]).await);
        // One that denies can be written, but not be taken away or replaced by whoever lacks it.
        assert!(rules(&node, &writer(&node, "cy"), &[rule("less", Effect::Deny, 0, "user:zoe", "group:*")], &[]).await);
        assert!(!rules(&node, &writer(&node, "cy"), &[], &["out"]).await);
        let milder = [rule("out", Effect::Deny, -9, "user:eve", "group:a")];
        assert!(!rules(&node, &writer(&node, "cy"), &milder, &[]).await);
        assert!(!rules(&node, &ada, &[], &["far"]).await);
        assert!(rules(&node, &ada, &[], &["out"]).await);
        assert!(rules(&node, &writer(&node, "cy"), &[], &["new"]).await, "to allow less is no gift");
    }
}
