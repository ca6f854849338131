//! Schemas as texts, and what becomes of them.

use std::sync::{Arc, LazyLock};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::Value;
use stoa_kit::{Error, Reason as _, Result};
use stoa_schemas_v1::*;

use crate::json::compare::{self, Policy};
use crate::json::compile::Schema as Compiled;
use crate::json::document::Library;
use crate::json::draft::{self, Draft};
use crate::json::validate::{Outcome, TooComplex};
use crate::json::{Problem, read};

/// The most work of one request that compares, in steps.
pub(crate) const COMPARING_MAX: u64 = 1_000_000;
/// The most differences that are told.
pub(crate) const DIFFERENCES_MAX: usize = 100;
/// The largest data that is checked, in bytes of JSON.
const DATA_MAX: usize = 256 << 10;
/// What is kept of schemas that were understood, in bytes as far as they are known.
const KEPT_MAX: u64 = 64 << 20;

/// The hash of a text: what it is found by.
pub(crate) fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// Schemas that were understood, by their texts: what a text says is the same for everybody and for
/// ever, so that no answer depends on what is in here.
static UNDERSTOOD: LazyLock<Cache<[u8; 32], Arc<Compiled>, Weight>> =
    LazyLock::new(|| Cache::with_weighter(1_000, KEPT_MAX, Weight));

#[derive(Clone)]
struct Weight;

impl Weighter<[u8; 32], Arc<Compiled>> for Weight {
    fn weight(&self, _: &[u8; 32], schema: &Arc<Compiled>) -> u64 {
        // A node is the size of a small page; a program for a pattern may be as large as it is allowed.
        (schema.nodes.len() * 2_048 + schema.patterns * (256 << 10)) as u64
    }
}

/// Understands a text.
///
/// # Errors
/// `schemas.invalid_schema`, with the place in the text, and `schemas.too_complex`.
pub(crate) fn understood(text: &str) -> Result<Arc<Compiled>> {
    let key = *blake3::hash(text.as_bytes()).as_bytes();
    if let Some(known) = UNDERSTOOD.get(&key) {
        return Ok(known);
    }
    let schema = Arc::new(understand(text)?);
    UNDERSTOOD.insert(key, Arc::clone(&schema));
    Ok(schema)
}

fn understand(text: &str) -> Result<Compiled> {
    let value = read::read(text).map_err(|said| Reason::InvalidSchema.because(said))?;
    let wrong = |Problem { pointer, said }: Problem| {
        let place = if pointer.is_empty() { "the schema".into() } else { format!("`{pointer}`") };
        Reason::InvalidSchema.because(format!("{place} {said}"))
    };
    let nothing = Library::new();
    let draft = Draft::of(&value, &nothing, Draft::USUAL);
    let draft = draft.map_err(|said| wrong(Problem::at("", "$schema", said)))?;
    let outcome = draft::check(draft, &value).map_err(too_complex)?;
    if let Some(first) = outcome.violations.into_iter().next() {
        let said = format!("breaks `{}` of its metaschema", first.keyword);
        return Err(wrong(Problem { pointer: first.pointer, said }));
    }
    Compiled::compile(&value, &nothing).map_err(wrong)
}

pub(crate) fn too_complex(_: TooComplex) -> Error {
    Reason::TooComplex.because("this takes more work than is done for one request")
}

/// Checks data.
///
/// # Errors
/// `request.invalid` for data that is too large, and `schemas.too_complex`.
pub(crate) fn check(schema: &Compiled, data: &Value) -> Result<Outcome> {
    if !read::is_shallow(data) {
        return Err(Error::field("data", "json.depth", "lies deeper than 64 values in each other"));
    }
    if data.to_string().len() > DATA_MAX {
        return Err(Error::field("data", "json.max_bytes", "is more than 262,144 bytes of JSON"));
    }
    schema.check(data).map_err(too_complex)
}

/// What of a subject's promise a new version has to keep, and with which versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) backward: bool,
    pub(crate) forward: bool,
    pub(crate) transitive: bool,
}

impl Kept {
    pub(crate) fn of(compatibility: Compatibility) -> Self {
        use Compatibility as C;
        let both = matches!(compatibility, C::Full | C::FullTransitive);
        let backward =
            matches!(compatibility, C::Unspecified | C::Backward | C::BackwardTransitive);
        let forward = matches!(compatibility, C::Forward | C::ForwardTransitive);
        let transitive = matches!(
            compatibility,
            C::BackwardTransitive | C::ForwardTransitive | C::FullTransitive
        );
        Self { backward: backward || both, forward: forward || both, transitive }
    }
}

/// What of a promise a schema breaks, compared with one that was there.
///
/// # Errors
/// `schemas.too_complex`.
pub(crate) fn differences(
    kept: Kept, policy: CompatibilityPolicy, version: i32, old: &Compiled, new: &Compiled,
    steps: &mut u64,
) -> Result<Vec<Difference>> {
    let policy = match policy {
        CompatibilityPolicy::Lenient => Policy::Lenient,
        _ => Policy::Strict,
    };
    let mut found = Vec::new();
    if kept.backward {
        found.extend(compare::compare(old, new, policy, steps).map_err(too_complex)?);
    }
    if kept.forward {
        found.extend(compare::compare(new, old, policy, steps).map_err(too_complex)?);
    }
    let told = |one: compare::Difference| Difference {
        path: one.path,
        rule: one.rule.to_owned(),
        version,
    };
    Ok(found.into_iter().map(told).collect())
}
