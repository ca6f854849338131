//! Filters (RFC 7644, 3.4.2.2): read once, and held against what there is.

use serde_json::Value;
use stoa_kit::{Error, Reason as _, Result};
use stoa_scim_v1::{Kind, Reason};

use super::Object;
use super::schema::{self, Attribute, Type};

/// The longest filter.
const TEXT_MAX: usize = 4_096;
/// How deep one may go.
const DEPTH_MAX: usize = 16;

/// What something is held against.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filter {
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    /// Some value of many fits the whole of a filter.
    Any(String, Box<Filter>),
    Present(Vec<String>),
    Compared(Vec<String>, Comparison, Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
}

pub(crate) fn invalid(what: &'static str) -> Error {
    Reason::InvalidFilter.because(what)
}

/// Reads a filter about things of a kind.
pub(crate) fn read(kind: Kind, text: &str) -> Result<Filter> {
    Reader::new(text)?.whole(&|path| is_known(kind, path))
}

/// Reads a filter about the values of one attribute.
pub(crate) fn read_of(one: &Attribute, text: &str) -> Result<Filter> {
    let Type::Complex(parts) = one.kind else { return Err(invalid("it has no parts")) };
    Reader::new(text)?.whole(&|path| path.len() == 1 && schema::find(parts, &path[0]).is_some())
}

/// Whether there is something of this name; what the service itself says is as well.
fn is_known(kind: Kind, path: &[String]) -> bool {
    let own = ["id", "meta", "schemas"];
    let Some(first) = path.first() else { return false };
    if own.iter().any(|name| name.eq_ignore_ascii_case(first)) {
        return true;
    }
    let Some(one) = schema::find(schema::attributes(kind), first) else { return false };
    match (path.get(1), one.kind) {
        (None, _) => true,
        (Some(part), Type::Complex(parts)) => schema::find(parts, part).is_some(),
        (Some(_), _) => false,
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Value(Value),
    Open,
    Close,
    OpenSquare,
    CloseSquare,
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
}

type Known<'a> = &'a dyn Fn(&[String]) -> bool;

impl Reader {
    fn new(text: &str) -> Result<Self> {
        if text.len() > TEXT_MAX {
            return Err(invalid("it is too long"));
        }
        Ok(Self { tokens: tokens(text)?, at: 0 })
    }

    fn whole(mut self, known: Known<'_>) -> Result<Filter> {
        let filter = self.either(known, 0)?;
        match self.at == self.tokens.len() {
            true => Ok(filter),
            false => Err(invalid("something stands behind its end")),
        }
    }

    fn is_next(&mut self, word: &str) -> bool {
        let same =
            |token: &Token| matches!(token, Token::Word(known) if known.eq_ignore_ascii_case(word));
        let is = self.tokens.get(self.at).is_some_and(same);
        self.at += usize::from(is);
        is
    }

    fn take(&mut self, wanted: &Token) -> Result<()> {
        if self.tokens.get(self.at) != Some(wanted) {
            return Err(invalid("a bracket is missing"));
        }
        self.at += 1;
        Ok(())
    }

    fn either(&mut self, known: Known<'_>, depth: usize) -> Result<Filter> {
        if depth > DEPTH_MAX {
            return Err(invalid("it goes too deep"));
        }
        let mut left = self.both(known, depth)?;
        while self.is_next("or") {
            left = Filter::Or(left.into(), self.both(known, depth)?.into());
        }
        Ok(left)
    }

    fn both(&mut self, known: Known<'_>, depth: usize) -> Result<Filter> {
        let mut left = self.one(known, depth)?;
        while self.is_next("and") {
            left = Filter::And(left.into(), self.one(known, depth)?.into());
        }
        Ok(left)
    }

    fn one(&mut self, known: Known<'_>, depth: usize) -> Result<Filter> {
        if self.is_next("not") {
            self.take(&Token::Open)?;
            let inner = self.either(known, depth + 1)?;
            self.take(&Token::Close)?;
            return Ok(Filter::Not(inner.into()));
        }
        if self.tokens.get(self.at) == Some(&Token::Open) {
            self.at += 1;
            let inner = self.either(known, depth + 1)?;
            self.take(&Token::Close)?;
            return Ok(inner);
        }
        let Some(Token::Word(name)) = self.tokens.get(self.at).cloned() else {
            return Err(invalid("an attribute is missing"));
        };
        self.at += 1;
        let path = path_of(&name);
        if !known(&path) {
            return Err(invalid("it names an attribute that there is none of"));
        }
        if self.tokens.get(self.at) == Some(&Token::OpenSquare) && path.len() == 1 {
            self.at += 1;
            let inner =
                |part: &[String]| part.len() == 1 && known(&[path[0].clone(), part[0].clone()]);
            let inner = self.either(&inner, depth + 1)?;
            self.take(&Token::CloseSquare)?;
            return Ok(Filter::Any(path[0].clone(), inner.into()));
        }
        if self.is_next("pr") {
            return Ok(Filter::Present(path));
        }
        let comparison = self.comparison()?;
        let Some(Token::Value(value)) = self.tokens.get(self.at).cloned() else {
            return Err(invalid("a value is missing"));
        };
        self.at += 1;
        Ok(Filter::Compared(path, comparison, value))
    }

    fn comparison(&mut self) -> Result<Comparison> {
        let Some(Token::Word(word)) = self.tokens.get(self.at) else {
            return Err(invalid("it does not say how to compare"));
        };
        let comparison = match &*word.to_ascii_lowercase() {
            "eq" => Comparison::Eq,
            "ne" => Comparison::Ne,
            "co" => Comparison::Co,
            "sw" => Comparison::Sw,
            "ew" => Comparison::Ew,
            "gt" => Comparison::Gt,
            "ge" => Comparison::Ge,
            "lt" => Comparison::Lt,
            "le" => Comparison::Le,
            _ => return Err(invalid("it does not say how to compare")),
        };
        self.at += 1;
        Ok(comparison)
    }
}

fn tokens(text: &str) -> Result<Vec<Token>> {
    let (mut tokens, mut rest) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        tokens.push(match first {
            '(' => Token::Open,
            ')' => Token::Close,
            '[' => Token::OpenSquare,
            ']' => Token::CloseSquare,
            '"' => {
                let mut texts = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
                let value = texts.next().and_then(Result::ok);
                length = texts.byte_offset();
                Token::Value(value.ok_or_else(|| invalid("a text does not end"))?)
            }
            _ => {
                let end = |letter: char| letter.is_whitespace() || "()[]\"".contains(letter);
                length = rest.find(end).unwrap_or(rest.len());
                let word = &rest[..length];
                match serde_json::from_str::<Value>(word) {
                    Ok(value) => Token::Value(value),
                    Err(_) => Token::Word(word.to_owned()),
                }
            }
        });
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// The parts of a name, without the schema before it.
pub(crate) fn path_of(name: &str) -> Vec<String> {
    let name = match name.to_ascii_lowercase().starts_with("urn:") {
        // The last colon ends the schema, whose version has a dot.
        true => name.rsplit_once(':').map_or(name, |(_, rest)| rest),
        false => name,
    };
    name.split('.').map(str::to_owned).collect()
}

/// A part of an object by its name, whatever its case.
pub(crate) fn get<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    object.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

impl Filter {
    /// Whether an object fits.
    pub(crate) fn fits(&self, object: &Object) -> bool {
        match self {
            Self::And(one, other) => one.fits(object) && other.fits(object),
            Self::Or(one, other) => one.fits(object) || other.fits(object),
            Self::Not(one) => !one.fits(object),
            Self::Any(name, inner) => match get(object, name) {
                Some(Value::Array(each)) => {
                    each.iter().any(|one| one.as_object().is_some_and(|one| inner.fits(one)))
                }
                Some(Value::Object(one)) => inner.fits(one),
                _ => false,
            },
            Self::Present(path) => !values(object, path).is_empty(),
            Self::Compared(path, Comparison::Ne, value) => {
                !values(object, path).iter().any(|one| compares(one, Comparison::Eq, value))
            }
            Self::Compared(path, comparison, value) => {
                values(object, path).iter().any(|one| compares(one, *comparison, value))
            }
        }
    }

    /// What a value is made of that is to fit: where all of it is what something equals.
    pub(crate) fn equals(&self) -> Option<Object> {
        match self {
            Self::Compared(path, Comparison::Eq, value) if path.len() == 1 => {
                Some(Object::from_iter([(path[0].clone(), value.clone())]))
            }
            Self::And(one, other) => {
                let mut all = one.equals()?;
                all.extend(other.equals()?);
                Some(all)
            }
            _ => None,
        }
    }
}

/// The values at a path, of many their `value`s where nothing else is said.
fn values<'a>(object: &'a Object, path: &[String]) -> Vec<&'a Value> {
    let Some((first, rest)) = path.split_first() else { return Vec::new() };
    let Some(value) = get(object, first) else { return Vec::new() };
    let each: Vec<&Value> = match value {
        Value::Array(each) => each.iter().collect(),
        one => vec![one],
    };
    let inner = |one: &'a Value| match (one, rest) {
        (Value::Object(object), []) => get(object, "value").map_or(vec![one], |value| vec![value]),
        (Value::Object(object), rest) => values(object, rest),
        (one, []) => vec![one],
        _ => Vec::new(),
    };
    each.into_iter().flat_map(inner).filter(|value| !value.is_null()).collect()
}

fn compares(one: &Value, comparison: Comparison, other: &Value) -> bool {
    let (Value::String(one), Value::String(other)) = (one, other) else {
        return comparison == Comparison::Eq && one == other;
    };
    // Names are compared whatever their case; identifiers are of lower case here.
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    match comparison {
        Comparison::Eq => one == other,
        Comparison::Ne => one != other,
        Comparison::Co => one.contains(&other),
        Comparison::Sw => one.starts_with(&other),
        Comparison::Ew => one.ends_with(&other),
        Comparison::Gt => one > other,
        Comparison::Ge => one >= other,
        Comparison::Lt => one < other,
        Comparison::Le => one <= other,
    }
}
