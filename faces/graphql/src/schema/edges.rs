//! References: from the identifier that a message holds to the resource that it names.

use std::collections::BTreeMap;
use std::sync::Arc;

use prost_reflect::{FieldDescriptor, MessageDescriptor};
use stoa_contract::described::{Described, extension};
use stoa_contract::{Contract, Method};

use super::names;

/// A field that leads to a resource.
pub(crate) struct Edge {
    /// The part of the message that holds the identifier, or several, by its name in JSON.
    pub(crate) json: String,
    /// How the resource is got.
    pub(crate) by: Arc<By>,
}

/// How resources of a type are got by their identifiers.
pub(crate) struct By {
    pub(crate) method: &'static Method,
    /// How many it takes at once.
    pub(crate) at_once: usize,
    /// The part of the reply that has the resources.
    pub(crate) gives: String,
    /// The part of a resource that is its identifier.
    pub(crate) id: String,
    /// The type of the resource.
    pub(super) resource: MessageDescriptor,
}

/// How the resources of contracts are got, by their types.
pub(super) fn getters(
    contracts: &[&'static Contract], described: &Described,
) -> BTreeMap<String, Arc<By>> {
    let methods = contracts.iter().flat_map(|contract| contract.methods.iter().copied());
    let shown = methods.filter(|method| names::is_shown(method));
    let getters =
        shown.filter_map(|it| Some((it.batch_gets?.to_owned(), Arc::new(getter(it, described)?))));
    getters.collect()
}

/// How `BatchGet<Resources>` gets them.
fn getter(method: &'static Method, described: &Described) -> Option<By> {
    let found = described.method(method.path)?;
    let reply = found.output();
    let mut lists = reply.fields().filter(FieldDescriptor::is_list).filter_map(|list| {
        let resource = list.kind().as_message()?.clone();
        let id = resource.get_field_by_name(&id_of(&resource)?)?;
        Some((list.json_name().to_owned(), id.json_name().to_owned(), resource))
    });
    let (gives, id, resource) = lists.next()?;
    let at_once = items_max(&found.input().get_field_by_name("ids")?);
    Some(By { method, at_once, gives, id, resource })
}

/// The edge behind a field, and what it is called.
pub(super) fn of(
    field: &FieldDescriptor, getters: &BTreeMap<String, Arc<By>>,
) -> Option<(String, Edge)> {
    let kind = extension(&field.options(), "stoa.v1.references")?;
    let kind = kind.as_str()?;
    let by = getters.get(kind)?;
    let noun = kind.rsplit('.').next().unwrap_or_default();
    let edge = Edge { json: field.json_name().to_owned(), by: Arc::clone(by) };
    Some((names::edge(field.name(), noun), edge))
}

/// The field that names a message which is a resource.
fn id_of(message: &MessageDescriptor) -> Option<String> {
    let said = extension(&message.options(), "stoa.v1.resource")?;
    Some(said.as_message()?.get_field_by_name("id")?.as_str()?.to_owned())
}

/// How many items a list takes, by its rule; every batch get has one.
fn items_max(field: &FieldDescriptor) -> usize {
    let most = || {
        let rules = extension(&field.options(), "buf.validate.field")?;
        let rules = rules.as_message()?.get_field_by_name("repeated")?;
        rules.as_message()?.get_field_by_name("max_items")?.as_u64()
    };
    most().and_then(|most| usize::try_from(most).ok()).unwrap_or(1).max(1)
}
