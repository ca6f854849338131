//! JSON, read strictly and written canonically (protobuf's JSON mapping).
//!
//! Generated `Deserialize` code skips names it does not know and takes the last of two values, so
//! a misspelled field, or the first value, would be lost in silence. One cheap pass over the text
//! compares its names with the message's [`Shape`] first.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::{fmt, io};

use serde::Serialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use serde_json::ser::{CompactFormatter, Formatter};
use strsim::levenshtein;

use crate::error::shown;
use crate::message::{Field, Leaf, Message, Shape, Value};
use crate::{Code, Error, Result, Violation};

/// Reads a message.
///
/// # Errors
/// `json.malformed` where the text is not JSON; `request.invalid` with the field's path where a
/// name is unknown or stands there twice, or a value has the wrong type.
pub fn decode<M: Message>(text: &[u8]) -> Result<M> {
    if text.iter().all(u8::is_ascii_whitespace) {
        return Ok(M::default());
    }
    let mut path = String::new();
    let mut reader = serde_json::Deserializer::from_slice(text);
    let names = Names { shape: M::SHAPE, path: &mut path };
    if let Err(error) = names.deserialize(&mut reader).and_then(|()| reader.end()) {
        return Err(refuse(&path, &error));
    }
    serde_json::from_slice(text).or_else(|_| {
        // Only a refusal pays for finding its place.
        let reader = &mut serde_json::Deserializer::from_slice(text);
        serde_path_to_error::deserialize(reader)
            .map_err(|error| refuse(&contract_path(M::SHAPE, error.path()), error.inner()))
    })
}

/// Writes a message.
///
/// # Errors
/// `internal`; a message that was built by this program can always be written.
pub fn encode<M: Message>(message: &M) -> Result<Vec<u8>> {
    text(message)
}

/// Writes any value. A whole number is written as one, also where it is kept with a fraction: what
/// was sent as 5 is not 5.0 when it comes back.
///
/// # Errors
/// `internal`, as [`encode`].
pub fn text(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut text = Vec::with_capacity(128);
    let mut writer = serde_json::Serializer::with_formatter(&mut text, Whole);
    value.serialize(&mut writer).map_err(Error::internal)?;
    Ok(text)
}

/// Writes without white space, and whole numbers without a fraction.
struct Whole;

impl Formatter for Whole {
    fn write_f64<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        if value.fract() == 0.0 && value.abs() <= EXACT_MAX as f64 {
            return self.write_i64(writer, value as i64);
        }
        CompactFormatter.write_f64(writer, value)
    }
}

/// Up to here a number of JSON, as everybody reads it, is the number that was written (RFC 8259, 6).
pub(crate) const EXACT_MAX: u64 = 1 << 53;

fn refuse(path: &str, error: &serde_json::Error) -> Error {
    let text = error.to_string();
    if !error.is_data() {
        return Error::new(Code::InvalidArgument, "json.malformed", format!("not JSON: {text}"))
            .help("Send one JSON object that follows the method's contract.");
    }
    // The path says where; the line and column that serde appends would only repeat it.
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    let (rule, message) = if let Some(rest) = text.strip_prefix(UNKNOWN) {
        ("json.unknown_field", rest.to_owned())
    } else if let Some(rest) = text.strip_prefix(REPEATED) {
        ("json.repeated_field", rest.to_owned())
    } else if let Some(rest) = text.strip_prefix(INEXACT) {
        ("json.inexact_number", rest.to_owned())
    } else {
        ("json.type", text.to_owned())
    };
    Error::invalid(vec![Violation { path: path.to_owned(), rule: Cow::Borrowed(rule), message }])
}

const UNKNOWN: &str = "unknown field: ";
const REPEATED: &str = "repeated field: ";
const INEXACT: &str = "inexact number: ";

/// Walks JSON and knows only which names may stand where.
struct Names<'a> {
    shape: &'static Shape,
    path: &'a mut String,
}

impl<'de> DeserializeSeed<'de> for Names<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Names<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = vec![false; self.shape.fields.len()];
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let length = self.path.len();
            if length > 0 {
                self.path.push('.');
            }
            let Some(index) = self.shape.index(&name) else {
                let name = shown(&name);
                self.path.push_str(&name);
                let hint = match self.shape.nearest(&name) {
                    Some(known) => format!("; did you mean `{known}`?"),
                    None => String::new(),
                };
                return Err(A::Error::custom(format_args!(
                    "{UNKNOWN}{} has no field `{name}`{hint}",
                    self.shape.name
                )));
            };
            let field = &self.shape.fields[index];
            self.path.push_str(field.name);
            if std::mem::replace(&mut seen[index], true) {
                return Err(A::Error::custom(format_args!("{REPEATED}stands there twice")));
            }
            match field.value {
                Value::Leaf(Leaf::Json)
                | Value::Leaves(Leaf::Json)
                | Value::LeafMap(Leaf::Json) => {
                    map.next_value_seed(Anything(self.path))?;
                }
                Value::Leaf(_) | Value::Leaves(_) | Value::LeafMap(_) => {
                    map.next_value::<IgnoredAny>()?;
                }
                Value::Message(shape) => map.next_value_seed(Names { shape, path: self.path })?,
                Value::List(shape) | Value::Map(shape) => {
                    map.next_value_seed(Many { shape, path: self.path })?;
                }
            }
            self.path.truncate(length);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom("expected an object, found a list"))
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        Err(E::custom("expected an object, found a string"))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        Err(E::custom("expected an object, found a boolean"))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        Err(E::custom("expected an object, found a number"))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        Err(E::custom("expected an object, found a number"))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        Err(E::custom("expected an object, found a number"))
    }
}

/// A value whose shape no contract says: it is refused where not all of it could be kept.
struct Anything<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Anything<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Anything<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<(), E> {
        exact(number.unsigned_abs() <= EXACT_MAX)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        exact(number <= EXACT_MAX)
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<(), E> {
        // A whole number without an exponent comes here where it is too long for 64 bits.
        exact(number.fract() != 0.0 || number.abs() <= EXACT_MAX as f64)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let length = self.0.len();
        for index in 0.. {
            self.0.push_str(&format!("[{index}]"));
            if items.next_element_seed(Anything(self.0))?.is_none() {
                self.0.truncate(length);
                break;
            }
            self.0.truncate(length);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let length = self.0.len();
        let mut seen = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            self.0.push_str(&format!("[\"{}\"]", shown(&key)));
            if !seen.insert(key) {
                return Err(A::Error::custom(format_args!("{REPEATED}stands there twice")));
            }
            map.next_value_seed(Anything(self.0))?;
            self.0.truncate(length);
        }
        Ok(())
    }
}

fn exact<E: serde::de::Error>(is_exact: bool) -> Result<(), E> {
    if is_exact {
        return Ok(());
    }
    Err(E::custom(format_args!(
        "{INEXACT}beyond 2^53, where numbers are not exact; send it as text"
    )))
}

/// A list or a map of messages.
struct Many<'a> {
    shape: &'static Shape,
    path: &'a mut String,
}

impl<'de> DeserializeSeed<'de> for Many<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Many<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or a map of objects")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let length = self.path.len();
        for index in 0.. {
            self.path.push_str(&format!("[{index}]"));
            if items.next_element_seed(Names { shape: self.shape, path: self.path })?.is_none() {
                self.path.truncate(length);
                break;
            }
            self.path.truncate(length);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let length = self.path.len();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            self.path.push_str(&format!("[\"{}\"]", shown(&key)));
            map.next_value_seed(Names { shape: self.shape, path: self.path })?;
            self.path.truncate(length);
        }
        Ok(())
    }
}

impl Shape {
    fn index(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.json == name || field.name == name)
    }

    /// A field by its name in the contract or in JSON.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.index(name).and_then(|index| self.fields.get(index))
    }

    /// The known name that somebody may have meant.
    fn nearest(&self, name: &str) -> Option<&'static str> {
        let wanted = name.to_ascii_lowercase().replace('_', "");
        self.fields
            .iter()
            .map(|field| (levenshtein(&wanted, &field.json.to_ascii_lowercase()), field.json))
            .filter(|(distance, _)| *distance <= 1 + wanted.len() / 4 && *distance < wanted.len())
            .min()
            .map(|(_, known)| known)
    }
}

/// A path of JSON names, in the names of the contract.
fn contract_path(shape: &'static Shape, path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut shape = Some(shape);
    let mut keyed = false;
    let mut out = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => out.push_str(&format!("[{index}]")),
            Segment::Map { key } | Segment::Enum { variant: key } if !keyed => {
                let field = shape.and_then(|shape| shape.field(key));
                if !out.is_empty() {
                    out.push('.');
                }
                match field {
                    Some(field) => out.push_str(field.name),
                    None => out.push_str(&shown(key)),
                }
                keyed = matches!(field.map(|f| f.value), Some(Value::Map(_) | Value::LeafMap(_)));
                shape = match field.map(|field| field.value) {
                    Some(Value::Message(next) | Value::List(next) | Value::Map(next)) => Some(next),
                    _ => None,
                };
            }
            Segment::Map { key } | Segment::Enum { variant: key } => {
                out.push_str(&format!("[\"{}\"]", shown(key)));
                keyed = false;
            }
            Segment::Unknown => {}
        }
    }
    out
}
