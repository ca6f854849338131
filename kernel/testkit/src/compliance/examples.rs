//! `examples.yaml`: what nobody can derive from the contract.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use stoa_contract::{AnyMessage, Contract, Format, Method, Permission, Result};
use stoa_node::Body;

/// The whole file. A word that is not known is an error: an example that asserts nothing would
/// pass for ever.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Examples {
    /// What happens before every example.
    #[serde(default)]
    pub(super) given: Vec<Step>,
    pub(super) methods: BTreeMap<String, OfMethod>,
}

/// A call that prepares.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) call: String,
    #[serde(rename = "as", default = "admin")]
    pub(super) caller: String,
    #[serde(default = "nothing")]
    pub(super) with: Value,
    /// Names for parts of the reply, by their paths.
    #[serde(default)]
    pub(super) keep: BTreeMap<String, String>,
}

/// The examples of one method.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfMethod {
    pub(super) success: Success,
    pub(super) denied: Option<Denied>,
    pub(super) invalid: Option<Invalid>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Success {
    #[serde(rename = "as", default = "admin")]
    pub(super) caller: String,
    #[serde(default = "nothing")]
    pub(super) with: Value,
    pub(super) gives: Option<Value>,
}

/// Whom the method refuses although the permission would let them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Denied {
    #[serde(rename = "as", default = "admin")]
    pub(super) caller: String,
    /// What the success asks for, where nothing else is said.
    pub(super) with: Option<Value>,
    pub(super) code: Option<String>,
    /// Why there is nobody.
    pub(super) none: Option<String>,
    /// Whether the refusal is kept: a wrong password counts.
    #[serde(default)]
    pub(super) remembered: bool,
}

/// What the method refuses although the contract's rules would not.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Invalid {
    #[serde(rename = "as", default = "admin")]
    pub(super) caller: String,
    pub(super) with: Value,
    pub(super) at: Vec<String>,
}

fn admin() -> String {
    "admin".to_owned()
}

fn nothing() -> Value {
    json!({})
}

impl Examples {
    /// Reads the file, and checks it against the contract.
    pub(super) fn read(text: &str, contract: &Contract) -> Self {
        let examples: Self =
            serde_yaml_ng::from_str(text).unwrap_or_else(|error| panic!("examples.yaml: {error}"));
        let shown = || contract.methods.iter().filter(|method| is_shown(method));
        for name in examples.methods.keys() {
            let known = shown().any(|method| method.name == name);
            assert!(known, "examples.yaml: a face shows no method {name}");
        }
        for method in shown() {
            let found = examples.methods.get(method.name);
            let found = found.unwrap_or_else(|| panic!("examples.yaml: none of {}", method.name));
            found.check(method);
        }
        examples
    }
}

/// Whether a method has examples: a face shows it, and it takes and gives one message.
pub(super) fn is_shown(method: &Method) -> bool {
    let streams = method.streams || method.takes_stream.is_some();
    method.permission != Permission::Internal && !streams
}

impl OfMethod {
    fn check(&self, method: &Method) {
        let name = method.name;
        match &self.success.gives {
            Some(Value::Object(gives)) => {
                assert!(!gives.is_empty(), "{name}: `gives` says nothing");
            }
            Some(_) => panic!("{name}: `gives` is a part of the reply, field by field"),
            None => assert!(method.reply.fields.is_empty(), "{name}: a success says what it gives"),
        }
        if let Some(denied) = &self.denied {
            let reason = denied.none.as_ref().is_some_and(|reason| !reason.trim().is_empty());
            assert!(
                denied.code.is_some() != reason,
                "{name}: denied has a code, or `none` a reason"
            );
        }
        // Who may call it at all follows from the permission; whose row it is does not.
        let has = |wanted: fn(&str) -> bool| method.request.fields.iter().any(|f| wanted(f.name));
        let names_a_row = has(|name| name == "id" || name.ends_with("_id"));
        let names_a_row = names_a_row && !has(|name| name == "page_size");
        if method.permission == Permission::Authenticated && names_a_row {
            assert!(self.denied.is_some(), "{name}: who is denied what belongs to another?");
        }
    }
}

/// Requests that break one rule of a field each, with the path where it is broken: `request` without
/// that field, with an empty text, a number below zero or a text without end.
pub(super) fn broken(
    method: &'static Method, request: &Map<String, Value>,
    decode: impl Fn(&[u8]) -> Result<Box<dyn AnyMessage>>,
) -> Vec<(Value, &'static str)> {
    let probes = [None, Some(json!("")), Some(json!(-1)), Some(json!("x".repeat(20_000)))];
    let found = method.request.fields.iter().filter_map(|field| {
        probes.iter().find_map(|probe| {
            let mut request = request.clone();
            request.remove(field.name);
            request.remove(field.json);
            request.extend(probe.iter().map(|probe| (field.json.to_owned(), probe.clone())));
            let request = Value::Object(request);
            let text = serde_json::to_vec(&request).unwrap();
            let error = decode(&text).ok()?.admit().err()?;
            let here = error.violations().iter().all(|violation| violation.path == field.name);
            here.then_some((request, field.name))
        })
    });
    found.collect()
}

/// The part of a reply at a path: `user.id`, `lines.0.sku`.
pub(super) fn part<'a>(reply: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(reply, |value, key| match key.parse::<usize>() {
        Ok(index) => value.get(index),
        Err(_) => value.get(key),
    })
}

/// Whether a reply holds everything that is wanted, and perhaps more; `*` is any text.
pub(super) fn contains(reply: &Value, wanted: &Value) -> bool {
    match (reply, wanted) {
        (Value::String(reply), Value::String(wanted)) if wanted == "*" => !reply.is_empty(),
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

/// A reply as JSON.
pub(super) fn shown(body: Body) -> Value {
    let Body::Message(reply) = body else { return Value::Null };
    serde_json::from_slice(&reply.encode(Format::Json).unwrap()).unwrap()
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use stoa_contract::{Field, Kind, Leaf, Shape, Value as Holds};

    use super::*;

    const fn field(name: &'static str) -> Field {
        Field { name, json: name, value: Holds::Leaf(Leaf::Text), redact: false, personal: false }
    }

    static ASKED: Shape = Shape { name: "Asked", fields: &[field("id")] };
    static GIVEN: Shape = Shape { name: "Given", fields: &[field("name")] };
    static EMPTY: Shape = Shape { name: "Empty", fields: &[] };

    const fn method(name: &'static str, permission: Permission, reply: &'static Shape) -> Method {
        Method {
            path: name,
            service: "things",
            name,
            doc: "",
            kind: Kind::Query,
            streams: false,
            takes_stream: None,
            batch_gets: None,
            permission,
            job: None,
            prompt: false,
            price: None,
            step_up: None,
            http: &[],
            request: &ASKED,
            reply,
        }
    }

    static GET: Method = method("Get", Permission::Authenticated, &GIVEN);
    static DROP: Method = method("Drop", Permission::Named("things.drop"), &EMPTY);
    static HIDDEN: Method = method("Hidden", Permission::Internal, &EMPTY);
    static THINGS: Contract = Contract {
        name: "things",
        full_name: "",
        doc: "",
        methods: &[&GET, &DROP, &HIDDEN],
        events: &[],
        descriptors: &[],
    };

    const GOOD: &str = "methods:
  Get:
    success: {with: {id: a}, gives: {name: A}}
    denied: {as: user:b, code: not_found}
  Drop:
    success: {with: {id: a}}
";

    /// What is wrong with the good examples, one text of them replaced.
    fn wrong(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "{from}");
        let text = GOOD.replacen(from, to, 1);
        let outcome = catch_unwind(AssertUnwindSafe(|| Examples::read(&text, &THINGS)));
        let panic = outcome.expect_err("the examples were taken");
        let said = panic.downcast_ref::<String>().cloned();
        said.or_else(|| panic.downcast_ref::<&str>().map(|&said| said.to_owned())).unwrap()
    }

    #[test]
    fn examples_that_would_assert_nothing_are_refused() {
        Examples::read(GOOD, &THINGS);
        for (from, to, said) in [
            ("gives:", "give:", "unknown field `give`"),
            (", gives: {name: A}", "", "a success says what it gives"),
            ("{name: A}", "{}", "`gives` says nothing"),
            ("  Drop:", "  Dorp:", "a face shows no method Dorp"),
            ("  Drop:", "  Hidden:", "a face shows no method Hidden"),
            ("  Drop:\n    success: {with: {id: a}}\n", "", "none of Drop"),
            ("    denied: {as: user:b, code: not_found}\n", "", "belongs to another?"),
            ("code: not_found", "none: ''", "a code, or `none` a reason"),
            (", code: not_found", "", "a code, or `none` a reason"),
        ] {
            let found = wrong(from, to);
            assert!(found.contains(said), "{to}: {found}");
        }
    }

    #[test]
    fn a_reply_is_compared_with_what_is_wanted() {
        let reply = json!({"id": "usr_1", "lines": [{"n": "3", "m": 1}], "empty": ""});
        let holds = |wanted: Value| contains(&reply, &wanted);
        assert!(holds(json!({"id": "*"})) && holds(json!({"lines": [{"n": 3}]})));
        assert!(!holds(json!({"empty": "*"})) && !holds(json!({"lines": []})));
        assert!(!holds(json!({"none": null})), "what is not there is not there");
        assert_eq!(part(&reply, "lines.0.n"), Some(&json!("3")));
        assert_eq!(part(&reply, "lines.1.n"), None);
    }
}
