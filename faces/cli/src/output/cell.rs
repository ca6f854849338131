//! A value in few words.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value as Json};
use stoa_contract::v1::Money;

use crate::contracts::amount_of;
use crate::flags::message_of;
use crate::time;
use crate::value::{self, Holds};

/// The value of a field among others, on one line; the currency is that of what is around it.
pub(super) fn cell(field: &FieldDescriptor, fields: &Map<String, Json>, around: &str) -> String {
    let Some(value) = fields.get(field.json_name()) else {
        return match amount_of(field) {
            // JSON leaves out what is nothing.
            Some(_) if !field.supports_presence() => one(field, &Json::from("0"), fields, around),
            _ => String::new(),
        };
    };
    match value {
        // Each of them would take a table of its own.
        Json::Array(items) if message_of(field).is_some() => items.len().to_string(),
        Json::Array(items) => {
            let items: Vec<String> =
                items.iter().map(|item| one(field, item, fields, around)).collect();
            items.join(", ")
        }
        Json::Object(pairs) if field.is_map() => {
            let pairs: Vec<String> = pairs
                .iter()
                .map(|(key, value)| format!("{}={}", clean(key), plain(value)))
                .collect();
            pairs.join(", ")
        }
        value => one(field, value, fields, around),
    }
}

fn one(field: &FieldDescriptor, value: &Json, fields: &Map<String, Json>, around: &str) -> String {
    match (Holds::of(&field.kind()), value) {
        (Holds::Enum(descriptor), Json::String(name)) => {
            let words = value::words(&descriptor).into_iter();
            let word = words.skip(1).find(|(_, known)| known == name).map(|(word, _)| word);
            word.unwrap_or_else(|| name.clone())
        }
        (Holds::Money, Json::Object(money)) => {
            let currency = money.get("currency").and_then(Json::as_str).unwrap_or("");
            amount(money.get("amount").unwrap_or(&Json::from("0")), currency)
        }
        (Holds::Scalar, value) => match amount_of(field) {
            Some(_) => amount(value, currency(field, fields, around)),
            None => plain(value),
        },
        (Holds::Message(message), Json::Object(inner)) => within(&message, inner, around),
        (Holds::Duration, Json::String(text)) => time::words(text).unwrap_or_else(|| clean(text)),
        (_, value) => plain(value),
    }
}

/// A message on one line: its fields that are a word or a few of them.
fn within(message: &MessageDescriptor, fields: &Map<String, Json>, around: &str) -> String {
    let said = message.fields().filter(|field| fields.contains_key(field.json_name()));
    let said = said.map(|field| match is_simple(&field) {
        true => format!("{}={}", field.name(), cell(&field, fields, around)),
        false => format!("{}=…", field.name()),
    });
    said.collect::<Vec<_>>().join(", ")
}

/// The currency of the amounts of a message: what it says itself, or what is said around it.
pub(super) fn currency<'a>(
    field: &FieldDescriptor, fields: &'a Map<String, Json>, around: &'a str,
) -> &'a str {
    let name = amount_of(field).unwrap_or_default();
    let said = field.parent_message().get_field_by_name(&name);
    let said = said.and_then(|said| fields.get(said.json_name())?.as_str());
    said.unwrap_or(around)
}

fn amount(value: &Json, currency: &str) -> String {
    let amount = value.as_i64().or_else(|| value.as_str()?.parse().ok());
    match amount {
        Some(amount) if !currency.is_empty() => Money { amount, currency: clean(currency) }.words(),
        _ => plain(value),
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => clean(text),
        Json::Null => String::new(),
        other => clean(&other.to_string()),
    }
}

/// A text on one line, and without what would drive the terminal.
pub(super) fn clean(text: &str) -> String {
    let shown = |sign: char| if sign.is_control() { ' ' } else { sign };
    text.chars().map(shown).collect()
}

/// Whether a value is one word or a few of them: a column of a table.
pub(super) fn is_simple(field: &FieldDescriptor) -> bool {
    let message = matches!(Holds::of(&field.kind()), Holds::Message(_) | Holds::Json);
    !message && !field.is_list() && !field.is_map()
}

/// Whether a value is better read from the right.
pub(super) fn is_number(field: &FieldDescriptor) -> bool {
    if field.is_list() {
        // How many there are, where each is a message.
        return message_of(field).is_some();
    }
    let text = matches!(field.kind(), Kind::String | Kind::Bytes | Kind::Bool | Kind::Enum(_));
    !text && matches!(Holds::of(&field.kind()), Holds::Scalar | Holds::Money)
}
