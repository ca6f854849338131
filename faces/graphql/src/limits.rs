//! How much one document may ask for: how deep, how wide, how many calls.
//!
//! **Invariant:** what a document costs is known before anything of it is done, but for how long
//! lists are; those are counted while the response is written ([`VALUES_MAX`]).

use std::collections::HashMap;

use apollo_compiler::ExecutableDocument;
use apollo_compiler::executable::{Operation, Selection, SelectionSet};
use stoa_kit::Result;

use crate::said::too_much;
use crate::schema::{Field, Schema};

/// How deeply fields may lie within one another. What asks for the schema itself is not counted:
/// it is bounded by its own shape.
const DEPTH_MAX: usize = 16;
/// Fields of a document, those of a fragment as often as it stands there.
const FIELDS_MAX: usize = 2_000;
/// Calls of methods that a document asks for, besides those that follow references.
const CALLS_MAX: usize = 32;
/// Words of a document.
pub(crate) const TOKENS_MAX: usize = 20_000;
/// How deeply anything may be nested in a document, values too.
pub(crate) const NESTING_MAX: usize = 64;
/// Values of one response.
pub(crate) const VALUES_MAX: usize = 250_000;
/// Resources that references of one response may lead to.
pub(crate) const REFERENCES_MAX: usize = 1_000;

#[derive(Debug, Clone, Copy, Default)]
struct Measure {
    depth: usize,
    fields: usize,
    calls: usize,
}

/// Whether an operation asks for no more than it may.
///
/// # Errors
/// `graphql.too_much`.
pub(crate) fn check(
    schema: &Schema, document: &ExecutableDocument, operation: &Operation,
) -> Result<()> {
    let mut meter = Meter { schema, document, known: HashMap::new() };
    let Measure { depth, fields, calls } = meter.measure(&operation.selection_set);
    let bounds = [
        (depth, DEPTH_MAX, "levels deep"),
        (fields, FIELDS_MAX, "fields"),
        (calls, CALLS_MAX, "calls"),
    ];
    match bounds.into_iter().find(|(asked, most, _)| asked > most) {
        None => Ok(()),
        Some((asked, most, of)) => {
            Err(too_much(format!("the document is {asked} {of}, and may be {most} at the most")))
        }
    }
}

struct Meter<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    /// Fragments that were measured: each is walked through once, however often it stands there.
    known: HashMap<&'a str, Measure>,
}

impl<'a> Meter<'a> {
    fn measure(&mut self, set: &'a SelectionSet) -> Measure {
        let mut sum = Measure::default();
        for selection in &set.selections {
            let one = match selection {
                Selection::Field(field) if field.name.starts_with("__") => Measure::default(),
                Selection::Field(field) => {
                    let inner = self.measure(&field.selection_set);
                    let is_call =
                        matches!(self.schema.field(&set.ty, &field.name), Some(Field::Call(_)));
                    Measure {
                        depth: inner.depth.saturating_add(1),
                        fields: inner.fields.saturating_add(1),
                        calls: inner.calls.saturating_add(usize::from(is_call)),
                    }
                }
                Selection::InlineFragment(inline) => self.measure(&inline.selection_set),
                Selection::FragmentSpread(spread) => self.fragment(&spread.fragment_name),
            };
            sum = Measure {
                depth: sum.depth.max(one.depth),
                fields: sum.fields.saturating_add(one.fields),
                calls: sum.calls.saturating_add(one.calls),
            };
        }
        sum
    }

    fn fragment(&mut self, name: &str) -> Measure {
        let Some(fragment) = self.document.fragments.get(name) else { return Measure::default() };
        if let Some(known) = self.known.get(fragment.name.as_str()) {
            return *known;
        }
        // One that holds itself is refused elsewhere, and is not walked through for ever here.
        self.known.insert(fragment.name.as_str(), Measure::default());
        let measure = self.measure(&fragment.selection_set);
        self.known.insert(fragment.name.as_str(), measure);
        measure
    }
}
