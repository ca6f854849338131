//! What things of contracts are called in the schema.
//!
//! **Invariant:** a name follows from the contract that has the thing, whatever else a node offers,
//! and no two things have the same one: names of services begin with small letters and those of
//! messages and methods with capitals, so one behind the other can be told apart.

use prost_reflect::{EnumDescriptor, MessageDescriptor};
use stoa_contract::{Kind, Method, Permission};

/// The type that has the queries of a service: `LedgerQuery`. Where its contract has a message
/// `Query`, it is `Ledger_Query`.
pub(super) fn queries(service: &str, has: impl Fn(&str) -> bool) -> String {
    let gap = if has("Query") { "_" } else { "" };
    format!("{}{gap}Query", capital(service))
}

/// The type that a message is in replies: `LedgerAccount` of `stoa.ledger.v1.Account`, `Money` of
/// `stoa.v1.Money`. What lies within another message is written behind it: `LedgerAccount_Entry`.
pub(super) fn output(message: &MessageDescriptor) -> String {
    named(message.package_name(), message.full_name())
}

/// The type that a message is in requests: `LedgerLegInput`, or `LedgerLeg_Input` where its contract
/// has a message `LegInput` as well.
pub(super) fn input(message: &MessageDescriptor) -> String {
    let beside = format!("{}Input", message.full_name());
    let gap = if message.parent_pool().get_message_by_name(&beside).is_some() { "_" } else { "" };
    format!("{}{gap}Input", output(message))
}

/// The type of an enum.
pub(super) fn one_of(of: &EnumDescriptor) -> String {
    named(of.package_name(), of.full_name())
}

fn named(package: &str, full_name: &str) -> String {
    let service = package.strip_prefix("stoa.").and_then(|rest| rest.strip_suffix(".v1"));
    let name = full_name.get(package.len() + 1..).unwrap_or(full_name).replace('.', "_");
    format!("{}{name}", capital(service.unwrap_or_default()))
}

/// The fields of a service's queries, each with its method: `account` for `GetAccount`, `accounts`
/// for `ListAccounts`, and `searchAccounts` for whatever else. Where two would be the same, the one
/// that stands first in the contract has the short name.
pub(super) fn of_queries(methods: &[&'static Method]) -> Vec<(String, &'static Method)> {
    let mut named: Vec<(String, &'static Method)> = Vec::new();
    for &method in methods.iter().filter(|method| method.kind == Kind::Query) {
        let whole = small(method.name);
        let short = ["Get", "List"].iter().find_map(|verb| method.name.strip_prefix(verb));
        let short = short.filter(|rest| rest.starts_with(|first: char| first.is_ascii_uppercase()));
        let taken = |name: &str| {
            named.iter().any(|(known, _)| known == name)
                || methods
                    .iter()
                    .any(|other| other.name != method.name && small(other.name) == name)
        };
        let name = short.map(small).filter(|name| !taken(name)).unwrap_or(whole);
        named.push((name, method));
    }
    named
}

/// The field of a command, an effect or a stream, at the root of its operation: `ledgerCreateTransfer`.
pub(super) fn of_method(method: &Method) -> String {
    format!("{}{}", method.service, method.name)
}

/// Whether a method is there for whoever comes from outside, with a message of its own. One that
/// takes HTTP as it comes is asked for on its path.
pub(super) fn is_shown(method: &Method) -> bool {
    method.permission != Permission::Internal && !method.is_raw()
}

/// The edge behind a field that holds identifiers: `customer` for `customer_id`, `viewers` for
/// `viewer_ids`, and `reversesTransfer` for a field `reverses` that is no such name.
pub(super) fn edge(field: &str, noun: &str) -> String {
    let name = match (field.strip_suffix("_id"), field.strip_suffix("_ids")) {
        (Some(name), _) => name.to_owned(),
        (_, Some(name)) => format!("{name}s"),
        _ => format!("{field}_{noun}"),
    };
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| name + &capital(word))
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn small(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}
