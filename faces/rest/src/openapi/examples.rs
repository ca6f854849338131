//! What `examples.yaml` shows of a method, as a document shows it.

use serde_json::{Map, Value as Json};
use stoa_contract::{Contract, Format, Method};
use stoa_kit::{Registry, Service};

/// The examples of one service.
pub(super) struct Examples(Json);

/// A request, and what is said of its reply.
pub(super) struct Example {
    pub(super) request: Map<String, Json>,
    pub(super) reply: Option<Json>,
}

impl Example {
    /// What the request has at a path of names: `range.shelf`.
    pub(super) fn at(&self, path: &str) -> Option<&Json> {
        let mut names = path.split('.');
        let first = self.request.get(names.next()?)?;
        names.try_fold(first, |value, name| value.get(name))
    }
}

impl Examples {
    pub(super) fn of(registry: &Registry, contract: &Contract) -> Self {
        let has = |service: &&Service| service.contract.is_some_and(|it| it.name == contract.name);
        let text = registry.services().iter().find(has).map_or("", |service| service.examples);
        Self(serde_yaml_ng::from_str(text).unwrap_or_default())
    }

    /// The example of a method, in the one spelling of JSON that replies have.
    pub(super) fn find(&self, registry: &Registry, method: &Method) -> Option<Example> {
        let success = &self.0["methods"][method.name]["success"];
        success.as_object()?;
        let bound = registry.method(method.path)?;
        let text = |part: &Json| serde_json::to_vec(&named(part)).ok();
        let request = match &success["with"] {
            Json::Null => Map::new(),
            with => {
                let request = bound.decode_request(&text(with)?, Format::Json).ok()?;
                serde_json::from_slice(&request.encode(Format::Json).ok()?).ok()?
            }
        };
        let reply = || {
            let reply = bound.decode_reply(&text(&success["gives"])?, Format::Json).ok()?;
            serde_json::from_slice(&reply.encode(Format::Json).ok()?).ok()
        };
        Some(Example { request, reply: reply() })
    }
}

/// What an earlier step kept goes by its name: `${wallet}` is `wallet`.
fn named(part: &Json) -> Json {
    match part {
        Json::String(text) if text.contains("${") => text.replace("${", "").replace('}', "").into(),
        Json::Array(items) => items.iter().map(named).collect(),
        Json::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), named(value))).collect()
        }
        other => other.clone(),
    }
}
