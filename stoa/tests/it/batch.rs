//! Calls of several services in one commit, by a caller who may some of it.

use serde_json::{Value, json};
use stoa_contract::Format;
use stoa_kit::{Caller, Result, Service};
use stoa_node::Body;
use stoa_testkit::{Node, both};

fn services() -> Vec<Service> {
    stoa::Catalogue::standard().services(&[]).unwrap()
}

async fn batch(node: &Node, caller: &Caller, key: Option<&str>, calls: Value) -> Result<Value> {
    let path = "stoa.system.v1.SystemService/Batch";
    let request = json!({"calls": calls}).to_string();
    let bound = node.inner().registry().find(path)?;
    let request = bound.decode_request(request.as_bytes(), Format::Json)?;
    let answer = node.dispatch(path, caller, "127.0.0.1", key, request).await?;
    let Body::Message(reply) = answer.body else { panic!("it streams") };
    Ok(serde_json::from_slice(&reply.encode(Format::Json)?).unwrap())
}

fn account(code: &str, owner: &str) -> Value {
    let request = json!({"code": code, "ownerId": owner, "currency": "EUR", "kind": "ACCOUNT_KIND_LIABILITY"});
    json!({"method": "ledger.CreateAccount", "request": request})
}

both! {
    async fn a_product_and_its_account_are_there_together_or_not_at_all(node: Node) {
        let product = |title: &str| json!({"method": "catalog.CreateProduct", "request": {"title": title}});
        let calls = json!([product("Tea"), account("tea/sales", "")]);
        let made = batch(&node, &node.admin(), Some("k"), calls.clone()).await.unwrap();
        assert_eq!(made["replies"][1]["account"]["code"], "tea/sales");
        let again = batch(&node, &node.admin(), Some("k"), calls).await.unwrap();
        assert_eq!(again, made, "under one key it is one");
        let calls = json!([product("Coffee"), account("tea/sales", "")]);
        let taken = batch(&node, &node.admin(), None, calls).await.unwrap_err();
        assert_eq!(taken.reason(), "ledger.account_exists");
        let list = json!([{"method": "catalog.ListProducts"}]);
        let listed = batch(&node, &node.admin(), None, list).await.unwrap();
        let titles = listed["replies"][0]["products"].as_array().unwrap();
        assert_eq!(titles.len(), 1, "{titles:?}");
    }
}

both! {
    async fn nobody_may_more_in_a_batch_than_by_itself(node: Node) {
        let calls = json!([account("wallets/ada", "usr_ada"), account("wallets/bob", "usr_bob")]);
        batch(&node, &node.admin(), None, calls).await.unwrap();
        let get = |code: &str| json!({"method": "ledger.GetAccount", "request": {"account": code}});
        let ada = node.user("usr_ada");
        batch(&node, &ada, None, json!([get("wallets/ada")])).await.unwrap();
        for (calls, reason) in [
            (json!([get("wallets/bob")]), "resource.not_found"),
            (json!([account("wallets/eve", "usr_eve")]), "auth.permission_denied"),
            (json!([{"method": "users.SetAdministrator"}]), "node.no_such_method"),
        ] {
            assert_eq!(batch(&node, &ada, None, calls).await.unwrap_err().reason(), reason);
        }
        let bob = json!([{"method": "users.CreateUser", "request": {"handle": "bob", "email": "bob@example.com"}}]);
        let made = batch(&node, &node.admin(), None, bob).await.unwrap();
        let id = &made["replies"][0]["user"]["id"];
        let rename = json!([{"method": "users.UpdateUser", "request": {"id": id, "displayName": "Eve"}}]);
        let sees_all = node.user_with("usr_ada", &["users.users.read_all"]);
        let error = batch(&node, &sees_all, None, rename).await.unwrap_err();
        assert_eq!(error.reason(), "users.not_yours", "what a service may do for others is not lent");
        let found = Caller { proof: None, ..node.user_with("usr_ada", &["auth.*"]) };
        let reset = json!([{"method": "auth.ResetFactors", "request": {"userId": "usr_bob"}}]);
        let error = batch(&node, &found, None, reset).await.unwrap_err();
        assert_eq!(error.reason(), "auth.step_up_required");
    }
}
