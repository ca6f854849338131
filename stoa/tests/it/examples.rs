//! The examples of every service, by way of every face: the same replies, the same refusals, the
//! same rows.

mod cli;
mod connect;
mod graphql;
mod grpc;
mod live;
mod mcp;
mod rest;

use std::path::Path;

use bytes::Bytes;
use http::Request;
use serde_json::Value;
use stoa_contract::Contract;
use stoa_kit::Service;
use stoa_testkit::compliance::{
    Ask, Refusal, Same, Speaker, Tried, denied_by_way_of, mutated_by_way_of, same_by_way_of,
};
use stoa_testkit::fuzz;

use cli::Cli;
use connect::Connect;
use graphql::GraphQlFace;
use grpc::{Grpc, GrpcWeb};
use live::LiveFace;
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

/// The contracts of all services, and the node's own.
fn contracts() -> Vec<&'static Contract> {
    let own = services().into_iter().filter_map(|service| service.contract);
    own.chain([&stoa_node::SYSTEM]).collect()
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
    let same = std::thread::scope(|scope| {
        let asking = services().into_iter().map(|service| {
            let contract = service.contract.unwrap();
            let folder = folder(service.name);
            scope.spawn(move || same_by_way_of(&speakers, contract, services, &folder))
        });
        let asking: Vec<_> = asking.collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).fold(Same::default(), Same::and)
    });
    let (faces, assertions) = (speakers.len(), same.assertions());
    println!("{} examples × {faces} faces × {assertions} assertions: {same:?}", same.asked);
    assert!(same.refusals > 300 && same.replies > 100 && same.denied > 100, "{same:?}");
    assert!(same.keys > 20 && same.commits > 50, "{same:?}");
}

#[test]
#[allow(clippy::print_stdout, reason = "how much was asked")]
fn who_may_not_is_told_so_by_way_of_every_face() {
    let graphql = GraphQlFace::new();
    let speakers: [&dyn Speaker; 7] =
        [&Connect, &Grpc, &GrpcWeb, &RestFace, &graphql, &McpFace, &Cli];
    let counts = denied_by_way_of(&speakers, services);
    println!("denied: {counts:?}");
    assert!(counts.iter().all(|(_, count)| *count > 150), "{counts:?}");
}

#[test]
#[allow(clippy::print_stdout, reason = "how much was tried")]
fn mutated_questions_are_refused_alike_and_never_by_a_fault() {
    let graphql = GraphQlFace::new();
    let speakers: [&dyn Speaker; 7] =
        [&Connect, &Grpc, &GrpcWeb, &RestFace, &graphql, &McpFace, &LiveFace];
    let seed = fuzz::seed();
    let all = services();
    let cases = fuzz::cases(300).div_ceil(all.len());
    let tried = std::thread::scope(|scope| {
        let trying = all.into_iter().map(|service| {
            let contract = service.contract.unwrap();
            let folder = folder(service.name);
            scope.spawn(move || {
                mutated_by_way_of(&speakers, contract, services, &folder, (cases, seed))
            })
        });
        let trying: Vec<_> = trying.collect();
        trying.into_iter().map(|tried| tried.join().unwrap()).fold(Tried::default(), Tried::and)
    });
    println!("{tried:?}");
    assert!(tried.compared > cases && tried.refused > cases, "{tried:?}");
    assert_eq!(tried.requests.len(), speakers.len());
}
