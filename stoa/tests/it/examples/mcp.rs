//! Examples by way of MCP: each a call of a tool, as a client without a session makes it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};
use stoa_mcp::{Mcp, Settings};
use stoa_node::Face;
use stoa_testkit::Node;
use stoa_testkit::compliance::{Ask, Refusal, Speaker};

use super::{refusal, sent};

pub(super) struct McpFace;

impl Speaker for McpFace {
    fn name(&self) -> &str {
        "MCP"
    }

    fn faces(&self, node: &Node) -> Vec<Arc<dyn Face>> {
        vec![Arc::new(Mcp::new(node.inner().registry(), Settings::default()))]
    }

    fn says(&self, ask: &Ask) -> bool {
        ask.request.is_object()
    }

    fn request(&self, ask: &Ask) -> Request<Bytes> {
        let mut params =
            json!({"name": ask.method.scope().replace('.', "_"), "arguments": ask.request});
        if let Some(key) = &ask.key {
            params["_meta"] = json!({"stoa/idempotency-key": key});
        }
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let request = Request::post("/mcp").header("mcp-protocol-version", "2025-11-25");
        let mut request = sent(ask, request, call.to_string());
        request.headers_mut().remove("idempotency-key");
        request
    }

    fn heard(&self, _: &Ask, answer: Response<Bytes>) -> Result<Value, Refusal> {
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        let result = &body["result"];
        let structured = match (result["isError"].as_bool(), answer.status().is_success()) {
            (Some(false), true) => return Ok(result["structuredContent"].clone()),
            (Some(true), true) => &result["structuredContent"],
            (_, false) => &body["error"]["data"],
            (None, true) => panic!("not the result of a tool: {body}"),
        };
        let reason = structured["reason"].as_str();
        Err(refusal(&structured["code"], reason, structured["violations"].as_array()))
    }
}
