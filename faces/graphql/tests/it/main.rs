//! GraphQL, on a contract that only tests know.

#![cfg(test)]

mod answers;
mod lending;
mod limits;
mod many;
mod mutated;
mod names;
mod references;
mod sockets;
mod streams;
mod watched;
mod wire;
mod wrong;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use stoa_graphql::{GraphQl, Introspection};
use stoa_node::{Listen, Origins, Port, Proxies};
use stoa_testkit::{Engine, run};

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

/// Runs a test on a port with GraphQL, whose schema those see who signed in.
fn with_graphql(test: impl AsyncFnOnce(Lending)) {
    with_schema_for(Introspection::SignedIn, test);
}

/// The same where others see the schema.
fn with_schema_for(introspection: Introspection, test: impl AsyncFnOnce(Lending)) {
    run(Engine::Sqlite, vec![lending::service()], |node| async move {
        let graphql = Arc::new(GraphQl::new(introspection));
        let port = Port::new(node.inner(), vec![graphql], listen()).unwrap();
        test(Lending { port }).await;
    });
}

/// A node, from outside.
struct Lending {
    port: Arc<Port>,
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

    /// The data of an answer without errors.
    fn data(&self) -> Value {
        let answer = self.json();
        assert_eq!(answer["errors"], Value::Null, "{answer}");
        answer["data"].clone()
    }

    /// The reason of the first error, and the paths of its violations.
    fn refusal(&self) -> (String, Vec<String>) {
        let answer = self.json();
        let said = &answer["errors"][0]["extensions"];
        let paths = said["violations"].as_array().into_iter().flatten();
        let paths = paths.map(|violation| violation["path"].as_str().unwrap().to_owned());
        let reason = said["reason"].as_str().unwrap_or_else(|| panic!("{answer}"));
        (reason.to_owned(), paths.collect())
    }
}

impl Lending {
    async fn send(&self, request: http::request::Builder, body: impl Into<Bytes>) -> Said {
        let peer = SocketAddr::from(([192, 0, 2, 1], 4711));
        let request = request.body(body.into()).unwrap();
        let (head, body) = self.port.answer(peer, request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Said { status: head.status, headers: head.headers, body }
    }

    /// Asks as somebody.
    async fn ask_as(&self, token: &str, query: &str, variables: Value) -> Said {
        let mut request = Request::post("/graphql").header("content-type", "application/json");
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = json!({"query": query, "variables": variables}).to_string();
        self.send(request, body).await
    }

    async fn ask(&self, query: &str) -> Said {
        self.ask_as("user:usr_ada", query, json!({})).await
    }

    /// A method by Connect: the reason of its refusal, and the paths.
    async fn connect(&self, method: &str, body: &Value) -> (String, Vec<String>) {
        let request = Request::post(format!("/stoa.lending.v1.LendingService/{method}"));
        let request = request.header("content-type", "application/json");
        let request = request.header("authorization", "Bearer user:usr_ada");
        let error = self.send(request, body.to_string()).await.json();
        let parts = || error["details"].as_array().into_iter().flatten().map(|part| &part["debug"]);
        let reason = parts().find_map(|debug| debug["reason"].as_str());
        let reason = reason.unwrap_or_else(|| panic!("{error}")).to_owned();
        let violations = parts().filter_map(|debug| debug["violations"].as_array()).flatten();
        let paths = violations.map(|violation| violation["path"].as_str().unwrap().to_owned());
        (reason, paths.collect())
    }
}
