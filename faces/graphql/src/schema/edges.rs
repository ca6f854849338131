//! References: from the identifier that a message holds to the resource that it names.

use std::collections::BTreeMap;
use std::sync::Arc;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use stoa_contract::described::{Described, extension};
use stoa_contract::{Contract, Kind as MethodKind, Method};

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
    /// The field of the request that takes identifiers.
    pub(crate) takes: String,
    /// How many it takes at once; none where it takes one.
    pub(crate) at_once: Option<usize>,
    /// The part of the reply that has the resources, or the one.
    pub(crate) gives: String,
    /// The part of a resource that is its identifier.
    pub(crate) id: String,
    /// The type of the resource.
    pub(super) resource: MessageDescriptor,
}

/// What a message says about being a resource: its type, and the field that names it.
struct Resource {
    kind: String,
    id: String,
}

/// How the resources of contracts are got, by their types: many at once where a contract can do that.
pub(super) fn getters(
    contracts: &[&'static Contract], described: &Described,
) -> BTreeMap<String, Arc<By>> {
    let mut getters: BTreeMap<String, Arc<By>> = BTreeMap::new();
    let methods = contracts.iter().flat_map(|contract| contract.methods.iter().copied());
    for method in methods.filter(|it| it.kind == MethodKind::Query && names::is_shown(it)) {
        let Some((kind, by)) = getter(method, described) else { continue };
        let better = getters.get(&kind).is_none_or(|known| known.at_once.is_none());
        if better {
            getters.insert(kind, Arc::new(by));
        }
    }
    getters
}

/// `BatchGet<Resources>`, and `Get<Resource>` by one identifier.
fn getter(method: &'static Method, described: &Described) -> Option<(String, By)> {
    let found = described.method(method.path)?;
    let many = method.batch_gets.is_some();
    let reply = found.output();
    let mut parts = reply.fields().filter_map(|field| {
        let kind = field.kind();
        let message = kind.as_message().filter(|_| field.is_list() == many)?;
        Some((field.clone(), message.clone(), resource(message)?))
    });
    let (given, resource, Resource { kind, id }) = parts.next()?;
    if !many && method.name != format!("Get{}", resource.name()) {
        return None;
    }
    let request = found.input();
    let mut texts = request.fields().filter(|field| field.kind() == Kind::String);
    let takes = texts.find(|field| field.is_list() == many)?;
    let by = By {
        method,
        at_once: many.then(|| items_max(&takes)),
        takes: takes.json_name().to_owned(),
        gives: given.json_name().to_owned(),
        id: resource.get_field_by_name(&id)?.json_name().to_owned(),
        resource,
    };
    Some((kind, by))
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

fn resource(message: &MessageDescriptor) -> Option<Resource> {
    let said = extension(&message.options(), "stoa.v1.resource")?;
    let said = said.as_message()?;
    let text = |name: &str| Some(said.get_field_by_name(name)?.as_str()?.to_owned());
    Some(Resource { kind: text("type")?, id: text("id")? })
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
