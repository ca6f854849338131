//! Clients of Confluent's Schema Registry, and one that others wrote.

use std::process::Command;

use serde_json::{Value, json};
use stoa_auth_v1::{CreateApiKeyRequest, CreateServiceAccountRequest};
use stoa_kit::v1::HttpRequest;
use stoa_kit::{Caller, Service};
use stoa_schemas_v1::ServeRegistryRequest;
use stoa_testkit::{Engine, Node, both};

use crate::services;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tools");

/// The status of an answer, and its body.
async fn ask(node: &Node, caller: &Caller, verb: &str, path: &str, body: Value) -> (i32, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let http = HttpRequest {
        method: verb.into(),
        path: format!("/schema-registry/{path}"),
        query: query.into(),
        body: body.to_string().into(),
        ..HttpRequest::default()
    };
    let answer = node.call(caller, ServeRegistryRequest { http: http.into() }).await.unwrap().http;
    let kind = answer.headers.iter().find(|header| header.name == "content-type").unwrap();
    assert_eq!(kind.value, "application/vnd.schemaregistry.v1+json");
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

fn schema(text: &Value) -> Value {
    json!({"schema": text.to_string(), "schemaType": "JSON"})
}

both! {
    async fn requests_are_answered_with_the_codes_of_confluent(node: Node) {
        let admin = node.admin();
        let [one, two] = [json!({"type": "integer"}), json!({"type": "number"})].map(|text| schema(&text));
        let none = || Value::Null;
        let of = json!({"schema": two["schema"], "schemaType": "JSON", "references": [{"name": "a"}]});
        let told = |code: i32| json!({"error_code": code});
        for (verb, path, body, status, part) in [
            ("GET", "subjects", none(), 200, json!([])),
            ("GET", "schemas/types", none(), 200, json!(["JSON"])),
            ("GET", "mode", none(), 200, json!({"mode": "READWRITE"})),
            ("POST", "subjects/a%2Fb/versions", one.clone(), 200, json!({"id": 1, "version": 1})),
            ("GET", "subjects", none(), 200, json!(["a/b"])),
            ("GET", "schemas/ids/1", none(), 200, json!({"schema": one["schema"]})),
            ("GET", "schemas/ids/1/schema", none(), 200, json!({"type": "integer"})),
            ("GET", "schemas/ids/1/versions", none(), 200, json!([{"subject": "a/b", "version": 1}])),
            ("GET", "subjects/a%2Fb/versions/latest/schema", none(), 200, json!({"type": "integer"})),
            ("GET", "subjects/a%2Fb/versions/0", none(), 422, told(42202)),
            ("GET", "subjects/a%2Fb/versions/first", none(), 422, told(42202)),
            ("GET", "subjects/none/versions/1", none(), 404, told(40401)),
            ("GET", "subjects/none/versions", none(), 404, told(40401)),
            ("POST", "subjects/a%2Fb/versions", json!({"schema": "{}"}), 422, told(42201)),
            ("POST", "subjects/a%2Fb/versions", of, 422, told(42201)),
            ("POST", "subjects/a%2Fb/versions", json!({"schema": "", "schemaType": "JSON"}), 422, told(42201)),
            ("POST", "compatibility/subjects/a%2Fb/versions/latest", two.clone(), 200, json!({"is_compatible": true})),
            ("POST", "compatibility/subjects/a%2Fb/versions/7", two.clone(), 404, told(40402)),
            ("POST", "compatibility/subjects/none/versions/latest", two.clone(), 404, told(40401)),
            ("PUT", "config", json!({"compatibility": "FULL"}), 200, json!({"compatibility": "FULL"})),
            (
                "POST",
                "compatibility/subjects/a%2Fb/versions?verbose=true",
                two.clone(),
                200,
                json!({"messages": ["{errorType:\"TYPE_NARROWED\", path:\"#/type\", oldSchemaVersion:1}"]}),
            ),
            ("POST", "subjects/a%2Fb/versions", two, 409, told(409)),
            ("GET", "config/a%2Fb", none(), 404, told(40408)),
            ("GET", "config/a%2Fb?defaultToGlobal=true", none(), 200, json!({"compatibilityLevel": "FULL"})),
            ("PUT", "config/a%2Fb", json!({"compatibility": "ANY"}), 422, told(42203)),
            ("DELETE", "config/a%2Fb", none(), 404, told(40408)),
            ("DELETE", "config", none(), 200, json!({"compatibilityLevel": "FULL"})),
            ("DELETE", "subjects/a%2Fb", none(), 200, json!([1])),
            ("GET", "subjects?deleted=true", none(), 200, json!(["a/b"])),
            ("GET", "subjects/a%2Fb/versions?deleted=true", none(), 200, json!([1])),
            ("GET", "nonsense", none(), 404, told(404)),
        ] {
            let (found, answer) = ask(&node, &admin, verb, path, body).await;
            assert_eq!(found, status, "{verb} {path}: {answer}");
            match part.as_object() {
                Some(part) => part.iter().for_each(|(name, value)| {
                    assert_eq!(&answer[name], value, "{verb} {path}: {answer}");
                }),
                None => assert_eq!(answer, part, "{verb} {path}"),
            }
        }
    }

    async fn each_request_takes_the_permission_of_what_it_stands_for(node: Node) {
        let reader = node.account_with("svc_1", &["schemas.registry.serve", "schemas.schemas.read"]);
        assert_eq!(ask(&node, &reader, "GET", "subjects", Value::Null).await.0, 200);
        for (verb, path, body) in [
            ("POST", "subjects/s/versions", schema(&json!({}))),
            ("DELETE", "subjects/s", Value::Null),
            ("DELETE", "subjects/s/versions/1", Value::Null),
            ("PUT", "config", json!({"compatibility": "NONE"})),
            ("DELETE", "config/s", Value::Null),
        ] {
            let (status, told) = ask(&node, &reader, verb, path, body).await;
            assert_eq!((status, &told["error_code"]), (403, &json!(403)), "{verb} {path}: {told}");
        }
    }
}

/// What gives keys to programs, besides.
fn keyed() -> Vec<Service> {
    let mut all = services();
    all.extend([
        stoa_auth::service(),
        stoa_notify::service(),
        stoa_tokens::service(),
        stoa_users::service(),
    ]);
    all
}

#[test]
fn confluent_kafka_registers_reads_compares_and_serialises() {
    stoa_testkit::run(Engine::Sqlite, keyed(), |node| async move {
        let account = CreateServiceAccountRequest { name: "orders".into(), ..Default::default() };
        let account = node.call(&node.admin(), account).await.unwrap().service_account.id.clone();
        let key = CreateApiKeyRequest {
            name: "orders".into(),
            service_account_id: account,
            permissions: vec!["schemas.*".into()],
            ..Default::default()
        };
        let token = node.call(&node.admin(), key).await.unwrap().token;
        let server = node.serve().await;
        let mut client = Command::new(format!("{TOOLS}/venv/bin/python"));
        client
            .arg(format!("{HERE}/confluent.py"))
            .arg(format!("http://{}", server.address))
            .arg(token);
        let output = tokio::task::spawn_blocking(move || client.output()).await.unwrap().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "ok\n", "{told}");
        server.stop().await;
    });
}
