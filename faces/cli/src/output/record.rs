//! One thing, a field on each line.

use prost_reflect::{FieldDescriptor, MessageDescriptor};
use serde_json::{Map, Value as Json};

use super::Page;
use super::cell::{cell, currency};
use super::table;
use crate::contracts::amount_of;
use crate::flags::message_of;

/// How deep a message within a message is shown by its fields.
const DEPTH_MAX: usize = 4;

/// A reply: a table where it lists things, and otherwise what it shows, field by field.
pub(super) fn reply(page: &Page, message: &MessageDescriptor, reply: &Json) -> String {
    let nothing = Map::new();
    let fields = reply.as_object().unwrap_or(&nothing);
    let all: Vec<FieldDescriptor> = message.fields().collect();
    if let [only] = all.as_slice()
        && let Some(inner) = message_of(only).filter(|_| !only.is_list())
        && let Some(Json::Object(inner_fields)) = fields.get(only.json_name())
    {
        return record(page, &inner, inner_fields, "", 0);
    }
    let lists: Vec<&FieldDescriptor> =
        all.iter().filter(|field| field.is_list() && message_of(field).is_some()).collect();
    let [list] = lists.as_slice() else { return record(page, message, fields, "", 0) };
    let around = around(message, fields, "");
    let mut rest = fields.clone();
    let rows = rest.remove(list.json_name()).unwrap_or_default();
    rest.remove("nextPageToken");
    let rows = rows.as_array().map_or(&[][..], Vec::as_slice);
    let Some(item) = message_of(list) else { return String::new() };
    let table = match rows.is_empty() {
        true => "none\n".to_owned(),
        false => table::table(page, &item, rows, &around),
    };
    match rest.is_empty() {
        true => table,
        false => format!("{table}\n{}", record(page, message, &rest, "", 0)),
    }
}

/// What a message says of the currency of amounts that are parts of it.
fn around(message: &MessageDescriptor, fields: &Map<String, Json>, outer: &str) -> String {
    let own = message.fields().find(|field| amount_of(field).is_some());
    let own = own.map(|field| currency(&field, fields, outer).to_owned());
    let said = || fields.get("currency").and_then(Json::as_str).unwrap_or(outer).to_owned();
    own.unwrap_or_else(said)
}

fn record(
    page: &Page, message: &MessageDescriptor, fields: &Map<String, Json>, outer: &str, depth: usize,
) -> String {
    let around = around(message, fields, outer);
    let shown = |field: &FieldDescriptor| {
        fields.contains_key(field.json_name())
            || (amount_of(field).is_some() && !field.supports_presence())
    };
    let shown: Vec<FieldDescriptor> = message.fields().filter(shown).collect();
    let width = shown.iter().map(|field| field.name().len()).max().unwrap_or(0);
    let mut out = String::new();
    for field in shown {
        let value = fields.get(field.json_name()).unwrap_or(&Json::Null);
        let name = page.heading(field.name());
        match (message_of(&field), value) {
            (Some(item), Json::Array(rows)) if !rows.is_empty() => {
                let table = table::table(page, &item, rows, &around);
                out += &format!("{name}\n{}", indented(&table));
            }
            (Some(inner), Json::Object(inner_fields)) if depth < DEPTH_MAX => {
                let inner = record(page, &inner, inner_fields, &around, depth + 1);
                out += &format!("{name}\n{}", indented(&inner));
            }
            _ => {
                let space = " ".repeat(width - field.name().len());
                out += &format!("{name}{space}  {}\n", cell(&field, fields, &around));
            }
        }
    }
    out
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
