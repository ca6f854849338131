//! What a contract gives no shape: `google.protobuf.Struct`, `Value` and `ListValue`, as values of JSON.
//!
//! **Invariant:** equal values are written as equal bytes: names stand in their order, so that a request
//! is known again by its hash, and a command that runs again writes the same.

use std::sync::OnceLock;

use buffa::bytes::Buf;
use buffa::encoding::Tag;
use buffa::{DecodeContext, DecodeError, DefaultInstance, EncodeSink, Message, SizeCache};
use buffa_types::google::protobuf as wire;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value as Json};

/// `google.protobuf.Struct`: an object of JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Struct(pub Map<String, Json>);

/// `google.protobuf.Value`: any value of JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Value(pub Json);

/// `google.protobuf.ListValue`: a list of JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ListValue(pub Vec<Json>);

/// How one of them stands in binary protobuf. `buffa` reads it; what it would write stands in no order.
macro_rules! binary {
    ($name:ident, $write:ident, |$this:ident, $read:ident| $take:expr) => {
        impl DefaultInstance for $name {
            fn default_instance() -> &'static Self {
                static NONE: OnceLock<$name> = OnceLock::new();
                NONE.get_or_init(Self::default)
            }
        }

        impl Message for $name {
            fn compute_size(&self, _: &mut SizeCache) -> u32 {
                u32::try_from($write(&self.0).len()).unwrap_or(u32::MAX)
            }

            fn write_to(&self, _: &mut SizeCache, buffer: &mut impl EncodeSink) {
                buffer.put_slice(&$write(&self.0));
            }

            fn merge_field(
                &mut self, tag: Tag, buffer: &mut impl Buf, context: DecodeContext<'_>,
            ) -> Result<(), DecodeError> {
                let mut $read = wire::$name::default();
                $read.merge_field(tag, buffer, context)?;
                let $this = self;
                $take;
                Ok(())
            }

            fn clear(&mut self) {
                *self = Self::default();
            }
        }
    };
}

binary!(Struct, object, |this, read| this.0.extend(named(read)?));
binary!(Value, value, |this, read| this.0 = json(read)?);
binary!(ListValue, list, |this, read| {
    for one in read.values {
        this.0.push(json(one)?);
    }
});

fn named(read: wire::Struct) -> Result<Vec<(String, Json)>, DecodeError> {
    read.fields.into_iter().map(|(name, value)| Ok((name, json(value)?))).collect()
}

fn json(read: wire::Value) -> Result<Json, DecodeError> {
    use wire::value::Kind;
    Ok(match read.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(truth)) => Json::Bool(truth),
        Some(Kind::StringValue(text)) => Json::String(text),
        Some(Kind::NumberValue(number)) => Json::Number(numeral(number)?),
        Some(Kind::StructValue(of)) => Json::Object(named(*of)?.into_iter().collect()),
        Some(Kind::ListValue(of)) => {
            Json::Array(of.values.into_iter().map(json).collect::<Result<_, _>>()?)
        }
    })
}

/// A number as JSON has it: a whole one without a fraction. What is none has no place there.
fn numeral(number: f64) -> Result<Number, DecodeError> {
    if number.fract() == 0.0 && number.abs() <= crate::json::EXACT_MAX as f64 {
        return Ok(Number::from(number as i64));
    }
    let none = "a number of JSON that is not finite";
    Number::from_f64(number).ok_or(DecodeError::InvalidMessageSet(none))
}

/// An object: its entries, each a field of its own.
fn object(map: &Map<String, Json>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut named: Vec<_> = map.iter().collect();
    // They stand in this order already, unless somebody has `serde_json` keep that of the text.
    named.sort_unstable_by_key(|(name, _)| *name);
    for (name, inner) in named {
        let mut entry = Vec::new();
        part(&mut entry, 1, name.as_bytes());
        part(&mut entry, 2, &value(inner));
        part(&mut out, 1, &entry);
    }
    out
}

fn list(values: &[Json]) -> Vec<u8> {
    let mut out = Vec::new();
    for inner in values {
        part(&mut out, 1, &value(inner));
    }
    out
}

fn value(of: &Json) -> Vec<u8> {
    let mut out = Vec::new();
    match of {
        Json::Null => out.extend([field(1, VARINT), 0]),
        Json::Number(number) => {
            out.push(field(2, FIXED));
            out.extend(number.as_f64().unwrap_or_default().to_le_bytes());
        }
        Json::String(text) => part(&mut out, 3, text.as_bytes()),
        Json::Bool(truth) => out.extend([field(4, VARINT), u8::from(*truth)]),
        Json::Object(map) => part(&mut out, 5, &object(map)),
        Json::Array(values) => part(&mut out, 6, &list(values)),
    }
    out
}

const VARINT: u8 = 0;
const FIXED: u8 = 1;
const BYTES: u8 = 2;

/// What a field begins with.
const fn field(number: u8, kind: u8) -> u8 {
    number << 3 | kind
}

/// A field that says how long it is.
fn part(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(field(number, BYTES));
    let mut left = bytes.len();
    while left >= 0x80 {
        out.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
    out.extend_from_slice(bytes);
}
