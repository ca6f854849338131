//! Examples by way of GraphQL: each as a document of its own, written from the descriptors, with all
//! that its reply has.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{Request, Response};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};
use serde_json::{Map, Value, json};
use stoa_contract::described::Described;
use stoa_contract::{Contract, Format, Kind as MethodKind, Method};
use stoa_graphql::{GraphQl, Introspection};
use stoa_kit::Registry;
use stoa_node::Face;
use stoa_testkit::Node;
use stoa_testkit::compliance::{Ask, Refusal, Speaker};

use super::{contracts, refusal, sent};

pub(super) struct GraphQlFace {
    contracts: Vec<&'static Contract>,
    described: Described,
    /// Of any node: what reads replies is the same on all.
    registry: OnceLock<Arc<Registry>>,
}

impl GraphQlFace {
    pub(super) fn new() -> Self {
        let contracts = contracts();
        let described = Described::new(&contracts).unwrap();
        Self { contracts, described, registry: OnceLock::new() }
    }

    /// The field of a method, and whether it is what the reply wraps.
    fn field(&self, method: &Method) -> (String, bool) {
        let small = |name: &str| name[..1].to_lowercase() + &name[1..];
        if method.kind != MethodKind::Query {
            return (format!("{}{}", method.service, method.name), false);
        }
        let contract = self.contracts.iter().find(|it| it.name == method.service).unwrap();
        let short = |name: &'static str| name.strip_prefix("Get").or(name.strip_prefix("List"));
        let mut same = contract.methods.iter().filter(|it| short(it.name) == short(method.name));
        let is_first = same.next().is_some_and(|first| first.name == method.name);
        let name = small(short(method.name).filter(|_| is_first).unwrap_or(method.name));
        let wraps = matches!(method.reply.fields, [one] if
            method.name.starts_with("Get") && matches!(one.value, stoa_contract::Value::Message(_)));
        (name, wraps)
    }

    fn document(&self, ask: &Ask) -> (String, Map<String, Value>) {
        let found: MethodDescriptor = self.described.method(ask.method.path).unwrap();
        let (name, wraps) = self.field(ask.method);
        let mut writer = Writer::default();
        let arguments = writer.fields(&found.input(), ask.request.as_object().unwrap());
        let arguments = if arguments.is_empty() { arguments } else { format!("({arguments})") };
        let reply = found.output();
        let selected = match reply.fields().next().filter(|_| wraps) {
            Some(field) => selection(field.kind().as_message().unwrap()),
            None => selection(&reply),
        };
        let call = format!("{name}{arguments}{selected}");
        let variables = writer.variables.keys().map(|name| format!("${name}: JSON"));
        let variables = variables.collect::<Vec<_>>().join(", ");
        let variables = if variables.is_empty() { variables } else { format!("({variables})") };
        let document = match ask.method.kind {
            MethodKind::Query => {
                format!("query{variables} {{ {} {{ {call} }} }}", ask.method.service)
            }
            _ if ask.method.streams => format!("subscription{variables} {{ {call} }}"),
            _ => format!("mutation{variables} {{ {call} }}"),
        };
        (document, writer.variables.into_iter().collect())
    }
}

impl Speaker for GraphQlFace {
    fn name(&self) -> &str {
        "GraphQL"
    }

    fn faces(&self, node: &Node) -> Vec<Arc<dyn Face>> {
        self.registry.get_or_init(|| Arc::clone(node.inner().registry()));
        vec![Arc::new(GraphQl::new(Introspection::Off))]
    }

    fn says(&self, ask: &Ask) -> bool {
        let input = self.described.method(ask.method.path).unwrap().input();
        ask.request
            .as_object()
            .is_some_and(|fields| is_literal(fields) && has_lists(&input, fields))
            && depth(&ask.request) < DEPTH_MAX
    }

    fn is_foreign(&self, refusal: &Refusal) -> bool {
        refusal.reason == "graphql.invalid"
    }

    fn request(&self, ask: &Ask) -> Request<Bytes> {
        let (query, variables) = self.document(ask);
        let body = json!({"query": query, "variables": variables}).to_string();
        let request = Request::post("/graphql");
        match ask.method.streams {
            true => sent(ask, request.header("accept", "text/event-stream"), body),
            false => sent(ask, request, body),
        }
    }

    fn heard(&self, ask: &Ask, answer: Response<Bytes>) -> Result<Value, Refusal> {
        let text = std::str::from_utf8(answer.body()).unwrap();
        let first = text.split("\n\n").next().unwrap_or_default();
        let said = first.split_once("data: ").map_or(first, |(_, said)| said);
        let mut body: Value = serde_json::from_str(said).unwrap();
        if let Some(error) = body["errors"].get(0) {
            let said = &error["extensions"];
            let reason = said["reason"].as_str();
            return Err(refusal(&said["code"], reason, said["violations"].as_array()));
        }
        let (name, wraps) = self.field(ask.method);
        let data = match ask.method.kind {
            MethodKind::Query => &mut body["data"][ask.method.service],
            _ => &mut body["data"],
        };
        let mut reply = data[name.as_str()].take();
        if wraps {
            reply = json!({ ask.method.reply.fields[0].json: reply });
        }
        // What JSON leaves out, GraphQL says: read and written once more, they are the same.
        let bound = self.registry.get().unwrap().method(ask.method.path).unwrap();
        let reply = bound.decode_reply(reply.to_string().as_bytes(), Format::Json).unwrap();
        Ok(serde_json::from_slice(&reply.encode(Format::Json).unwrap()).unwrap())
    }
}

/// Everything that a message has; nothing of what has no parts.
fn selection(message: &MessageDescriptor) -> String {
    if message.full_name().starts_with("google.protobuf.") || message.fields().len() == 0 {
        return String::new();
    }
    let mut text = " {".to_owned();
    for field in message.fields() {
        let inner = match field.kind() {
            Kind::Message(inner) if !field.is_map() => selection(&inner),
            _ => String::new(),
        };
        let _ = write!(text, " {}{inner}", field.json_name());
    }
    text + " }"
}

/// How deeply what is asked may be nested: a document has an end somewhere.
const DEPTH_MAX: usize = 50;

fn depth(value: &Value) -> usize {
    let inner = match value {
        Value::Object(fields) => fields.values().map(depth).max(),
        Value::Array(items) => items.iter().map(depth).max(),
        _ => return 0,
    };
    1 + inner.unwrap_or_default()
}

/// Whether lists are lists: to GraphQL, one value is as good as a list of it.
fn has_lists(message: &MessageDescriptor, fields: &Map<String, Value>) -> bool {
    fields.iter().all(|(name, value)| {
        let known = message.get_field_by_name(name).or(message.get_field_by_json_name(name));
        let Some(field) = known.filter(|field| !field.is_map()) else { return true };
        let inner = |value: &Value| match (field.kind(), value) {
            (Kind::Message(inner), Value::Object(fields)) => has_lists(&inner, fields),
            _ => true,
        };
        match value {
            Value::Array(items) if field.is_list() => items.iter().all(inner),
            value if field.is_list() => value.is_null(),
            value => inner(value),
        }
    })
}

/// Whether fields, and all within them, have names that GraphQL can write.
fn is_literal(fields: &Map<String, Value>) -> bool {
    let name = |name: &String| {
        let mut letters = name.bytes();
        let starts = letters.next().is_some_and(|byte| byte == b'_' || byte.is_ascii_alphabetic());
        starts && letters.all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
    };
    fn value(inner: &Value) -> bool {
        match inner {
            Value::Object(fields) => is_literal(fields),
            Value::Array(items) => items.iter().all(value),
            _ => true,
        }
    }
    fields.iter().all(|(key, inner)| name(key) && value(inner))
}

/// Writes values as GraphQL does. A map is a variable, for its keys may be no names.
#[derive(Default)]
struct Writer {
    variables: BTreeMap<String, Value>,
}

impl Writer {
    fn fields(&mut self, message: &MessageDescriptor, fields: &Map<String, Value>) -> String {
        let fields = fields.iter().map(|(name, value)| {
            let known = message.get_field_by_name(name).or(message.get_field_by_json_name(name));
            match known {
                Some(field) => format!("{}: {}", field.json_name(), self.value(&field, value)),
                None => format!("{name}: {}", literal(value)),
            }
        });
        fields.collect::<Vec<_>>().join(", ")
    }

    fn value(&mut self, field: &FieldDescriptor, value: &Value) -> String {
        match (value, field.kind()) {
            (value, _) if field.is_map() => {
                let name = format!("v{}", self.variables.len());
                self.variables.insert(name.clone(), value.clone());
                format!("${name}")
            }
            (Value::Array(items), _) => {
                let items = items.iter().map(|item| self.value(field, item));
                format!("[{}]", items.collect::<Vec<_>>().join(", "))
            }
            (Value::Object(fields), Kind::Message(message)) => {
                format!("{{{}}}", self.fields(&message, fields))
            }
            (Value::String(name), Kind::Enum(of)) if of.get_value_by_name(name).is_some() => {
                name.clone()
            }
            (value, _) => literal(value),
        }
    }
}

/// A value of which nothing is known.
fn literal(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name}: {}", literal(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}
