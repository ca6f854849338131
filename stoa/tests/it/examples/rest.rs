//! Examples by way of REST.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::{Request, Response};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value};
use stoa_contract::described::Described;
use stoa_contract::{Binding, Segment};
use stoa_node::Face;
use stoa_rest::Rest;
use stoa_testkit::Node;
use stoa_testkit::compliance::{Ask, Refusal, Speaker};

use super::{contracts, refusal, sent};

static DESCRIBED: LazyLock<Described> = LazyLock::new(|| Described::new(&contracts()).unwrap());

pub(super) struct RestFace;

impl Speaker for RestFace {
    fn name(&self) -> &str {
        "REST"
    }

    fn faces(&self, node: &Node) -> Vec<Arc<dyn Face>> {
        vec![Arc::new(Rest::new(node.inner().registry()))]
    }

    fn says(&self, ask: &Ask) -> bool {
        let (binding, shape) = (&ask.method.http[0], ask.method.request);
        let Some(fields) = ask.request.as_object() else { return false };
        let input = DESCRIBED.method(ask.method.path).unwrap().input();
        let in_path = |field: &str| binding.variables.iter().any(|it| it.field == field);
        let whole = binding.variables.iter().all(|it| {
            let json = shape.field(it.field).unwrap().json;
            let twice =
                json != it.field && fields.contains_key(json) && fields.contains_key(it.field);
            let value = fields.get(json).or_else(|| fields.get(it.field));
            let text = value.and_then(Value::as_str).unwrap_or_default();
            !twice && (1..5_000).contains(&text.len())
        });
        let in_query = fields.iter().filter(|_| binding.body.is_empty());
        whole
            && in_query.into_iter().all(|(name, value)| match shape.field(name) {
                Some(field) if in_path(field.name) => true,
                Some(field) => is_text(&named(&input, field.name).unwrap(), value),
                None => value.is_string(),
            })
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

/// Whether a query can say a value of a field: there, all is text.
fn is_text(field: &FieldDescriptor, value: &Value) -> bool {
    let short = |value: &Value| text(value).len() < 5_000;
    let leaf = |value: &Value| match field.kind() {
        Kind::Bool => value.is_boolean() || !["true", "false"].contains(&text(value).as_str()),
        Kind::String | Kind::Bytes | Kind::Enum(_) | Kind::Message(_) => value.is_string(),
        _ => value.is_string() || value.is_number(),
    };
    match (value, field.kind()) {
        (Value::Array(items), _) if field.is_list() => {
            !items.is_empty() && items.iter().all(|item| leaf(item) && short(item))
        }
        (Value::Object(fields), Kind::Message(inner)) if !field.is_list() && !field.is_map() => {
            let inner = |name: &str| named(&inner, name);
            !fields.is_empty()
                && fields.iter().all(|(name, value)| match inner(name) {
                    Some(field) => is_text(&field, value),
                    None => value.is_string() && !name.contains('.'),
                })
        }
        (Value::String(_) | Value::Number(_) | Value::Bool(_), _) => {
            !field.is_list() && !field.is_map() && leaf(value) && short(value)
        }
        _ => false,
    }
}

fn named(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message.get_field_by_name(name).or_else(|| message.get_field_by_json_name(name))
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
