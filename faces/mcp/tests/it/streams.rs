//! Streams: what comes within bounds, with progress for whoever asks for it.

use serde_json::{Value, json};
use stoa_mcp::Settings;

use crate::with_mcp;

fn watch(leaves: u32, progress: Option<&str>) -> Value {
    let arguments = json!({"id": "rose", "leaves": leaves});
    let mut params = json!({"name": "garden_watch_plant", "arguments": arguments});
    if let Some(token) = progress {
        params["_meta"] = json!({"progressToken": token});
    }
    params
}

#[test]
fn a_stream_without_end_is_gathered_within_bounds() {
    with_mcp(Settings::default(), async |_, agent| {
        let result = agent.result("tools/call", watch(0, None)).await;
        let gathered = &result["structuredContent"];
        assert_eq!(gathered["messages"].as_array().unwrap().len(), 100);
        assert_eq!(gathered["messages"][99], json!({"leaf": "100"}));
        assert_eq!((&gathered["ended"], &result["isError"]), (&json!(false), &json!(false)));
    });
}

#[test]
fn a_stream_that_fails_gives_what_came_before() {
    with_mcp(Settings::default(), async |_, agent| {
        let result = agent.result("tools/call", watch(2, None)).await;
        assert_eq!(result["isError"], true);
        let refusal = &result["structuredContent"];
        assert_eq!(
            (&refusal["reason"], &refusal["next"]),
            (&json!("garden.over"), &json!("Wait."))
        );
        assert_eq!(refusal["messages"], json!([{"leaf": "1"}, {"leaf": "2"}]));
    });
}

#[test]
fn progress_is_told_message_by_message() {
    with_mcp(Settings::default(), async |_, agent| {
        let events = agent.ask("tools/call", watch(2, Some("t"))).await.events();
        for (nth, event) in events[..2].iter().enumerate() {
            assert_eq!(event["method"], "notifications/progress");
            let params = &event["params"];
            assert_eq!(
                (&params["progressToken"], &params["progress"]),
                (&json!("t"), &json!(nth as f64 + 1.0))
            );
            assert_eq!(params["message"], format!("{{\"leaf\":\"{}\"}}", nth + 1));
        }
        let plain = agent.ask("tools/call", watch(2, None)).await.json();
        assert_eq!(events[2..], [plain]);

        let only_json = agent.post("/mcp");
        let mut only_json = only_json;
        only_json.headers_mut().unwrap().insert("accept", "application/json".parse().unwrap());
        let message = json!({"jsonrpc": "2.0", "id": "q", "method": "tools/call", "params": watch(2, Some("t"))});
        let said = agent.send(only_json, message.to_string()).await;
        assert_eq!(said.headers["content-type"], "application/json");
    });
}

#[test]
fn a_stream_that_is_asked_for_wrongly_is_refused() {
    with_mcp(Settings::default(), async |_, agent| {
        let mut params = watch(2, Some("t"));
        params["arguments"]["leaf"] = json!(1);
        let said = agent.ask("tools/call", params).await.json();
        assert_eq!(said["result"]["structuredContent"]["reason"], "request.invalid");
    });
}
