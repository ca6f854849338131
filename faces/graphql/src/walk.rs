//! The walk through a selection: what is known is written, what has to be asked for is put down for
//! the next level.
//!
//! **Invariant:** the walk itself asks nobody. So everything that a level needs is known before the
//! first of it is asked for, and can be asked for together.

use std::collections::HashSet;

use apollo_compiler::collections::IndexMap;
use apollo_compiler::executable::{Directive, Field as Selected, Selection, SelectionSet};
use apollo_compiler::response::{JsonMap, JsonValue};
use apollo_compiler::{ExecutableDocument, Name, Node, ast};
use stoa_contract::Method;
use stoa_kit::{Error, Result};

use crate::limits::VALUES_MAX;
use crate::said::{Step, too_much};
use crate::schema::{Call, Edge, Field, Schema};

/// The selections that stand at one place of a response: a key may be there several times, each time
/// with other fields.
pub(crate) type Selections<'a> = Vec<&'a Node<Selected>>;

/// A walk, as far as it got.
pub(crate) struct Walk<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) document: &'a ExecutableDocument,
    pub(crate) variables: &'a JsonMap,
    /// What has to be asked for.
    pub(crate) next: Vec<Task<'a>>,
    /// How many values the response may still have.
    left: usize,
}

/// A place of the response that waits for an answer. It is null until then.
pub(crate) struct Task<'a> {
    pub(crate) path: Vec<Step>,
    pub(crate) fields: Selections<'a>,
    pub(crate) what: What<'a>,
}

/// What a place waits for.
pub(crate) enum What<'a> {
    Call(&'a Call),
    /// The resources that an edge leads to, by their identifiers: one, or as many as a list has.
    Edge(&'a Edge, Vec<String>, bool),
}

impl What<'_> {
    /// The method that is asked.
    pub(crate) fn method(&self) -> &'static Method {
        match self {
            Self::Call(call) => call.method,
            Self::Edge(edge, ..) => edge.by.method,
        }
    }
}

impl<'a> Walk<'a> {
    pub(crate) fn new(
        schema: &'a Schema, document: &'a ExecutableDocument, variables: &'a JsonMap,
    ) -> Self {
        Self { schema, document, variables, next: Vec::new(), left: VALUES_MAX }
    }

    /// The object that selections make of a message.
    ///
    /// # Errors
    /// `graphql.too_much`.
    pub(crate) fn object(
        &mut self, sets: &[&'a SelectionSet], source: &JsonValue, path: &mut Vec<Step>,
    ) -> Result<JsonValue> {
        let mut selected = IndexMap::default();
        let mut seen = HashSet::new();
        for set in sets {
            self.collect(set, &mut seen, &mut selected);
        }
        let of = sets.first().map_or("", |set| set.ty.as_str());
        let mut object = JsonMap::with_capacity(selected.len());
        for (key, fields) in selected {
            path.push(Step::Key(key.clone()));
            let value = self.field(of, fields, source, path);
            path.pop();
            object.insert(key.as_str(), value?);
        }
        Ok(JsonValue::Object(object))
    }

    /// What a value comes to: of a message what is selected of it, of each in a list.
    pub(crate) fn value(
        &mut self, fields: &Selections<'a>, source: &JsonValue, path: &mut Vec<Step>,
    ) -> Result<JsonValue> {
        self.left = self.left.checked_sub(1).ok_or_else(crowded)?;
        let sets: Vec<&'a SelectionSet> = fields.iter().map(|field| &field.selection_set).collect();
        let is_leaf = sets.iter().all(|set| set.is_empty());
        match source {
            JsonValue::Null => Ok(JsonValue::Null),
            JsonValue::Array(items) => {
                let mut values = Vec::with_capacity(items.len());
                for (place, item) in items.iter().enumerate() {
                    path.push(Step::Item(place));
                    let value = self.value(fields, item, path);
                    path.pop();
                    values.push(value?);
                }
                Ok(JsonValue::Array(values))
            }
            leaf if is_leaf => Ok(leaf.clone()),
            object => self.object(&sets, object, path),
        }
    }

    fn field(
        &mut self, of: &str, fields: Selections<'a>, source: &JsonValue, path: &mut Vec<Step>,
    ) -> Result<JsonValue> {
        let Some(first) = fields.first() else { return Ok(JsonValue::Null) };
        let schema = self.schema;
        match schema.field(of, &first.name) {
            None if first.name == "__typename" => Ok(of.into()),
            // What asks for the schema itself is answered elsewhere.
            None => Ok(JsonValue::Null),
            Some(Field::Service) => {
                let sets: Vec<_> = fields.iter().map(|field| &field.selection_set).collect();
                self.object(&sets, &JsonValue::Null, path)
            }
            Some(Field::Call(call)) => {
                let path = path.clone();
                self.next.push(Task { path, fields, what: What::Call(call) });
                Ok(JsonValue::Null)
            }
            Some(Field::Part(part)) => {
                let known = source.as_object().and_then(|source| source.get(part.json.as_str()));
                let value = known.filter(|value| !value.is_null()).unwrap_or(&part.absent);
                match part.is_float {
                    true => Ok(numbers(value)),
                    false => self.value(&fields, value, path),
                }
            }
            Some(Field::Edge(edge)) => {
                let known = source.as_object().and_then(|source| source.get(edge.json.as_str()));
                let (ids, many) = match known {
                    Some(JsonValue::Array(ids)) => (texts(ids), true),
                    Some(id) => (texts(std::slice::from_ref(id)), false),
                    None => (Vec::new(), false),
                };
                if ids.is_empty() && first.ty().is_list() {
                    return Ok(JsonValue::Array(Vec::new()));
                }
                if !ids.is_empty() {
                    let path = path.clone();
                    self.next.push(Task { path, fields, what: What::Edge(edge, ids, many) });
                }
                Ok(JsonValue::Null)
            }
        }
    }

    /// The fields of a selection by the keys that the response has for them, fragments included.
    /// There is no interface and no union: a fragment that may stand here is of the type that is here.
    fn collect(
        &self, set: &'a SelectionSet, seen: &mut HashSet<&'a Name>,
        into: &mut IndexMap<&'a Name, Selections<'a>>,
    ) {
        for selection in &set.selections {
            if self.is_left_out(selection.directives()) {
                continue;
            }
            match selection {
                Selection::Field(field) => {
                    into.entry(field.response_key()).or_default().push(field);
                }
                Selection::InlineFragment(inline) => {
                    self.collect(&inline.selection_set, seen, into)
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = self.document.fragments.get(&spread.fragment_name);
                    if let Some(fragment) = fragment.filter(|it| seen.insert(&it.name)) {
                        self.collect(&fragment.selection_set, seen, into);
                    }
                }
            }
        }
    }

    fn is_left_out(&self, directives: &ast::DirectiveList) -> bool {
        let says = |name: &str| {
            let condition = |directive: &Node<Directive>| {
                let condition = directive.specified_argument_by_name("if")?;
                match condition.as_ref() {
                    ast::Value::Variable(name) => self.variables.get(name.as_str())?.as_bool(),
                    value => value.to_bool(),
                }
            };
            directives.get(name).and_then(condition)
        };
        says("skip") == Some(true) || says("include") == Some(false)
    }
}

/// Puts a value where a path leads.
pub(crate) fn put(response: &mut JsonValue, path: &[Step], value: JsonValue) {
    let mut place = response;
    for step in path {
        let inner = match (place, step) {
            (JsonValue::Object(object), Step::Key(key)) => object.get_mut(key.as_str()),
            (JsonValue::Array(items), Step::Item(at)) => items.get_mut(*at),
            _ => None,
        };
        let Some(inner) = inner else { return };
        place = inner;
    }
    *place = value;
}

/// Numbers with fractions: JSON writes as text what is none, and GraphQL has no word for it.
fn numbers(value: &JsonValue) -> JsonValue {
    match value {
        JsonValue::Array(items) => JsonValue::Array(items.iter().map(numbers).collect()),
        JsonValue::Number(number) => JsonValue::Number(number.clone()),
        _ => JsonValue::Null,
    }
}

fn texts(ids: &[JsonValue]) -> Vec<String> {
    let ids = ids.iter().filter_map(|id| id.as_str());
    ids.filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

fn crowded() -> Error {
    too_much(format!("the response would have more than {VALUES_MAX} values"))
}
