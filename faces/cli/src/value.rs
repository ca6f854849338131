//! What a text says of a field: JSON as the contract has it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value as Json, json};
use stoa_contract::v1::Money;

use crate::contracts::amount_of;
use crate::{kebab, time};

/// The largest file that is read for a field of bytes.
const FILE_MAX: u64 = 4 << 20;

/// What was said of a field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    /// Its value, or one of them where it has several.
    pub(crate) value: Json,
    /// The currency that was said with an amount, for the field that holds it somewhere else.
    pub(crate) currency: Option<Currency>,
}

/// A currency that an amount was written with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Currency {
    /// The field that says it.
    pub(crate) field: String,
    /// Its code.
    pub(crate) code: String,
}

impl From<Json> for Said {
    fn from(value: Json) -> Self {
        Self { value, currency: None }
    }
}

/// What holds the value of a field, whether it holds one or several.
pub(crate) enum Holds {
    Scalar,
    Enum(EnumDescriptor),
    Timestamp,
    Duration,
    Mask,
    Money,
    /// What JSON may hold of any form.
    Json,
    Message(MessageDescriptor),
}

impl Holds {
    pub(crate) fn of(kind: &Kind) -> Self {
        match kind {
            Kind::Enum(descriptor) => Self::Enum(descriptor.clone()),
            Kind::Message(message) => match message.full_name() {
                "google.protobuf.Timestamp" => Self::Timestamp,
                "google.protobuf.Duration" => Self::Duration,
                "google.protobuf.FieldMask" => Self::Mask,
                "stoa.v1.Money" => Self::Money,
                name if name.starts_with("google.protobuf.") => Self::Json,
                _ => Self::Message(message.clone()),
            },
            _ => Self::Scalar,
        }
    }
}

/// Reads what a text says of a field: of one of its values, where it has several.
pub(crate) fn read(field: &FieldDescriptor, text: &str, now: Timestamp) -> Result<Said, String> {
    if field.is_map() {
        return pair(field, text, now);
    }
    match amount_of(field) {
        Some(currency) if text.parse::<i64>().is_err() => {
            let money = Money::read(text)?;
            let currency = Some(Currency { field: currency, code: money.currency });
            Ok(Said { value: json!(money.amount.to_string()), currency })
        }
        _ => of_kind(&field.kind(), text, now),
    }
}

fn of_kind(kind: &Kind, text: &str, now: Timestamp) -> Result<Said, String> {
    let value = match Holds::of(kind) {
        Holds::Scalar => scalar(kind, text)?,
        Holds::Enum(descriptor) => word(&descriptor, text)?,
        Holds::Timestamp => time::timestamp(text, now)?.into(),
        Holds::Duration => time::duration(text)?.into(),
        Holds::Mask => text.replace('-', "_").into(),
        Holds::Money if !text.starts_with('{') => {
            let money = Money::read(text)?;
            json!({"amount": money.amount.to_string(), "currency": money.currency})
        }
        Holds::Json | Holds::Money => whole(text)?,
        Holds::Message(_) if text.starts_with('{') => whole(text)?,
        Holds::Message(message) => return pairs(&message, text, now),
    };
    Ok(value.into())
}

fn scalar(kind: &Kind, text: &str) -> Result<Json, String> {
    let integer = "write a whole number";
    match kind {
        Kind::String => Ok(text.into()),
        Kind::Bool => text.parse::<bool>().map(Json::from).map_err(|_| "true or false".to_owned()),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            text.parse::<i32>().map(Json::from).map_err(|_| integer.to_owned())
        }
        Kind::Uint32 | Kind::Fixed32 => {
            text.parse::<u32>().map(Json::from).map_err(|_| integer.to_owned())
        }
        // Text: a number of JSON loses what is beyond 2^53.
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            let number = text.parse::<i64>().map_err(|_| integer.to_owned())?;
            Ok(number.to_string().into())
        }
        Kind::Uint64 | Kind::Fixed64 => {
            let number = text.parse::<u64>().map_err(|_| integer.to_owned())?;
            Ok(number.to_string().into())
        }
        Kind::Float | Kind::Double => {
            let number = text.parse::<f64>().map_err(|_| "write a number".to_owned())?;
            Ok(if number.is_finite() { json!(number) } else { text.into() })
        }
        Kind::Bytes => match text.strip_prefix('@') {
            Some(path) => Ok(BASE64.encode(file(path)?).into()),
            None => Ok(text.into()),
        },
        Kind::Message(_) | Kind::Enum(_) => Err("write JSON".to_owned()),
    }
}

/// A whole file, as far as a request could hold it.
fn file(path: &str) -> Result<Vec<u8>, String> {
    let told = |error: std::io::Error| format!("{path}: {error}");
    if std::fs::metadata(path).map_err(told)?.len() > FILE_MAX {
        return Err(format!("{path} is larger than {FILE_MAX} bytes"));
    }
    std::fs::read(path).map_err(told)
}

/// The words of an enum, as people type them, and its values: `asset` is `ACCOUNT_KIND_ASSET`.
pub(crate) fn words(descriptor: &EnumDescriptor) -> Vec<(String, String)> {
    let mut prefix = kebab(descriptor.name()).replace('-', "_").to_ascii_uppercase();
    prefix.push('_');
    let values = descriptor.values().map(|value| {
        let name = value.name();
        let short = name.strip_prefix(&prefix).unwrap_or(name);
        (kebab(&short.to_ascii_lowercase()), name.to_owned())
    });
    values.collect()
}

fn word(descriptor: &EnumDescriptor, text: &str) -> Result<Json, String> {
    let known = words(descriptor);
    let found = known.iter().find(|(word, name)| word == text || name == text);
    let found = found.map(|(_, name)| json!(name));
    found.ok_or_else(|| {
        let words: Vec<&str> = known.iter().skip(1).map(|(word, _)| word.as_str()).collect();
        format!("one of {}", words.join(", "))
    })
}

fn whole(text: &str) -> Result<Json, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}

/// One pair of a map: `key=value`.
fn pair(field: &FieldDescriptor, text: &str, now: Timestamp) -> Result<Said, String> {
    if text.starts_with('{') {
        return Ok(whole(text)?.into());
    }
    let Kind::Message(entry) = field.kind() else { return Err("write JSON".to_owned()) };
    let (key, value) = text.split_once('=').ok_or("write key=value")?;
    let value = of_kind(&entry.map_entry_value_field().kind(), value, now)?;
    Ok(json!({ key: value.value }).into())
}

/// A message as `debit=cash,credit=wallets/ada`.
fn pairs(message: &MessageDescriptor, text: &str, now: Timestamp) -> Result<Said, String> {
    let (mut fields, mut elsewhere) = (Map::new(), None);
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').ok_or_else(|| {
            format!("`{part}` is not field=value; where a value holds a comma, write JSON")
        })?;
        let wanted = name.replace('-', "_");
        let field = message.get_field_by_name(&wanted);
        let field = field.or_else(|| message.get_field_by_json_name(name)).ok_or_else(|| {
            let all: Vec<String> = message.fields().map(|field| kebab(field.name())).collect();
            format!("there is no field `{name}`; there are {}", all.join(", "))
        })?;
        let Said { value, currency } =
            read(&field, value, now).map_err(|said| format!("{name}: {said}"))?;
        put(&mut fields, &field, value).map_err(|()| format!("{name} is said twice"))?;
        match currency {
            Some(currency) if message.get_field_by_name(&currency.field).is_some() => {
                fields.insert(currency.field, currency.code.into());
            }
            Some(currency) => elsewhere = Some(currency),
            None => {}
        }
    }
    Ok(Said { value: fields.into(), currency: elsewhere })
}

/// Puts a value where its field is; those of a list and of a map one beside the other.
pub(crate) fn put(
    fields: &mut Map<String, Json>, field: &FieldDescriptor, value: Json,
) -> Result<(), ()> {
    // The other name that JSON may have for it.
    if field.name() != field.json_name()
        && let Some(known) = fields.remove(field.name())
    {
        fields.insert(field.json_name().to_owned(), known);
    }
    let place = fields.entry(field.json_name());
    match (place.or_insert(Json::Null), value) {
        (Json::Array(items), value) if field.is_list() => items.push(value),
        (Json::Object(known), Json::Object(more)) if field.is_map() => known.extend(more),
        (place @ Json::Null, value) if field.is_list() => *place = json!([value]),
        (place @ Json::Null, value) => *place = value,
        _ => return Err(()),
    }
    Ok(())
}
