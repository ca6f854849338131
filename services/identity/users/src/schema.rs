//! Schemas of preferences: a part of JSON Schema, read once more for each value, and bounded.

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};
use stoa_kit::{Error, Result};

/// Bytes of a schema, and of a value, as JSON.
const SCHEMA_MAX: usize = 8 * 1_024;
pub(crate) const VALUE_MAX: usize = 4 * 1_024;
/// Items of a list, and letters of a text, where a schema says nothing less.
const ITEMS_MAX: u64 = 100;
const LETTERS_MAX: u64 = 1_024;
/// What a pattern may come to once it is read, in bytes.
const PATTERN_MAX: usize = 64 * 1_024;

/// What a value has to fit.
#[derive(Debug)]
pub(crate) struct Schema {
    kind: Kind,
    one_of: Option<Vec<Value>>,
}

#[derive(Debug)]
enum Kind {
    Boolean,
    Number { whole: bool, least: Option<f64>, most: Option<f64> },
    Text { least: u64, most: u64, pattern: Option<Regex> },
    List { items: Box<Schema>, least: u64, most: u64, unique: bool },
}

/// Where a value does not fit, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    pub path: String,
    pub message: String,
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// `request.invalid`, with the place.
    pub(crate) fn read(schema: &Map<String, Value>) -> Result<Self> {
        let size = serde_json::to_vec(schema).map_or(usize::MAX, |text| text.len());
        if size > SCHEMA_MAX {
            return Err(invalid("schema", &format!("has more than {SCHEMA_MAX} bytes")));
        }
        Reader { place: "schema".into(), schema }.read(true)
    }

    /// Looks whether a value fits; `path` is where it stands.
    pub(crate) fn fits(&self, value: &Value, path: &str) -> Result<(), Misfit> {
        let misfit = |message: String| Err(Misfit { path: path.to_owned(), message });
        match (&self.kind, value) {
            (Kind::Boolean, Value::Bool(_)) => {}
            (Kind::Number { whole, least, most }, Value::Number(number)) => {
                let number = number.as_f64().unwrap_or(f64::NAN);
                match (least, most) {
                    _ if *whole && number.fract() != 0.0 => {
                        return misfit("is no whole number".into());
                    }
                    (Some(least), _) if number < *least => {
                        return misfit(format!("is less than {least}"));
                    }
                    (_, Some(most)) if number > *most => {
                        return misfit(format!("is more than {most}"));
                    }
                    _ => {}
                }
            }
            (Kind::Text { least, most, pattern }, Value::String(text)) => {
                let letters = text.chars().count() as u64;
                if letters < *least || letters > *most {
                    return misfit(format!("has to have {least} to {most} letters"));
                }
                if let Some(pattern) = pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
                    return misfit(format!("does not fit the pattern `{pattern}`"));
                }
            }
            (Kind::List { items, least, most, unique }, Value::Array(all)) => {
                let count = all.len() as u64;
                if count < *least || count > *most {
                    return misfit(format!("has to have {least} to {most} items"));
                }
                for (nth, item) in all.iter().enumerate() {
                    let path = format!("{path}[{nth}]");
                    items.fits(item, &path)?;
                    if *unique && all[..nth].contains(item) {
                        return Err(Misfit { path, message: "is there already".into() });
                    }
                }
            }
            (kind, _) => return misfit(format!("is not {}", kind.name())),
        }
        match &self.one_of {
            Some(all) if !all.contains(value) => {
                misfit(format!("is none of {}", Value::from(all.clone())))
            }
            _ => Ok(()),
        }
    }
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Boolean => "a boolean",
            Self::Number { whole: true, .. } => "an integer",
            Self::Number { whole: false, .. } => "a number",
            Self::Text { .. } => "a string",
            Self::List { .. } => "an array",
        }
    }
}

impl Misfit {
    /// As an error at the place of the value.
    pub(crate) fn error(self) -> Error {
        Error::field(self.path, "schema", self.message)
    }
}

/// A schema on its way.
struct Reader<'a> {
    place: String,
    schema: &'a Map<String, Value>,
}

impl Reader<'_> {
    fn read(&self, may_be_list: bool) -> Result<Schema> {
        let (kind, words): (_, &[&str]) = match self.schema.get("type").and_then(Value::as_str) {
            Some("boolean") => (Kind::Boolean, &[]),
            Some(word @ ("integer" | "number")) => {
                (self.number(word == "integer")?, &["minimum", "maximum", "enum"])
            }
            Some("string") => (self.text()?, &["minLength", "maxLength", "pattern", "enum"]),
            Some("array") if may_be_list => {
                (self.list()?, &["items", "minItems", "maxItems", "uniqueItems", "enum"])
            }
            Some("array") => return self.wrong("type", "an array of arrays is not understood"),
            _ => {
                let what = "is `boolean`, `integer`, `number`, `string` or `array`";
                return self.wrong("type", what);
            }
        };
        for (word, value) in self.schema {
            match &**word {
                "type" => {}
                "title" | "description" if value.is_string() => {}
                "title" | "description" => return self.wrong(word, "is a text"),
                word if words.contains(&word) => {}
                word => return self.wrong(word, "is not understood here"),
            }
        }
        let schema = Schema { kind, one_of: None };
        let Some(one_of) = self.schema.get("enum") else { return Ok(schema) };
        let Some(all) = one_of.as_array().filter(|all| !all.is_empty()) else {
            return self.wrong("enum", "is a list of values, one at least");
        };
        for (nth, value) in all.iter().enumerate() {
            let path = format!("{}.enum[{nth}]", self.place);
            schema.fits(value, &path).map_err(|it| invalid(&it.path, &it.message))?;
        }
        Ok(Schema { one_of: Some(all.clone()), ..schema })
    }

    fn number(&self, whole: bool) -> Result<Kind> {
        let bound = |word: &str| match self.schema.get(word) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) => Ok(Some(number)),
                None => self.wrong(word, "is a number"),
            },
        };
        let (least, most) = (bound("minimum")?, bound("maximum")?);
        match (least, most) {
            (Some(least), Some(most)) if least > most => {
                self.wrong("maximum", "is below `minimum`")
            }
            _ => Ok(Kind::Number { whole, least, most }),
        }
    }

    fn text(&self) -> Result<Kind> {
        let (least, most) = self.bounds("minLength", "maxLength", LETTERS_MAX)?;
        let pattern = match self.schema.get("pattern").map(Value::as_str) {
            None => None,
            Some(None) => return self.wrong("pattern", "is a text"),
            Some(Some(pattern)) => {
                match RegexBuilder::new(pattern).size_limit(PATTERN_MAX).build() {
                    Ok(pattern) => Some(pattern),
                    Err(_) => {
                        return self.wrong("pattern", "is no regular expression, or too large");
                    }
                }
            }
        };
        Ok(Kind::Text { least, most, pattern })
    }

    fn list(&self) -> Result<Kind> {
        let (least, most) = self.bounds("minItems", "maxItems", ITEMS_MAX)?;
        let unique = match self.schema.get("uniqueItems") {
            None => false,
            Some(Value::Bool(unique)) => *unique,
            Some(_) => return self.wrong("uniqueItems", "is a truth"),
        };
        let Some(Value::Object(schema)) = self.schema.get("items") else {
            return self.wrong("items", "is the schema of each");
        };
        let items = Reader { place: format!("{}.items", self.place), schema }.read(false)?;
        Ok(Kind::List { items: Box::new(items), least, most, unique })
    }

    /// Two bounds of a size.
    fn bounds(&self, least: &str, most: &str, max: u64) -> Result<(u64, u64)> {
        let bound = |word: &str, otherwise: u64| match self.schema.get(word) {
            None => Ok(otherwise),
            Some(value) => match whole(value).filter(|bound| *bound <= max) {
                Some(bound) => Ok(bound),
                None => self.wrong(word, &format!("is a whole number from 0 to {max}")),
            },
        };
        let (from, to) = (bound(least, 0)?, bound(most, max)?);
        if from > to {
            return self.wrong(most, &format!("is below `{least}`"));
        }
        Ok((from, to))
    }

    fn wrong<T>(&self, word: &str, what: &str) -> Result<T> {
        Err(invalid(&format!("{}.{word}", self.place), what))
    }
}

/// A whole number that is not negative; protobuf has doubles alone.
fn whole(value: &Value) -> Option<u64> {
    let number = value.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0)?;
    format!("{number}").parse().ok()
}

fn invalid(path: &str, message: &str) -> Error {
    Error::field(path, "schema", message)
}
