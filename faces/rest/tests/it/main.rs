//! REST, on a contract that only tests know.

#![cfg(test)]

mod headers;
mod many;
mod shelf;
mod streams;
mod transcoding;
mod wrong;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use stoa_node::{Listen, Origins, Port, Proxies};
use stoa_rest::Rest;
use stoa_testkit::{Engine, Node, run};

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

/// Runs a test on a port with REST.
fn with_rest(test: impl AsyncFnOnce(Node, Shelf)) {
    run(Engine::Sqlite, vec![shelf::service()], |node| async move {
        let rest = Arc::new(Rest::new(node.inner().registry()));
        let port = Port::new(node.inner(), vec![rest], listen()).unwrap();
        test(node, Shelf { port }).await;
    });
}

/// A node, from outside.
struct Shelf {
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

    /// The status and the reason of a refusal, and the paths that it names.
    fn refusal(&self) -> (u16, String, Vec<String>) {
        let problem = self.json();
        let paths = problem["violations"].as_array().into_iter().flatten();
        let paths = paths.map(|violation| violation["path"].as_str().unwrap().to_owned());
        let reason = problem["reason"].as_str().unwrap_or_else(|| panic!("{problem}"));
        (self.status.as_u16(), reason.to_owned(), paths.collect())
    }
}

impl Shelf {
    async fn send(&self, request: http::request::Builder, body: impl Into<Bytes>) -> Said {
        let peer = SocketAddr::from(([192, 0, 2, 1], 4711));
        let request = request.body(body.into()).unwrap();
        let (head, body) = self.port.answer(peer, request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Said { status: head.status, headers: head.headers, body }
    }

    async fn get(&self, path: &str) -> Said {
        self.send(Request::get(path), "").await
    }

    async fn json(&self, method: &str, path: &str, body: &str) -> Said {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("content-type", "application/json");
        let request = request.header("authorization", "Bearer user:usr_ada");
        self.send(request, body.to_owned()).await
    }

    /// The same method by Connect.
    async fn connect(&self, method: &str, body: &str) -> Said {
        let request = Request::post(format!("/stoa.shelf.v1.ShelfService/{method}"));
        let request = request.header("content-type", "application/json");
        let request = request.header("authorization", "Bearer user:usr_ada");
        self.send(request, body.to_owned()).await
    }
}
