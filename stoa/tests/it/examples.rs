//! The examples of every service, by way of every face: the same replies, the same refusals, the
//! same rows.

mod cli;
mod connect;
mod graphql;
mod grpc;
mod mcp;
mod rest;

use std::path::Path;

use bytes::Bytes;
use http::Request;
use serde_json::Value;
use stoa_kit::Service;
use stoa_testkit::compliance::{Ask, Refusal, Speaker, same_by_way_of};

use cli::Cli;
use connect::Connect;
use graphql::GraphQlFace;
use grpc::{Grpc, GrpcWeb};
use mcp::McpFace;
use rest::RestFace;

fn sent(ask: &Ask, mut request: http::request::Builder, body: String) -> Request<Bytes> {
    request = request.header("content-type", "application/json");
    if let Some(token) = &ask.token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if let Some(key) = &ask.key {
        request = request.header("idempotency-key", key);
    }
    request.body(body.into()).unwrap()
}

fn refusal(code: &Value, reason: Option<&str>, violations: Option<&Vec<Value>>) -> Refusal {
    let paths = violations.into_iter().flatten();
    let paths = paths.map(|violation| violation["path"].as_str().unwrap().to_owned());
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Refusal { code: text(code.as_str()), reason: text(reason), paths: paths.collect() }
}

fn services() -> Vec<Service> {
    stoa::Catalogue::standard().services(&[]).unwrap()
}

/// The folder of a service, by its name.
fn folder(name: &str) -> std::path::PathBuf {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../services");
    let contexts = std::fs::read_dir(all).unwrap().map(|context| context.unwrap().path());
    contexts.map(|context| context.join(name)).find(|folder| folder.is_dir()).expect(name)
}

#[test]
#[allow(clippy::print_stdout, reason = "how much was compared")]
fn examples_are_the_same_by_way_of_every_face() {
    let graphql = GraphQlFace::new();
    let speakers: [&dyn Speaker; 7] =
        [&Connect, &Grpc, &GrpcWeb, &RestFace, &graphql, &McpFace, &Cli];
    let (mut questions, mut replies) = (0, 0);
    std::thread::scope(|scope| {
        let asking = services().into_iter().map(|service| {
            let contract = service.contract.unwrap();
            let folder = folder(service.name);
            scope.spawn(move || same_by_way_of(&speakers, contract, services, &folder))
        });
        let asking: Vec<_> = asking.collect();
        for asked in asking {
            let (asked, replied) = asked.join().unwrap();
            (questions, replies) = (questions + asked, replies + replied);
        }
    });
    println!("{questions} questions × {} faces, {replies} replies on each", speakers.len());
    assert!(questions > 400 && replies > 100, "{questions} questions, {replies} replies");
}
