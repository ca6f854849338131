//! What a list is narrowed by: each combination of filters is a statement of its own, so each is
//! asked for, of every list, for rows that are there.

use serde_json::{Map, Value, json};
use stoa_contract::{Contract, Leaf, Method, Permission, Value as Holds};
use stoa_kit::Code;

use super::World;
use super::examples::Examples;

/// A list has more filters than this only if somebody says why it can be tested otherwise.
const FILTERS_MAX: usize = 8;

/// Asks every list of a service for all combinations of what it can be narrowed by.
pub(super) async fn check(world: &World, contract: &Contract, examples: &Examples) {
    for list in contract.methods.iter().copied() {
        let Some(rows) = listed(list).filter(|_| examples.methods.contains_key(list.name)) else {
            continue;
        };
        let base = world.fill(&examples.methods[list.name].success.with);
        let base = base.as_object().cloned().unwrap_or_default();
        let all = ask(world, list, &base).await.expect(list.name);
        let Some(row) = all[rows].get(0).and_then(Value::as_object) else { continue };
        let filters = filters(list, &base, row);
        assert!(filters.len() <= FILTERS_MAX, "{} has {} filters", list.name, filters.len());
        for chosen in 0..1_u32 << filters.len() {
            let bit = |at: usize| chosen >> at & 1 == 1;
            let chosen: Vec<_> =
                filters.iter().enumerate().filter_map(|(at, it)| bit(at).then_some(it)).collect();
            let mut request = base.clone();
            request.extend(chosen.iter().map(|it| (it.name.to_owned(), it.value.clone())));
            narrowed(world, list, (rows, row), &chosen, &request).await;
        }
    }
}

/// A field of a request that narrows a list.
#[derive(Debug)]
struct Filter {
    name: &'static str,
    /// What it is narrowed to.
    value: Value,
    /// The field of a row that must be like it; none where the contract's words alone say.
    row: Option<&'static str>,
}

/// The list in a method's reply, by its name.
fn listed(method: &Method) -> Option<&'static str> {
    let is_list = method.name.starts_with("List") && !method.streams;
    let list = method.reply.fields.iter().find(|field| matches!(field.value, Holds::List(_)));
    list.filter(|_| is_list && method.permission != Permission::Internal).map(|list| list.json)
}

/// What a list can be narrowed by so that a row stays.
fn filters(list: &Method, base: &Map<String, Value>, row: &Map<String, Value>) -> Vec<Filter> {
    let fields = list.request.fields.iter().filter(|field| {
        !["page_size", "page_token"].contains(&field.name)
            && !base.contains_key(field.name)
            && !base.contains_key(field.json)
    });
    let filters = fields.filter_map(|field| {
        let prefix = field.json.strip_suffix("Prefix").unwrap_or(field.json);
        match field.value {
            Holds::Leaf(Leaf::Bool) => {
                Some(Filter { name: field.json, value: json!(true), row: None })
            }
            Holds::Leaf(Leaf::Text) => row.get_key_value(prefix).map(|(_, value)| Filter {
                name: field.json,
                value: value.clone(),
                row: Some(prefix),
            }),
            _ => None,
        }
    });
    filters.collect()
}

/// Asks for one combination: each row is as wanted, and the one that it was taken from is there
/// unless a word of the contract's own hides it.
async fn narrowed(
    world: &World, list: &Method, (rows, row): (&str, &Map<String, Value>), chosen: &[&Filter],
    request: &Map<String, Value>,
) {
    let reply = match ask(world, list, request).await {
        Ok(reply) => reply,
        Err(error) => {
            let refused = matches!(error.code(), Code::InvalidArgument | Code::FailedPrecondition);
            assert!(refused, "{} with {request:?}: {error:?}", list.name);
            return;
        }
    };
    let found: Vec<&Value> = reply[rows].as_array().into_iter().flatten().collect();
    for (filter, field) in chosen.iter().filter_map(|it| Some((it, it.row?))) {
        let alike = |one: &&Value| one[field] == filter.value;
        let other = found.iter().find(|one| !alike(one));
        assert_eq!(other, None, "{} with {request:?} gives another {field}", list.name);
    }
    let whole = chosen.iter().all(|filter| filter.row.is_some());
    let there = found.iter().any(|one| one.as_object() == Some(row));
    assert!(there || !whole, "{} with {request:?} does not give {row:?}", list.name);
}

async fn ask(
    world: &World, list: &Method, request: &Map<String, Value>,
) -> Result<Value, stoa_kit::Error> {
    world.ask(list.path, &world.caller("admin"), &Value::Object(request.clone()), None).await
}
