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

use super::{refusal, sent, services};

pub(super) struct GraphQlFace {
    contracts: Vec<&'static Contract>,
    described: Described,
    /// Of any node: what reads replies is the same on all.
    registry: OnceLock<Arc<Registry>>,
}

impl GraphQlFace {
    pub(super) fn new() -> Self {
        let contracts = services().into_iter().filter_map(|service| service.contract);
        let contracts: Vec<_> = contracts.collect();
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

    fn request(&self, ask: &Ask) -> Request<Bytes> {
        let (query, variables) = self.document(ask);
        let body = json!({"query": query, "variables": variables}).to_string();
        sent(ask, Request::post("/graphql"), body)
    }

    fn heard(&self, ask: &Ask, answer: Response<Bytes>) -> Result<Value, Refusal> {
        let mut body: Value = serde_json::from_slice(answer.body()).unwrap();
        if let Some(error) = body["errors"].get(0) {
            let said = &error["extensions"];
            let reason = said["reason"].as_str();
            assert_ne!(reason, Some("graphql.invalid"), "{error} of {}", self.document(ask).0);
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
                None => format!("{name}: {value}"),
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
            (value, _) => value.to_string(),
        }
    }
}
