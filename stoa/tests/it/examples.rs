//! The examples of every service, by way of every face: the same replies, the same refusals, the
//! same rows.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Map, Value};
use stoa_contract::{Binding, Segment};
use stoa_kit::Service;
use stoa_node::Face;
use stoa_rest::Rest;
use stoa_testkit::Node;
use stoa_testkit::compliance::{Ask, Refusal, Speaker, same_by_way_of};

struct Connect;

impl Speaker for Connect {
    fn name(&self) -> &str {
        "Connect"
    }

    fn faces(&self, _: &Node) -> Vec<Arc<dyn Face>> {
        Vec::new()
    }

    fn request(&self, ask: &Ask) -> Request<Bytes> {
        let request = Request::post(format!("/{}", ask.method.path));
        sent(ask, request, ask.request.to_string())
    }

    fn heard(&self, _: &Ask, answer: Response<Bytes>) -> Result<Value, Refusal> {
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        if answer.status().is_success() {
            return Ok(body);
        }
        let details = || body["details"].as_array().into_iter().flatten().map(|it| &it["debug"]);
        let reason = details().find_map(|debug| debug["reason"].as_str());
        let violations = details().find_map(|debug| debug["violations"].as_array());
        Err(refusal(&body["code"], reason, violations))
    }
}

struct RestFace;

impl Speaker for RestFace {
    fn name(&self) -> &str {
        "REST"
    }

    fn faces(&self, node: &Node) -> Vec<Arc<dyn Face>> {
        vec![Arc::new(Rest::new(node.inner().registry()))]
    }

    fn request(&self, ask: &Ask) -> Request<Bytes> {
        let (binding, mut fields) = (&ask.method.http[0], ask.request.as_object().unwrap().clone());
        let mut uri = path(ask, binding, &mut fields);
        let body = match binding.body {
            "*" => Value::Object(fields).to_string(),
            "" => {
                let mut query = Vec::new();
                for (name, value) in &fields {
                    said(name, value, &mut query);
                }
                if !query.is_empty() {
                    uri = format!("{uri}?{}", query.join("&"));
                }
                String::new()
            }
            field => panic!("{}: the body is {field}", ask.method.name),
        };
        sent(ask, Request::builder().method(binding.http_method).uri(uri), body)
    }

    fn heard(&self, _: &Ask, answer: Response<Bytes>) -> Result<Value, Refusal> {
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        match answer.status().is_success() {
            true => Ok(body),
            false => {
                let reason = body["reason"].as_str();
                Err(refusal(&body["code"], reason, body["violations"].as_array()))
            }
        }
    }
}

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

/// The path of a binding; what it says is taken out of the fields.
fn path(ask: &Ask, binding: &Binding, fields: &mut Map<String, Value>) -> String {
    let mut path = String::new();
    for (place, segment) in binding.segments.iter().enumerate() {
        match segment {
            Segment::Word(word) => path += &format!("/{word}"),
            Segment::One | Segment::Rest => {
                let variable = binding.variables.iter().find(|variable| variable.start == place);
                let name = variable.expect("a star is part of a variable").field;
                let json = ask.method.request.field(name).unwrap().json;
                let value = fields.remove(json).or_else(|| fields.remove(name)).unwrap_or_default();
                path += &format!("/{}", escaped(&text(&value)));
            }
        }
    }
    if binding.verb.is_empty() { path } else { format!("{path}:{}", binding.verb) }
}

/// A field in a query.
fn said(name: &str, value: &Value, query: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| said(name, item, query)),
        Value::Object(fields) => {
            fields.iter().for_each(|(inner, value)| said(&format!("{name}.{inner}"), value, query));
        }
        value => query.push(format!("{name}={}", escaped(&text(value)))),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
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
    let speakers: [&dyn Speaker; 2] = [&Connect, &RestFace];
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
