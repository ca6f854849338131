//! MCP, on contracts that only tests know.

#![cfg(test)]

mod contents;
mod elicits;
mod garden;
mod protocol;
mod reads;
mod sessions;
mod strangers;
mod streams;
mod subscriptions;
mod suite;
mod tools;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use stoa_mcp::{Mcp, Settings};
use stoa_node::{Listen, Origins, Port, Proxies};
use stoa_testkit::{Engine, Node, run};

pub(crate) const ADA: &str = "user:usr_ada";
pub(crate) const GARDENER: &str = "user:usr_gardener";

fn listen() -> Listen {
    Listen {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        receive_max: Duration::from_secs(30),
        names_tenants: false,
        proxies: Proxies::default(),
        origins: Origins::default(),
        connections_max: 16,
    }
}

/// Runs a test on a port with MCP.
fn with_mcp(settings: Settings, test: impl AsyncFnOnce(Node, Agent)) {
    run(Engine::Sqlite, vec![garden::service()], |node| async move {
        let mcp = Arc::new(Mcp::new(node.inner().registry(), settings));
        let port = Port::new(node.inner(), vec![mcp], listen()).unwrap();
        test(node, Agent { port, token: ADA, session: None }).await;
    });
}

/// Somebody who speaks MCP.
#[derive(Clone)]
struct Agent {
    port: Arc<Port>,
    token: &'static str,
    session: Option<String>,
}

/// What was answered.
struct Said {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Said {
    fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The messages of a stream of events.
    fn events(&self) -> Vec<Value> {
        assert_eq!(self.headers["content-type"], "text/event-stream");
        let text = String::from_utf8(self.body.to_vec()).unwrap();
        let events = text.split("\n\n").filter(|event| !event.is_empty());
        let data = events.map(|event| event.strip_prefix("event: message\ndata: ").unwrap());
        data.map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    /// The status, and the reason of an error of the protocol.
    fn refusal(&self) -> (u16, String) {
        let message = self.json();
        let reason = message["error"]["data"]["reason"].as_str();
        (self.status.as_u16(), reason.unwrap_or_else(|| panic!("{message}")).to_owned())
    }
}

impl Agent {
    /// The same as somebody else.
    fn of(&self, token: &'static str) -> Self {
        Self { token, ..self.clone() }
    }

    fn post(&self, uri: &str) -> http::request::Builder {
        let mut post = Request::post(uri)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        if !self.token.is_empty() {
            post = post.header("authorization", format!("Bearer {}", self.token));
        }
        match &self.session {
            Some(session) => post.header("mcp-session-id", session),
            None => post,
        }
    }

    async fn send(&self, request: http::request::Builder, body: impl Into<Bytes>) -> Said {
        let peer = SocketAddr::from(([192, 0, 2, 1], 4711));
        let request = request.body(body.into()).unwrap();
        let (head, body) = self.port.answer(peer, request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Said { status: head.status, headers: head.headers, body }
    }

    /// Asks something, at an address with a query.
    async fn ask_at(&self, query: &str, method: &str, params: Value) -> Said {
        let message = json!({"jsonrpc": "2.0", "id": "q", "method": method, "params": params});
        self.send(self.post(&format!("/mcp{query}")), message.to_string()).await
    }

    async fn ask(&self, method: &str, params: Value) -> Said {
        self.ask_at("", method, params).await
    }

    /// The result of what is asked.
    async fn result(&self, method: &str, params: Value) -> Value {
        let mut said = self.ask(method, params).await.json();
        assert_eq!((&said["jsonrpc"], &said["id"]), (&json!("2.0"), &json!("q")), "{said}");
        assert!(said["result"].is_object(), "{said}");
        said["result"].take()
    }

    /// The result of a call.
    async fn call(&self, tool: &str, arguments: Value) -> Value {
        self.result("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// The reason for which a call is refused.
    async fn refused(&self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments).await;
        assert_eq!(result["isError"], true, "{result}");
        result["structuredContent"]["reason"].as_str().unwrap().to_owned()
    }

    /// Begins a session, as a client with some capabilities.
    async fn begin(&mut self, capabilities: Value) -> Value {
        let said = self.ask("initialize", initialize("2025-11-25", capabilities)).await;
        self.session = Some(said.headers["mcp-session-id"].to_str().unwrap().to_owned());
        said.json()["result"].take()
    }
}

fn initialize(revision: &str, capabilities: Value) -> Value {
    json!({
        "protocolVersion": revision,
        "capabilities": capabilities,
        "clientInfo": {"name": "a test", "version": "1"},
    })
}
