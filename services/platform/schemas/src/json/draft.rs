//! The two drafts of JSON Schema that are understood: 2020-12 and 7.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::compile::Schema;
use super::document::Library;
use super::validate::{Outcome, TooComplex};

/// What `$schema` of draft 2020-12 is.
pub(crate) const LATEST: &str = "https://json-schema.org/draft/2020-12/schema";
/// The same of draft 7, but for the empty fragment at its end.
pub(crate) const SEVEN: &str = "http://json-schema.org/draft-07/schema";

/// Which keywords there are, and what they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Draft {
    /// Draft 7; 2020-12 otherwise.
    is_seven: bool,
    /// Whether what a value has to be is said, and not only how schemas are put together.
    validates: bool,
}

/// How schemas stand in the value of a keyword.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    One,
    Many,
    OneOrMany,
    Named,
}

impl Draft {
    /// What holds where nothing is said: 2020-12.
    pub(crate) const USUAL: Self = Self { is_seven: false, validates: true };

    /// The draft that a schema says; the usual one where it says none.
    pub(crate) fn of(schema: &Value, library: &Library, usual: Self) -> Result<Self, &'static str> {
        let Some(said) = schema.get("$schema").and_then(Value::as_str) else { return Ok(usual) };
        let said = said.trim_end_matches('#');
        let is_seven = said == SEVEN || said == "https://json-schema.org/draft-07/schema";
        if is_seven || said == LATEST {
            return Ok(Self { is_seven, validates: true });
        }
        // A metaschema that was handed in along says which vocabularies it has.
        let other = library.get(said).and_then(|meta| meta.get("$vocabulary"));
        let other = other.ok_or("is neither draft 2020-12 nor draft 7")?;
        let validates = other.get("https://json-schema.org/draft/2020-12/vocab/validation");
        Ok(Self { is_seven, validates: validates.is_some() })
    }

    pub(crate) fn ref_stands_alone(self) -> bool {
        self.is_seven
    }

    /// Whether a keyword says something in this draft.
    pub(crate) fn knows(self, keyword: &str) -> bool {
        const ADDED: [&str; 12] = [
            "$anchor",
            "$dynamicAnchor",
            "$dynamicRef",
            "$defs",
            "prefixItems",
            "minContains",
            "maxContains",
            "dependentRequired",
            "dependentSchemas",
            "unevaluatedItems",
            "unevaluatedProperties",
            "$vocabulary",
        ];
        const DROPPED: [&str; 2] = ["additionalItems", "dependencies"];
        const VALIDATION: [&str; 20] = [
            "type",
            "enum",
            "const",
            "multipleOf",
            "maximum",
            "exclusiveMaximum",
            "minimum",
            "exclusiveMinimum",
            "maxLength",
            "minLength",
            "pattern",
            "maxItems",
            "minItems",
            "uniqueItems",
            "maxContains",
            "minContains",
            "maxProperties",
            "minProperties",
            "required",
            "dependentRequired",
        ];
        let other = if self.is_seven { &ADDED[..] } else { &DROPPED };
        !other.contains(&keyword) && (self.validates || !VALIDATION.contains(&keyword))
    }

    /// How schemas stand in a keyword, if any do.
    pub(crate) fn kind(self, keyword: &str) -> Option<Kind> {
        let kind = match keyword {
            "items" if self.is_seven => Kind::OneOrMany,
            "items"
            | "additionalProperties"
            | "propertyNames"
            | "contains"
            | "not"
            | "if"
            | "then"
            | "else" => Kind::One,
            "additionalItems" | "unevaluatedItems" | "unevaluatedProperties" => Kind::One,
            "contentSchema" if !self.is_seven => Kind::One,
            "properties" | "patternProperties" | "definitions" => Kind::Named,
            "$defs" | "dependentSchemas" | "dependencies" => Kind::Named,
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => Kind::Many,
            _ => return None,
        };
        self.knows(keyword).then_some(kind)
    }

    /// The address that a schema gives itself.
    pub(crate) fn id_of(self, schema: &Map<String, Value>) -> Option<&str> {
        if self.is_seven && schema.contains_key("$ref") {
            return None;
        }
        schema.get("$id").and_then(Value::as_str)
    }
}

/// What a metaschema finds wrong with a schema.
///
/// # Errors
/// [`TooComplex`].
pub(crate) fn check(draft: Draft, schema: &Value) -> Result<Outcome, TooComplex> {
    let meta = if draft.is_seven { &COMPILED[1] } else { &COMPILED[0] };
    meta.check(schema)
}

#[expect(clippy::expect_used, reason = "texts in this program, which a test reads")]
static COMPILED: LazyLock<[Schema; 2]> = LazyLock::new(|| {
    [LATEST, SEVEN].map(|address| {
        let text = metaschema(address).expect("a metaschema");
        Schema::compile(text, &Library::new()).expect("a metaschema")
    })
});

/// The metaschema of an address.
pub(crate) fn metaschema(address: &str) -> Option<&'static Value> {
    METASCHEMAS.get(address)
}

/// The metaschemas, as the organization of JSON Schema gives them away.
#[expect(clippy::expect_used, reason = "a text in this program, which a test reads")]
static METASCHEMAS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let all: Vec<Value> =
        serde_json::from_str(include_str!("metaschemas.json")).expect("metaschemas");
    let address = |schema: &Value| {
        let id = schema["$id"].as_str().unwrap_or_default();
        id.trim_end_matches('#').to_owned()
    };
    all.into_iter().map(|schema| (address(&schema), schema)).collect()
});
