//! Messages, and how they are carried.

use http::Request;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Value, json};
use stoa_mcp::{Issuer, Settings};
use stoa_node::Origins;
use stoa_testkit::fuzz;

use crate::{initialize, with_mcp};

#[test]
fn a_client_begins_in_either_revision() {
    with_mcp(Settings::default(), async |_, agent| {
        for (asked, given) in [
            ("2025-06-18", "2025-06-18"),
            ("2025-11-25", "2025-11-25"),
            ("2024-11-05", "2025-11-25"),
        ] {
            let result = agent.result("initialize", initialize(asked, json!({}))).await;
            assert_eq!(result["protocolVersion"], given);
            assert_eq!(result["serverInfo"]["name"], "stoa");
            assert_eq!(
                result["capabilities"],
                json!({
                    "tools": {}, "resources": {"subscribe": true}, "prompts": {},
                    "completions": {}, "logging": {},
                })
            );
        }
        let told = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let said = agent.send(agent.post("/mcp"), told.to_string()).await;
        assert_eq!((said.status.as_u16(), said.body.len()), (202, 0));
        assert_eq!(agent.result("ping", json!({})).await, json!({}));
    });
}

#[test]
fn what_is_no_message_is_refused() {
    with_mcp(Settings::default(), async |_, agent| {
        for (text, status, reason, code) in [
            ("{", 400, "json.malformed", -32700),
            ("", 400, "json.malformed", -32700),
            ("[]", 400, "mcp.message", -32600),
            (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, 400, "mcp.message", -32600),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, 400, "mcp.message", -32600),
            (r#"{"jsonrpc":"2.0","id":[],"method":"ping"}"#, 400, "mcp.message", -32600),
            (r#"{"jsonrpc":"2.0","id":1}"#, 400, "mcp.message", -32600),
            (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, 400, "mcp.message", -32600),
            (r#"{"jsonrpc":"2.0","id":1,"method":"sing"}"#, 200, "mcp.method", -32601),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#,
                200,
                "mcp.params",
                -32602,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"garden_water_plants"}}"#,
                200,
                "node.no_such_method",
                -32602,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"no"}}"#,
                200,
                "mcp.cursor",
                -32602,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"garden://no"}}"#,
                200,
                "resource.not_found",
                -32002,
            ),
        ] {
            let said = agent.send(agent.post("/mcp"), text).await;
            assert_eq!(said.refusal(), (status, reason.to_owned()), "{text}");
            let error = &said.json()["error"];
            assert_eq!(error["code"], code, "{text}");
            assert!(!error["data"]["next"].as_str().unwrap().is_empty(), "{text}");
        }
    });
}

#[test]
fn what_is_not_carried_as_the_protocol_says_is_refused_by_its_head() {
    with_mcp(Settings::default(), async |_, agent| {
        let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let get = || Request::get("/mcp").header("accept", "text/event-stream");
        let post = |name: &str, value: &str| {
            let mut post = agent.post("/mcp");
            let headers = post.headers_mut().unwrap();
            headers.insert(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
            post
        };
        for (request, status, reason) in [
            (get(), 400, "mcp.no_session"),
            (Request::get("/mcp"), 405, "request.method"),
            (Request::options("/mcp"), 405, "request.method"),
            (agent.post("/mcp/x"), 404, "node.no_such_method"),
            (post("content-type", "text/plain"), 415, "request.content_type"),
            (post("content-encoding", "gzip"), 415, "request.compressed"),
            (post("mcp-protocol-version", "2031-01-01"), 400, "mcp.revision"),
            (post("origin", "http://evil.example"), 403, "request.origin"),
            (post("origin", "null"), 403, "request.origin"),
            (post("origin", "http://localhost.evil.example"), 403, "request.origin"),
            (post("mcp-session-id", "guessed"), 404, "mcp.session"),
            (post("authorization", "Bearer bad"), 401, "auth.token_invalid"),
        ] {
            let said = agent.send(request, ping).await;
            assert_eq!(said.refusal(), (status, reason.to_owned()));
        }
        let refusal = agent.send(Request::get("/mcp"), "").await;
        assert_eq!(refusal.headers["allow"], "GET, POST, DELETE");
        for origin in ["http://localhost:6274", "http://127.0.0.1", "http://[::1]:1"] {
            assert_eq!(agent.send(post("origin", origin), ping).await.status, 200, "{origin}");
        }
        for revision in ["2025-03-26", "2025-06-18", "2025-11-25"] {
            let said = agent.send(post("mcp-protocol-version", revision), ping).await;
            assert_eq!(said.status, 200, "{revision}");
        }
    });
}

#[test]
fn pages_call_from_where_the_operator_says() {
    let origins = Origins::parse("https://shop.example").unwrap();
    with_mcp(Settings { origins, ..Settings::default() }, async |_, agent| {
        let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let from = |origin: &str| agent.post("/mcp").header("origin", origin);
        assert_eq!(agent.send(from("https://shop.example"), ping).await.status, 200);
        assert_eq!(agent.send(from("https://shop.example.evil.example"), ping).await.status, 403);
    });
}

#[test]
fn who_has_to_sign_in_is_told_where() {
    let issuer = Issuer::new("https://id.example", "https://stoa.example/mcp").unwrap();
    let settings = Settings { issuer: Some(issuer), ..Settings::default() };
    with_mcp(settings, async |_, agent| {
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":
            {"name":"garden_delete_plant","arguments":{"id":"rose"}}}"#;
        let said = agent.of("").send(agent.of("").post("/mcp"), call).await;
        assert_eq!(said.status, 401);
        let known = "/.well-known/oauth-protected-resource/mcp";
        let challenge = format!("Bearer resource_metadata=\"https://stoa.example{known}\"");
        assert_eq!(said.headers["www-authenticate"], challenge);
        let said = agent.send(Request::get(known), "").await;
        assert_eq!(
            said.json(),
            json!({
                "resource": "https://stoa.example/mcp",
                "resource_name": "Stoa",
                "authorization_servers": ["https://id.example"],
                "bearer_methods_supported": ["header"],
            })
        );
        let said = agent.send(Request::post(known), "").await;
        assert_eq!(said.refusal(), (405, "request.method".to_owned()));
        assert_eq!(said.headers["allow"], "GET");
    });
    for (issuer, resource) in [("id.example", "https://a.example/mcp"), ("https://id.example", "")]
    {
        assert!(Issuer::new(issuer, resource).is_err(), "{issuer} {resource}");
    }
}

/// Values of JSON with names that mean something here.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z/:%?=. ]{0,12}".prop_map(Value::from),
        "garden://[a-z%/?=:]{0,16}".prop_map(Value::from),
        "garden_(get|create|move|delete|watch)_plant|call_tool|search_tools".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let name = "name|arguments|_meta|bed|id|plant|shoots|query|uri|cursor|progressToken";
        prop_oneof![
            3 => proptest::collection::vec((name, inner.clone()), 0..4)
                .prop_map(|members| members.into_iter().collect()),
            1 => proptest::collection::vec(inner, 0..3).prop_map(Value::from),
        ]
    })
}

#[test]
fn nonsense_is_never_our_fault() {
    let method = "tools/(call|list)|resources/(list|read|subscribe|templates/list)|prompts/(list|get)|\
         completion/complete|logging/setLevel|initialize|ping|[a-z/]{0,9}";
    let name = "garden_(get|create|move|delete|watch)_plants?|search_tools|describe_tool|call_tool";
    let messages = (method, name, value(), value(), 0..200usize);
    with_mcp(Settings::default(), async |_, agent| {
        let mut runner = fuzz::runner();
        let (cases, mut answered) = (fuzz::cases(1_500), 0);
        for _ in 0..cases {
            let drawn = messages.new_tree(&mut runner).unwrap().current();
            let (method, name, mut params, arguments, cut) = drawn;
            if let Value::Object(params) = &mut params {
                params.insert("name".to_owned(), name.into());
                params.insert("arguments".to_owned(), arguments);
            }
            let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
            // Of some, a byte is lost.
            let mut message = message.to_string().into_bytes();
            if cut < 40 {
                message.remove(cut);
            }
            let shown = String::from_utf8_lossy(&message).into_owned();
            let said = agent.send(agent.post("/mcp"), message).await;
            assert!(said.status.as_u16() < 500, "{shown}: {:?}", said.body);
            if said.status == 200 && said.headers["content-type"] == "application/json" {
                assert_ne!(said.json()["error"]["code"], -32603, "{shown}: {}", said.json());
                answered += 1;
            }
        }
        assert!(answered > cases / 2, "{answered}");
    });
}
