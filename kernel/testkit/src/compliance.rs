//! What every service is held to: `docs/spec/service.md`, asserted.
//!
//! Three kinds of nodes run the examples. On the first, a *decoy* does what the examples do, as
//! another tenant, before anybody else does; then everything is tried that must change nothing:
//! queries, and calls that are refused. Each command that succeeds has a node of its own, a copy of
//! the first. On all of them nothing of the decoy may show, and none of its rows may change.

mod batched;
mod denied;
mod examples;
mod faces;
mod keyed;
mod listed;
mod mutated;
mod narrowed;
mod watched;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value};
use stoa_contract::{Code, Format, Kind, Method, Permission, Shape, Value as Holds};
use stoa_kit::{Caller, Error, MAIN, Micros, Service};

pub use denied::denied_by_way_of;
pub use faces::{Ask, Refusal, Same, Speaker, same_by_way_of};
pub use mutated::{Tried, mutated_by_way_of};

use crate::bench::{Bench, Setup};
use crate::home::Row;
use crate::node::proven;
use crate::{Engine, Node};
use examples::{
    Denied, Examples, OfMethod, Step, Success, broken, contains, is_shown, part, shown,
};

/// The files that every service has.
const FILES: [&str; 5] = ["README.md", "src/lib.rs", "src/api.rs", "examples.yaml", "tests/it.rs"];

/// Shorter texts are somewhere on a disk by chance.
const PERSONAL_MIN: usize = 6;

/// The tenant that nobody else may notice.
const DECOY: &str = "decoy";

/// Checks a service.
pub fn check(engine: Engine, service: Service, services: fn() -> Vec<Service>, folder: &str) {
    for file in FILES {
        assert!(Path::new(folder).join(file).exists(), "the service has no {file}");
    }
    let contract = service.contract.expect("the service has no contract");
    let text = std::fs::read_to_string(Path::new(folder).join("examples.yaml")).unwrap();
    assert!(service.examples == text, "the manifest does not show examples.yaml");
    let examples = Examples::read(&text, contract);
    let methods = || contract.methods.iter().copied().filter(|method| is_shown(method));
    let bench = Bench::new(engine, &services());
    let examples = &examples;
    let (kept, left) = bench.run(services(), Setup::in_turn(), |node| async move {
        let decoy = decoy(&node, examples, service.name).await;
        let mut world = World::new(node, MAIN, decoy);
        for step in &examples.given {
            let outcome = world.prepare(step).await;
            outcome.unwrap_or_else(|error| panic!("given {}: {error:?}", step.call));
        }
        for method in methods() {
            world.unchanging(method, &examples.methods[method.name]).await;
        }
        world.check_decoy().await;
        world.check_personal().await;
        (world.kept, world.decoy)
    });
    for method in methods().filter(|method| method.kind != Kind::Query) {
        let success = &examples.methods[method.name].success;
        let (kept, left) = (kept.clone(), left.clone());
        bench.copy().run(services(), Setup::in_turn(), |node| async move {
            let mut world = World { kept, ..World::new(node, MAIN, left) };
            world.success(method, success).await;
            world.check_decoy().await;
            world.check_personal().await;
        });
    }
    keyed::check(engine, contract, services, examples);
    listed::check(engine, contract, services, examples);
    batched::check(engine, contract, services, examples);
    watched::check(engine, contract, services, examples);
}

/// What a tenant left whom nobody may notice.
#[derive(Clone, Default)]
struct Decoy {
    /// The identifiers that it was given.
    ids: BTreeSet<String>,
    /// Its rows, those of the kernel aside.
    rows: Vec<Row>,
}

/// Does as another tenant what the examples do, as far as it goes in a row.
async fn decoy(node: &Node, examples: &Examples, service: &str) -> Decoy {
    node.create_tenant(DECOY).await;
    let mut world = World::new(node.clone(), DECOY, Decoy::default());
    for step in &examples.given {
        let _ = world.prepare(step).await;
    }
    for example in examples.methods.iter().map(|(name, of)| (format!("{service}.{name}"), of)) {
        let (call, OfMethod { success, .. }) = example;
        let _ = world.call(world.path(&call), &success.caller, &success.with).await;
    }
    node.settle().await;
    world.decoy.rows = rows_of_decoy(node).await;
    let own = format!("{service}_");
    let left = world.decoy.rows.iter().any(|row| row.table.starts_with(&own));
    assert!(left || examples.given.is_empty(), "the decoy left no row");
    world.decoy
}

async fn rows_of_decoy(node: &Node) -> Vec<Row> {
    let mut rows = node.kept().await.rows;
    rows.retain(|row| row.tenant == DECOY.as_bytes() && !row.table.starts_with("stoa_"));
    rows
}

/// A node, and what earlier steps kept for later ones.
struct World {
    node: Node,
    tenant: &'static str,
    kept: BTreeMap<String, String>,
    decoy: Decoy,
    /// What was shown of people, wherever the contract says that it is about one.
    personal: BTreeSet<String>,
}

impl World {
    fn new(node: Node, tenant: &'static str, decoy: Decoy) -> Self {
        Self { node, tenant, kept: BTreeMap::new(), decoy, personal: BTreeSet::new() }
    }

    /// A node after what happens before every example, and no decoy.
    async fn ready(node: &Node, examples: &Examples) -> Self {
        let mut world = Self::new(node.clone(), MAIN, Decoy::default());
        for step in &examples.given {
            let outcome = world.prepare(step).await;
            outcome.unwrap_or_else(|error| panic!("given {}: {error:?}", step.call));
        }
        world
    }

    async fn prepare(&mut self, step: &Step) -> Result<(), Error> {
        let reply = self.call(self.path(&step.call), &step.caller, &step.with).await?;
        for (name, path) in &step.keep {
            let value = part(&reply, path);
            let value = value.unwrap_or_else(|| panic!("{}: no {path} in {reply:#}", step.call));
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.kept.insert(name.clone(), value);
        }
        self.node.settle().await;
        Ok(())
    }

    /// Everything about a method that must leave nothing behind.
    async fn unchanging(&mut self, method: &'static Method, examples: &OfMethod) {
        let OfMethod { success, denied, invalid } = examples;
        if method.kind == Kind::Query {
            let before = self.node.last().await;
            self.success(method, success).await;
            assert_eq!(self.node.last().await, before, "{}: a query that commits", method.name);
        }
        let stranger = match method.permission {
            Permission::Named(_) => Some(("user:usr_stranger", Code::PermissionDenied)),
            _ => None,
        };
        let nobody = match method.permission {
            Permission::Public | Permission::Internal => None,
            _ => Some(("nobody", Code::Unauthenticated)),
        };
        for (caller, code) in stranger.into_iter().chain(nobody) {
            let denied = Denied {
                caller: caller.to_owned(),
                with: None,
                code: Some(code_in_words(code)),
                none: None,
                remembered: false,
            };
            self.denied(method, success, &denied).await;
        }
        if let Some(denied) = denied.as_ref().filter(|denied| denied.none.is_none()) {
            self.denied(method, success, denied).await;
        }
        let Value::Object(request) = self.fill(&success.with) else {
            panic!("{}: `with` is a request, field by field", method.name)
        };
        let mut nonsense = request.clone();
        nonsense.insert("nonsense".to_owned(), Value::Bool(true));
        self.invalid(method, &success.caller, &Value::Object(nonsense), &["nonsense"]).await;
        let registry = self.node.inner().registry().clone();
        let bound = registry.method(method.path).expect("the method is bound");
        let decode = |text: &[u8]| bound.decode_request(text, Format::Json);
        for (request, path) in broken(method, &request, decode) {
            self.invalid(method, &success.caller, &request, &[path]).await;
        }
        if let Some(invalid) = invalid {
            let at: Vec<&str> = invalid.at.iter().map(String::as_str).collect();
            self.invalid(method, &invalid.caller, &invalid.with, &at).await;
        }
    }

    async fn success(&mut self, method: &Method, success: &Success) {
        let outcome = self.call(method.path, &success.caller, &success.with).await;
        let reply = outcome.unwrap_or_else(|error| panic!("{}: {error:?}", method.name));
        if let Some(wanted) = &success.gives {
            let wanted = self.fill(wanted);
            assert!(
                contains(&reply, &wanted),
                "{}: {reply:#} does not hold {wanted:#}",
                method.name
            );
        }
    }

    async fn denied(&mut self, method: &Method, success: &Success, denied: &Denied) {
        let name = format!("{} as {}", method.name, denied.caller);
        let with = denied.with.as_ref().unwrap_or(&success.with);
        let before = self.node.last().await;
        let outcome = self.call(method.path, &denied.caller, with).await;
        let error = outcome.err().unwrap_or_else(|| panic!("{name} was not denied"));
        let wanted = denied.code.as_deref().unwrap_or_default();
        assert_eq!(code_in_words(error.code()), wanted, "{name}: {error:?}");
        assert!(!error.next().is_empty(), "{name} does not say what to do next");
        let remembered = self.node.last().await != before;
        assert_eq!(remembered, denied.remembered, "{name}: is the refusal kept?");
    }

    async fn invalid(&mut self, method: &Method, caller: &str, with: &Value, at: &[&str]) {
        let name = format!("{} with {with}", method.name);
        let before = self.node.last().await;
        let outcome = self.call(method.path, caller, with).await;
        let error = outcome.err().unwrap_or_else(|| panic!("{name} was not refused"));
        let mut found: Vec<&str> =
            error.violations().iter().map(|violation| violation.path.as_str()).collect();
        found.dedup();
        assert_eq!(found, at, "{name}: {error:?}");
        assert_eq!(self.node.last().await, before, "{name}: was refused, and committed");
    }

    async fn check_decoy(&self) {
        let rows = rows_of_decoy(&self.node).await;
        assert!(rows == self.decoy.rows, "rows of another tenant have changed");
    }

    /// Nothing that was shown of people is on the disk as it is.
    async fn check_personal(&self) {
        let shown = self.personal.iter().map(String::as_bytes);
        if let Some(leaked) = self.node.first_on_disk(shown).await {
            panic!("kept as it is, and about a person: {}", String::from_utf8_lossy(&leaked));
        }
    }

    /// Calls, and looks for the decoy in the reply.
    async fn call(&mut self, path: &str, caller: &str, with: &Value) -> Result<Value, Error> {
        let reply = self.ask(path, &self.caller(caller), with, None).await?;
        let registry = self.node.inner().registry();
        let shape = registry.method(path).map(|bound| bound.method.reply);
        shape.into_iter().for_each(|shape| personal(shape, &reply, &mut self.personal));
        if self.tenant == DECOY {
            identifiers(&reply, &mut self.decoy.ids);
        } else {
            let mut ids = BTreeSet::new();
            identifiers(&reply, &mut ids);
            let shown = self.decoy.ids.intersection(&ids).next();
            assert_eq!(shown, None, "{path} shows what belongs to another tenant");
        }
        Ok(reply)
    }

    /// Calls as somebody, with an idempotency key or without.
    async fn ask(
        &self, path: &str, caller: &Caller, with: &Value, key: Option<&str>,
    ) -> Result<Value, Error> {
        let text = serde_json::to_vec(&self.fill(with)).unwrap();
        let registry = self.node.inner().registry().clone();
        let bound = registry.method(path).expect("the method is bound");
        let request = bound.decode_request(&text, Format::Json)?;
        let answer = self.node.dispatch(path, caller, "127.0.0.1", key, request).await?;
        Ok(shown(answer.body))
    }

    /// The path of `service.Method`.
    fn path(&self, call: &str) -> &'static str {
        let (service, method) = call.split_once('.').expect("a step calls `service.Method`");
        let registry = self.node.inner().registry();
        let contracts = registry.services().iter().filter_map(|service| service.contract);
        let mut methods = contracts
            .filter(|contract| contract.name == service)
            .flat_map(|contract| contract.methods);
        let found = methods.find(|known| known.name == method);
        found.unwrap_or_else(|| panic!("there is no method {call}")).path
    }

    fn caller(&self, name: &str) -> Caller {
        caller(self.tenant, &self.text(name))
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

/// The texts of a reply that are about people, and long enough not to be there by chance.
fn personal(shape: &Shape, reply: &Value, found: &mut BTreeSet<String>) {
    for field in shape.fields {
        let Some(value) = reply.get(field.json) else { continue };
        match field.value {
            _ if field.personal => texts(value, found),
            Holds::Leaf(_) | Holds::Leaves(_) | Holds::LeafMap(_) => {}
            Holds::Message(inner) => personal(inner, value, found),
            Holds::List(inner) => {
                value.as_array().into_iter().flatten().for_each(|one| personal(inner, one, found));
            }
            Holds::Map(inner) => {
                let entries = value.as_object().into_iter().flatten();
                entries.for_each(|(_, one)| personal(inner, one, found));
            }
        }
    }
}

fn texts(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.len() >= PERSONAL_MIN => {
            found.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

/// `admin`, `nobody`, `system`, `user:<id>`, and of a user ` session=<id>` and
/// ` with=<permission>,<permission>`.
fn caller(tenant: &str, name: &str) -> Caller {
    match name {
        "admin" => proven(Caller::of(tenant, "user:usr_admin", &["*"]), Micros(i64::MAX)),
        "nobody" => Caller::anonymous(tenant),
        "system" => Caller::system(tenant),
        other => {
            let (user, permissions) = other.split_once(" with=").unwrap_or((other, ""));
            let (user, session) = user.split_once(" session=").unwrap_or((user, ""));
            assert!(user.starts_with("user:"), "who is {other}?");
            let permissions: Vec<&str> =
                permissions.split(',').filter(|text| !text.is_empty()).collect();
            let caller = proven(Caller::of(tenant, user, &permissions), Micros(i64::MAX));
            Caller { credential: session.into(), ..caller }
        }
    }
}

/// The texts of a reply that can belong to one row only: `usr_` and what is drawn for it.
fn identifiers(reply: &Value, found: &mut BTreeSet<String>) {
    match reply {
        Value::String(text) if text.split_once('_').is_some_and(|(_, id)| id.len() >= 20) => {
            found.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| identifiers(item, found)),
        Value::Object(fields) => fields.values().for_each(|value| identifiers(value, found)),
        _ => {}
    }
}

fn code_in_words(code: Code) -> String {
    format!("{code:?}").trim_start_matches("CODE_").to_lowercase()
}
