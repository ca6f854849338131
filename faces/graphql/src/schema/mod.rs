//! The schema: what every contract of a node is in GraphQL, and where each field leads.
//!
//! It is made when somebody first asks, of descriptors: as text, which is what `apollo-compiler`
//! reads and checks questions against, and beside it, for each field of each type, what stands
//! behind it.
//!
//! **Invariant:** nullability tells the truth. What a message of protobuf always has is never null;
//! a message, what is `optional` or one of several may be; and so may whatever is asked of a method,
//! for a call can fail, and what was asked beside it still has its answer.

mod edges;
mod messages;
mod names;
mod scalars;
mod text;

use std::collections::HashMap;

use apollo_compiler::response::JsonValue;
use apollo_compiler::schema::Implementers;
use apollo_compiler::validation::Valid;
use apollo_compiler::{Name, collections};
use stoa_contract::described::Described;
use stoa_contract::{Contract, Method};
use stoa_kit::{Error, Result};

pub(crate) use edges::{By, Edge};

use crate::reply::part;

/// What a node's contracts are in GraphQL.
pub(crate) struct Schema {
    /// As it is checked against.
    pub(crate) types: Valid<apollo_compiler::Schema>,
    /// What introspection wants to have at hand.
    pub(crate) implementers: collections::HashMap<Name, Implementers>,
    fields: Fields,
}

/// Where fields lead, by their type and their name.
type Fields = HashMap<String, HashMap<String, Field>>;

/// What stands behind a field.
pub(crate) enum Field {
    /// The queries of a service.
    Service,
    /// A method.
    Call(Call),
    /// A part of a message.
    Part(Part),
    /// A resource that a part of a message names.
    Edge(Edge),
}

/// A method behind a field.
pub(crate) struct Call {
    pub(crate) method: &'static Method,
    /// The part of the reply that is the field, by its name in JSON; none for the whole reply.
    pub(crate) part: Option<String>,
}

impl Call {
    /// What the field is, of a reply.
    pub(crate) fn given(&self, reply: JsonValue) -> JsonValue {
        match &self.part {
            Some(name) => part(&reply, name).clone(),
            None => reply,
        }
    }
}

/// A part of a message.
pub(crate) struct Part {
    /// Its name in JSON.
    pub(crate) json: String,
    /// What it is where JSON leaves it out.
    pub(crate) absent: JsonValue,
    /// Whether it is a number with fractions: what is none, or infinite, is text in JSON and null here.
    pub(crate) is_float: bool,
}

impl Schema {
    /// The schema of contracts.
    ///
    /// # Errors
    /// `internal` where contracts come to a schema that is none.
    pub(crate) fn new(contracts: &[&'static Contract]) -> Result<Self> {
        // Descriptors are large, and what they say is in the schema then.
        let (text, fields) = text::of(contracts, &Described::new(contracts)?)?;
        let types = apollo_compiler::Schema::parse_and_validate(text, "schema.graphql")
            .map_err(|wrong| Error::internal(wrong.errors))?;
        let implementers = types.implementers_map();
        Ok(Self { types, implementers, fields })
    }

    /// What stands behind a field of a type.
    pub(crate) fn field(&self, of: &str, name: &str) -> Option<&Field> {
        self.fields.get(of)?.get(name)
    }
}
