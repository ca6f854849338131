//! What every service is held to: `docs/spec/service.md`, asserted.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};
use stoa_contract::{Format, Permission};
use stoa_kit::{Caller, Error, Service};
use stoa_node::Body;

use crate::{Engine, Node, keyed, listed, run};

/// The files that every service has.
const FILES: [&str; 5] = ["README.md", "src/lib.rs", "src/api.rs", "examples.yaml", "tests/it.rs"];

/// Checks a service.
pub fn check(engine: Engine, service: Service, services: fn() -> Vec<Service>, folder: &str) {
    for file in FILES {
        assert!(Path::new(folder).join(file).exists(), "the service has no {file}");
    }
    assert!(service.contract.is_some(), "the service has no contract");
    let text = std::fs::read_to_string(Path::new(folder).join("examples.yaml")).unwrap();
    let examples: Examples = Examples::parse(&text);
    examples.check_complete(&service);
    let contract = service.contract.unwrap();
    for method in contract.methods {
        let Some(found) = examples.methods.get(method.name) else { continue };
        for kind in ["success", "denied", "invalid"] {
            let (name, example) = (format!("{}.{kind}", method.name), found[kind].clone());
            run(engine, services(), async |node| {
                let mut world = examples.world(&node).await;
                world.example(&name, method.path, kind, &example).await;
            });
        }
    }
    keyed::check(engine, &service, services, &examples);
    listed::check(engine, &service, services, &examples);
}

pub(crate) struct Examples {
    given: Vec<Value>,
    methods: BTreeMap<String, Value>,
}

impl Examples {
    fn parse(text: &str) -> Self {
        let root: Value = serde_yaml_ng::from_str(text).expect("examples.yaml is YAML");
        let given = root["given"].as_array().cloned().unwrap_or_default();
        let methods = root["methods"].as_object().cloned().unwrap_or_default();
        Self { given, methods: methods.into_iter().collect() }
    }

    /// The example of a method that succeeds.
    pub(crate) fn success(&self, method: &str) -> Option<&Value> {
        self.methods.get(method).and_then(|found| found.get("success"))
    }

    /// A node after what happens before every example.
    pub(crate) async fn world(&self, node: &Node) -> World {
        let mut world = World { node: node.clone(), kept: BTreeMap::new() };
        for step in &self.given {
            world.prepare(step).await;
        }
        world
    }

    /// A success, a denied and an invalid example for every method that a face shows.
    fn check_complete(&self, service: &Service) {
        for method in service.contract.unwrap().methods {
            // A stream has no single reply; its tests are the service's own.
            if method.permission == Permission::Internal || method.streams {
                continue;
            }
            for kind in ["success", "denied", "invalid"] {
                let found = self.methods.get(method.name).is_some_and(|m| m.get(kind).is_some());
                assert!(found, "examples.yaml has no `{kind}` example of {}", method.name);
            }
        }
    }
}

/// A node, and what earlier steps kept for later ones.
pub(crate) struct World {
    node: Node,
    kept: BTreeMap<String, String>,
}

impl World {
    async fn prepare(&mut self, step: &Value) {
        let call = step["call"].as_str().expect("a step names what it calls");
        let (service, method) = call.split_once('.').expect("a step calls `service.Method`");
        let path = {
            let registry = self.node.inner().registry();
            let contracts = registry.services().iter().filter_map(|service| service.contract);
            contracts
                .filter(|contract| contract.name == service)
                .flat_map(|contract| contract.methods)
                .find(|known| known.name == method)
                .unwrap_or_else(|| panic!("there is no method {call}"))
                .path
        };
        let reply = self.send(path, step, None).await;
        let reply = reply.unwrap_or_else(|error| panic!("given {call}: {error:?}"));
        for (name, at) in step["keep"].as_object().unwrap_or(&Map::new()) {
            let at = at.as_str().expect("what is kept is named by its path");
            let value = at.split('.').fold(&reply, |value, key| match key.parse::<usize>() {
                Ok(index) => &value[index],
                Err(_) => &value[key],
            });
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.kept.insert(name.clone(), value);
        }
        self.node.settle().await;
    }

    async fn example(&mut self, name: &str, path: &str, kind: &str, example: &Value) {
        if example.get("none").is_some() {
            assert_eq!(kind, "denied", "{name}: only a denied example can be missing");
            return;
        }
        let outcome = self.send(path, example, None).await;
        match kind {
            "success" => {
                let reply = outcome.unwrap_or_else(|error| panic!("{name}: {error:?}"));
                let wanted = self.fill(&example["gives"]);
                assert!(contains(&reply, &wanted), "{name}: {reply:#} does not hold {wanted:#}");
            }
            "denied" => {
                let error = outcome.err().unwrap_or_else(|| panic!("{name} was not denied"));
                let wanted = example["code"].as_str().expect("a denied example has a code");
                let code = format!("{:?}", error.code()).trim_start_matches("CODE_").to_lowercase();
                assert_eq!(code, wanted, "{name}: {error:?}");
                assert!(!error.next().is_empty(), "{name} does not say what to do next");
            }
            _ => {
                let error = outcome.err().unwrap_or_else(|| panic!("{name} was not refused"));
                let wanted: Vec<&str> = example["at"]
                    .as_array()
                    .expect("an invalid example names paths")
                    .iter()
                    .map(|path| path.as_str().unwrap())
                    .collect();
                let mut found: Vec<&str> =
                    error.violations().iter().map(|violation| violation.path.as_str()).collect();
                found.dedup();
                assert_eq!(found, wanted, "{name}: {error:?}");
            }
        }
    }

    /// Calls with a key: by an administrator what nobody in particular may call, for strangers
    /// have no keys.
    pub(crate) async fn send(
        &self,
        path: &str,
        example: &Value,
        key: Option<&str>,
    ) -> Result<Value, Error> {
        let caller = match self.caller(example["as"].as_str().unwrap_or("admin")) {
            nobody if nobody.is_anonymous() && key.is_some() => self.node.admin(),
            caller => caller,
        };
        self.ask(path, &caller, &example["with"], key).await
    }

    /// Calls as somebody.
    pub(crate) async fn ask(
        &self,
        path: &str,
        caller: &Caller,
        with: &Value,
        key: Option<&str>,
    ) -> Result<Value, Error> {
        let request = self.fill(with);
        let request = if request.is_null() { json!({}) } else { request };
        let registry = self.node.inner().registry().clone();
        let bound = registry.method(path).expect("the method is bound");
        let text = serde_json::to_vec(&request).unwrap();
        let request = bound.decode_request(&text, Format::Json)?;
        let answer = self.node.dispatch(path, caller, "127.0.0.1", key, request).await?;
        let Body::Message(reply) = answer.body else { return Ok(Value::Null) };
        Ok(serde_json::from_slice(&reply.encode(Format::Json)?).unwrap())
    }

    /// `admin`, `nobody`, `system`, `user:<id>`, or `user:<id> with=<permission>,<permission>`.
    fn caller(&self, name: &str) -> Caller {
        let name = self.text(name);
        match name.as_str() {
            "admin" => self.node.admin(),
            "nobody" => self.node.nobody(),
            "system" => self.node.system(),
            other => {
                let (user, permissions) = other.split_once(" with=").unwrap_or((other, ""));
                let user = user.strip_prefix("user:").unwrap_or_else(|| panic!("who is {other}?"));
                let permissions: Vec<&str> =
                    permissions.split(',').filter(|text| !text.is_empty()).collect();
                self.node.user_with(user, &permissions)
            }
        }
    }

    /// A value with `${name}` replaced by what was kept.
    fn fill(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(key, value)| (self.text(key), self.fill(value)))
                .collect::<Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }

    fn text(&self, text: &str) -> String {
        self.kept.iter().fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("${{{name}}}"), value)
        })
    }
}

/// Whether a reply holds everything that is wanted, and perhaps more.
fn contains(reply: &Value, wanted: &Value) -> bool {
    match (reply, wanted) {
        (_, Value::Null) => true,
        (Value::Object(reply), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, value)| reply.get(key).is_some_and(|found| contains(found, value))),
        (Value::Array(reply), Value::Array(wanted)) => {
            reply.len() == wanted.len()
                && reply.iter().zip(wanted).all(|(found, value)| contains(found, value))
        }
        // Protobuf's JSON writes 64-bit numbers as strings.
        (Value::String(reply), Value::Number(wanted)) => *reply == wanted.to_string(),
        (reply, wanted) => reply == wanted,
    }
}
