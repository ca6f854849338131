//! Conditions of rules: comparisons of attributes, and what is made of them by `and`, `or` and `not`.
//!
//! **Invariant:** what cannot be answered, for an attribute is missing or of another type, is an error and
//! neither yes nor no.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};
use stoa_access_v1::Reason;
use stoa_kit::{Error, Reason as _, Result, Struct};

mod words;

/// Attributes of a question.
const ATTRIBUTES_MAX: usize = 64;
/// Letters of a text, and items of a list.
const TEXT_MAX: usize = 1_024;
const ITEMS_MAX: usize = 256;

/// What has to hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Has(String),
    Compare(Operand, How, Operand),
    In(Operand, Operand),
    Begins(Operand, Operand),
}

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Attribute(String),
    Literal(Value),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Truth(bool),
    Number(f64),
    Text(String),
    List(Vec<Value>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum How {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// What came with a question.
#[derive(Debug, Default)]
pub(crate) struct Attributes(BTreeMap<String, Value>);

impl Attributes {
    /// Reads what came with a question.
    ///
    /// # Errors
    /// `request.invalid` at what is no attribute.
    pub(crate) fn read(given: &Struct) -> Result<Self> {
        let Struct(given) = given;
        if given.len() > ATTRIBUTES_MAX {
            let message = format!("must have at most {ATTRIBUTES_MAX} attributes");
            return Err(Error::field("attributes", "map.max_pairs", message));
        }
        Self::each(given).map(Self)
    }

    fn each(given: &Map<String, Json>) -> Result<BTreeMap<String, Value>> {
        let mut read = BTreeMap::new();
        for (name, value) in given {
            if !words::is_name(name) {
                let message =
                    "a name has lower-case letters, digits, `_` and `.`, and begins with a letter";
                return Err(Error::field("attributes", "map.keys", message));
            }
            let value = Value::read(value).ok_or_else(|| {
                let message = format!(
                    "is a truth, a number, a text of {TEXT_MAX} bytes at the most, or a list of up to {ITEMS_MAX} of one of these"
                );
                Error::field(format!("attributes.{name}"), "attribute", message)
            })?;
            read.insert(name.clone(), value);
        }
        Ok(read)
    }

    fn get(&self, name: &str) -> Result<&Value> {
        self.0.get(name).ok_or_else(|| missing(name, "did not come with the question"))
    }
}

impl Value {
    fn read(json: &Json) -> Option<Self> {
        Some(match json {
            Json::Bool(truth) => Self::Truth(*truth),
            Json::Number(number) => Self::Number(number.as_f64()?),
            Json::String(text) if text.len() <= TEXT_MAX => Self::Text(text.clone()),
            Json::Array(items) if items.len() <= ITEMS_MAX => {
                let items = items.iter().map(Self::read).collect::<Option<Vec<_>>>()?;
                let one = |item: &Value| !matches!(item, Self::List(_)) && item.is_like(&items[0]);
                items.iter().all(one).then_some(())?;
                Self::List(items)
            }
            _ => return None,
        })
    }

    /// Whether it is of the same type.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Truth(_) => "a truth",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
        }
    }
}

impl Operand {
    fn value<'a>(&'a self, attributes: &'a Attributes) -> Result<&'a Value> {
        match self {
            Self::Attribute(name) => attributes.get(name),
            Self::Literal(value) => Ok(value),
        }
    }

    /// Of which one is asked that does not fit: the attribute, if it is one.
    fn name(&self) -> Option<&str> {
        match self {
            Self::Attribute(name) => Some(name),
            Self::Literal(_) => None,
        }
    }
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        words::read(text)
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// `access.attribute_missing`.
    pub(crate) fn holds(&self, attributes: &Attributes) -> Result<bool> {
        match self {
            Self::All(all) => {
                for one in all {
                    if !one.holds(attributes)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Any(all) => {
                for one in all {
                    if one.holds(attributes)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(one) => one.holds(attributes).map(|holds| !holds),
            Self::Has(name) => Ok(attributes.0.contains_key(name)),
            Self::Compare(left, how, right) => compare(left, *how, right, attributes),
            Self::In(left, right) => {
                let (one, all) = (left.value(attributes)?, right.value(attributes)?);
                let Value::List(all) = all else { return Err(unlike(right, left, all)) };
                match all.first() {
                    Some(first) if !first.is_like(one) => Err(unlike(left, right, one)),
                    _ => Ok(all.contains(one)),
                }
            }
            Self::Begins(left, right) => {
                match (left.value(attributes)?, right.value(attributes)?) {
                    (Value::Text(text), Value::Text(begin)) => Ok(text.starts_with(&**begin)),
                    (Value::Text(_), other) => Err(unlike(right, left, other)),
                    (other, _) => Err(unlike(left, right, other)),
                }
            }
        }
    }
}

fn compare(left: &Operand, how: How, right: &Operand, attributes: &Attributes) -> Result<bool> {
    let (one, other) = (left.value(attributes)?, right.value(attributes)?);
    match (one, how, other) {
        (Value::Number(one), how, Value::Number(other)) => Ok(match how {
            How::Equal => one == other,
            How::Unequal => one != other,
            How::Less => one < other,
            How::AtMost => one <= other,
            How::More => one > other,
            How::AtLeast => one >= other,
        }),
        (Value::List(_), _, _) | (_, _, Value::List(_)) => Err(unlike(left, right, one)),
        (one, How::Equal, other) if one.is_like(other) => Ok(one == other),
        (one, How::Unequal, other) if one.is_like(other) => Ok(one != other),
        _ => Err(unlike(left, right, one)),
    }
}

/// Two that cannot be compared: one of them is an attribute.
fn unlike(one: &Operand, other: &Operand, found: &Value) -> Error {
    let name = one.name().or(other.name()).unwrap_or_default();
    missing(name, &format!("cannot be compared so: {} is on one side", found.kind()))
}

fn missing(name: &str, why: &str) -> Error {
    Reason::AttributeMissing.because(format!("the attribute `{name}` {why}"))
}
