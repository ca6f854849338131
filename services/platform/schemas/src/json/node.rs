//! A schema, taken apart.

use std::collections::BTreeMap;

use serde_json::Value;

use super::number::Decimal;
use super::pattern::Pattern;

/// A schema among those that it is made of.
pub(crate) type Id = usize;

/// What one schema asks of a value. Whatever is absent asks nothing.
#[derive(Default)]
pub(crate) struct Node {
    /// Where it stands, as a JSON Pointer in its document.
    pub(crate) pointer: String,
    /// What it is a part of.
    pub(crate) resource: usize,
    /// Whether it is `true` or `false`, and nothing else.
    pub(crate) always: Option<bool>,
    pub(crate) refers: Option<Id>,
    pub(crate) dynamic: Option<Dynamic>,
    pub(crate) types: Option<Types>,
    /// `enum`, or `const` as the only one.
    pub(crate) values: Vec<(&'static str, Vec<Value>)>,
    pub(crate) number: Numbers,
    pub(crate) text: Texts,
    pub(crate) array: Arrays,
    pub(crate) object: Objects,
    pub(crate) all: Vec<Id>,
    pub(crate) any: Vec<Id>,
    pub(crate) one: Vec<Id>,
    pub(crate) not: Option<Id>,
    pub(crate) condition: Option<Id>,
    pub(crate) then: Option<Id>,
    pub(crate) otherwise: Option<Id>,
    pub(crate) secret: Option<Secret>,
}

impl Node {
    /// The schemas that it asks of the same value.
    pub(crate) fn in_place(&self) -> impl Iterator<Item = Id> + '_ {
        let single = [self.refers, self.not, self.condition, self.then, self.otherwise];
        let many = self.all.iter().chain(&self.any).chain(&self.one);
        let many = many.chain(self.object.schema_by.values()).copied();
        single.into_iter().flatten().chain(many)
    }
}

/// `$dynamicRef`.
pub(crate) struct Dynamic {
    pub(crate) target: Id,
    /// What the outermost resource that has it decides, where that is so.
    pub(crate) anchor: Option<String>,
}

/// What is asked of numbers.
#[derive(Default)]
pub(crate) struct Numbers {
    pub(crate) minimum: Option<Decimal>,
    pub(crate) above: Option<Decimal>,
    pub(crate) maximum: Option<Decimal>,
    pub(crate) below: Option<Decimal>,
    pub(crate) multiple_of: Option<Decimal>,
}

/// What is asked of texts.
#[derive(Default)]
pub(crate) struct Texts {
    pub(crate) length_min: Option<u64>,
    pub(crate) length_max: Option<u64>,
    pub(crate) pattern: Option<Pattern>,
}

/// What is asked of arrays.
#[derive(Default)]
pub(crate) struct Arrays {
    pub(crate) prefix: Vec<Id>,
    /// What those behind the prefix are, and how it is called.
    pub(crate) rest: Option<(Id, &'static str)>,
    pub(crate) contains: Option<Id>,
    pub(crate) contains_min: Option<u64>,
    pub(crate) contains_max: Option<u64>,
    pub(crate) length_min: Option<u64>,
    pub(crate) length_max: Option<u64>,
    pub(crate) unique: bool,
    pub(crate) unevaluated: Option<Id>,
}

/// What is asked of objects.
#[derive(Default)]
pub(crate) struct Objects {
    pub(crate) properties: BTreeMap<String, Id>,
    pub(crate) patterns: Vec<(Pattern, Id)>,
    pub(crate) additional: Option<Id>,
    pub(crate) names: Option<Id>,
    pub(crate) required: Vec<String>,
    pub(crate) count_min: Option<u64>,
    pub(crate) count_max: Option<u64>,
    pub(crate) required_by: BTreeMap<String, Vec<String>>,
    pub(crate) schema_by: BTreeMap<String, Id>,
    pub(crate) unevaluated: Option<Id>,
}

/// What a value that is to be wrapped is wrapped as: `x-secret`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Secret {
    pub(crate) kind: String,
    pub(crate) purposes: Vec<String>,
}

/// A set of the types of JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Types(u8);

impl Types {
    pub(crate) const NULL: Self = Self(1);
    pub(crate) const BOOLEAN: Self = Self(2);
    pub(crate) const OBJECT: Self = Self(4);
    pub(crate) const ARRAY: Self = Self(8);
    pub(crate) const STRING: Self = Self(16);
    pub(crate) const INTEGER: Self = Self(32);
    /// Numbers that are no integers.
    pub(crate) const FRACTION: Self = Self(64);
    pub(crate) const NUMBER: Self = Self(96);
    pub(crate) const ALL: Self = Self(127);

    pub(crate) fn named(name: &str) -> Self {
        match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "object" => Self::OBJECT,
            "array" => Self::ARRAY,
            "string" => Self::STRING,
            "integer" => Self::INTEGER,
            "number" => Self::NUMBER,
            _ => Self(0),
        }
    }

    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Object(_) => Self::OBJECT,
            Value::Array(_) => Self::ARRAY,
            Value::String(_) => Self::STRING,
            Value::Number(number) if Decimal::of(number).is_whole() => Self::INTEGER,
            Value::Number(_) => Self::FRACTION,
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Each of them alone.
    pub(crate) fn each(self) -> Vec<Self> {
        (0..7).map(|bit| Self(1 << bit)).filter(|one| self.meets(*one)).collect()
    }

    pub(crate) fn is_in(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    pub(crate) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}
