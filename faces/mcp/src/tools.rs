//! The methods of a node as tools, each made when it is first asked for.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use prost_reflect::MessageDescriptor;
use rmcp::model::{JsonObject, ListToolsResult, MetaObject, Tool};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use stoa_contract::described::Described;
use stoa_contract::schema::Schemas;
use stoa_contract::v1::Money;
use stoa_contract::{Contract, Method, Permission};
use stoa_kit::{Caller, Code, Error, Result};

use crate::search::Words;
use crate::{gather, hints, search};

/// The longest name that hosts of agents take.
const NAME_MAX: usize = 64;
/// So many tools are listed one by one. The descriptions of more would be most of what an agent has
/// in mind, and hosts leave out what is beyond some dozens: more are searched for.
const LISTED_MAX: usize = 40;
/// Tools in a page of the list.
const PAGE: usize = 50;

/// The tools of a node, by their names.
pub(crate) struct Tools(BTreeMap<String, Entry>);

/// A method as a tool.
pub(crate) struct Entry {
    pub(crate) method: &'static Method,
    pub(crate) words: Words,
    made: OnceLock<Tool>,
}

/// The page of a list that is asked for.
#[derive(Deserialize)]
pub(crate) struct Paged {
    #[serde(default)]
    pub(crate) cursor: Option<String>,
}

impl Tools {
    pub(crate) fn new(contracts: impl Iterator<Item = &'static Contract>) -> Self {
        let methods = contracts.flat_map(|contract| {
            let shown = |method: &&'static Method| {
                method.permission != Permission::Internal && !method.is_raw()
            };
            contract.methods.iter().copied().filter(shown).map(move |method| (contract, method))
        });
        let methods: Vec<(&'static Contract, &'static Method)> = methods.collect();
        let mut taken: HashMap<String, usize> =
            search::NAMES.into_iter().map(|name| (name.to_owned(), 1)).collect();
        for (_, method) in &methods {
            *taken.entry(plain(method)).or_default() += 1;
        }
        let entries = methods.into_iter().map(|(contract, method)| {
            let words = Words::of(contract, method);
            let entry = Entry { method, words, made: OnceLock::new() };
            (name(method, |plain| taken.get(plain) == Some(&1)), entry)
        });
        Self(entries.collect())
    }

    /// A tool by its name, whoever may call it.
    pub(crate) fn get(&self, name: &str) -> Option<&Entry> {
        self.0.get(name)
    }

    /// The tools that somebody may call, of some services or of all.
    pub(crate) fn of<'a>(
        &'a self, caller: &Caller, services: &[&str],
    ) -> Vec<(&'a str, &'a Entry)> {
        let shown = |entry: &Entry| {
            let asked = services.is_empty() || services.contains(&entry.method.service);
            asked && caller.may_call(entry.method)
        };
        let all = self.0.iter().filter(|(_, entry)| shown(entry));
        all.map(|(name, entry)| (name.as_str(), entry)).collect()
    }

    /// A page of what somebody is handed: their tools, those of the services that they chose, or what
    /// finds one among too many.
    ///
    /// # Errors
    /// `mcp.cursor`.
    pub(crate) fn list(
        &self, described: &Described, caller: &Caller, services: &[&str], paged: &Paged,
    ) -> Result<ListToolsResult> {
        let tools = self.of(caller, services);
        let (page, next) = match services.is_empty() && tools.len() > LISTED_MAX {
            true => (search::tools(), None),
            false => {
                let (page, next) = page(&tools, paged)?;
                let page = page.iter().map(|(name, entry)| entry.tool(name, described));
                (page.collect::<Result<_>>()?, next)
            }
        };
        let mut list = ListToolsResult::with_all_items(page);
        (list.result_type, list.next_cursor) = (None, next);
        Ok(list)
    }
}

/// A page of what is sorted by name, and the name to go on behind.
///
/// # Errors
/// `mcp.cursor` for one that no page gave.
pub(crate) fn page<'a, T>(
    all: &'a [(&'a str, T)], paged: &Paged,
) -> Result<(&'a [(&'a str, T)], Option<String>)> {
    let start = match &paged.cursor {
        None => 0,
        Some(cursor) => {
            let place = all.binary_search_by(|(name, _)| (*name).cmp(cursor.as_str()));
            place.map_err(|_| {
                let message = "this cursor was given by no page";
                Error::new(Code::InvalidArgument, "mcp.cursor", message)
                    .help("Begin with the first page, without a cursor.")
            })? + 1
        }
    };
    let page = &all[start..all.len().min(start + PAGE)];
    let is_last = start + page.len() == all.len();
    let next = page.last().filter(|_| !is_last).map(|(name, _)| (*name).to_owned());
    Ok((page, next))
}

/// `ledger_create_transfer`.
fn plain(method: &Method) -> String {
    method.scope().replace('.', "_")
}

/// The name of a tool. One that is too long, or that another tool would have as well, ends with what
/// only its method has.
fn name(method: &Method, is_own: impl Fn(&str) -> bool) -> String {
    let plain = plain(method);
    if plain.len() <= NAME_MAX && is_own(&plain) {
        return plain;
    }
    let mark = &blake3::hash(method.path.as_bytes()).to_hex()[..6];
    let kept = &plain[..plain.len().min(NAME_MAX - 1 - mark.len())];
    format!("{kept}_{mark}")
}

impl Entry {
    /// The tool.
    ///
    /// # Errors
    /// `internal` for a method without a descriptor.
    pub(crate) fn tool(&self, name: &str, described: &Described) -> Result<Tool> {
        if let Some(made) = self.made.get() {
            return Ok(made.clone());
        }
        let tool = self.make(name, described)?;
        Ok(self.made.get_or_init(|| tool).clone())
    }

    fn make(&self, name: &str, described: &Described) -> Result<Tool> {
        let method = self.method;
        let found = described.method(method.path);
        let found = found.ok_or_else(|| Error::internal("a method without a descriptor"))?;
        let comment = described.comment(&found.parent_file(), found.path());
        let price = method.price.map(Money::from);
        let mut description = format!("{comment}\n\n{}", who(method));
        if let Some(price) = &price {
            description = format!("{description} A call costs {}.", price.words());
        }
        let mut input = object(Schemas::new(described, "#/$defs"), &found.input());
        input.insert("additionalProperties".to_owned(), Json::Bool(false));
        let mut output =
            object(Schemas::new(described, "#/$defs").without_rules(), &found.output());
        if method.streams {
            description = format!("{description}\n\n{}", gather::BOUNDS);
            output = gathered(output);
        }
        let tool = Tool::new(name.to_owned(), description, Arc::new(input));
        let mut tool = tool.with_raw_output_schema(Arc::new(output));
        tool.meta = price.map(|Money { amount, currency }| {
            let price = json!({"amount": amount.to_string(), "currency": currency});
            MetaObject(JsonObject::from_iter([("stoa/price".to_owned(), price)]))
        });
        Ok(tool.with_title(hints::title(method)).with_annotations(hints::of(method)))
    }
}

fn who(method: &Method) -> String {
    match method.permission {
        Permission::Public => "For everybody.".to_owned(),
        Permission::Named(name) => format!("Needs the permission `{name}`."),
        _ => "For everybody who signed in.".to_owned(),
    }
}

/// A message with all that it refers to.
fn object(mut schemas: Schemas<'_>, message: &MessageDescriptor) -> JsonObject {
    let Json::Object(mut object) = schemas.object(message, &[]) else { return JsonObject::new() };
    if !schemas.made.is_empty() {
        object.insert("$defs".to_owned(), json!(schemas.made));
    }
    object
}

/// What a stream comes to: its messages, each as `message` says.
fn gathered(mut message: JsonObject) -> JsonObject {
    let defs = message.remove("$defs");
    let mut schema = json!({
        "type": "object",
        "properties": {
            "messages": {"type": "array", "items": message},
            "ended": {
                "type": "boolean",
                "description": "Whether there is no more. Else more can come after the last message.",
            },
        },
    });
    if let Some(defs) = defs {
        schema["$defs"] = defs;
    }
    match schema {
        Json::Object(schema) => schema,
        _ => JsonObject::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail")]
mod tests {
    use stoa_testkit::{Cost, made_up};

    use super::*;

    mod contract {
        stoa_contract::contract!("garden", "tests/proto");
    }

    fn page(cursor: Option<String>) -> Paged {
        Paged { cursor }
    }

    #[test]
    fn ninety_services_are_listed_within_a_second_and_little_memory() {
        let contracts = made_up(&contract::CONTRACT, 90);
        let caller = Caller::of("main", "user:usr_ada", &["*"]);
        let all: Vec<&str> = contracts.iter().map(|contract| contract.name).collect();
        let ((tools, described), cost) = Cost::of(|| {
            let tools = Tools::new(contracts.iter().copied());
            let described = Described::new(&contracts).unwrap();
            let listed = tools.list(&described, &caller, &[], &page(None)).unwrap();
            let names: Vec<_> = listed.tools.iter().map(|tool| &*tool.name).collect();
            assert_eq!((names, listed.next_cursor), (search::NAMES.to_vec(), None));
            let one = tools.list(&described, &caller, &["gard07"], &page(None)).unwrap();
            assert_eq!(one.tools.len(), 7);
            (tools, described)
        });
        cost.is_bearable();
        let made = tools.0.values().filter(|entry| entry.made.get().is_some());
        assert_eq!(made.count(), 7, "what nobody was shown is not made");

        let (seen, cost) = Cost::of(|| {
            let (mut seen, mut next) = (Vec::new(), None);
            loop {
                let listed = tools.list(&described, &caller, &all, &page(next)).unwrap();
                assert!(listed.tools.len() <= PAGE);
                seen.extend(listed.tools.into_iter().map(|tool| tool.name));
                next = listed.next_cursor;
                if next.is_none() {
                    return seen;
                }
            }
        });
        cost.is_bearable();
        assert_eq!(seen.len(), 90 * 7);
        assert!(seen.is_sorted(), "each is listed once");
    }

    #[test]
    fn names_are_short_and_each_is_of_one_method() {
        let method = |service: &'static str, name: &'static str| -> &'static Method {
            let path = format!("stoa.{service}.v1.Service/{name}").leak();
            Box::leak(Box::new(Method { path, service, name, ..*contract::CONTRACT.methods[0] }))
        };
        let of = |methods: Vec<&'static Method>| {
            let contract = Contract { methods: methods.leak(), ..contract::CONTRACT };
            let tools = Tools::new([&*Box::leak(Box::new(contract))].into_iter());
            tools.0.into_iter().map(|(name, entry)| (entry.method.path, name)).collect()
        };
        let long = "CreateSomethingWithANameThatGoesOnAndOnAndOnAndOnAndOnAndOnAndOn";
        let twins = [method("audit", "LogGet"), method("audit_log", "Get")];
        let named: HashMap<&str, String> =
            of([&twins[..], &[method("garden", long), method("search", "Tools")]].concat());
        assert_eq!(named.len(), 4, "{named:?}");
        assert!(named.values().all(|name| name.len() <= NAME_MAX), "{named:?}");
        assert!(!named.values().any(|name| search::NAMES.contains(&name.as_str())), "{named:?}");
        let alone = of(vec![twins[0]]);
        assert_eq!(alone[twins[0].path], "audit_log_get");
        let other_way = of(vec![twins[1], twins[0]]);
        assert_eq!(other_way[twins[0].path], named[twins[0].path], "whichever comes first");
    }
}
