//! Messages as JSON Schema (2020-12): what protobuf's JSON of them looks like.

use std::collections::BTreeMap;

use prost_reflect::{DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value as Json, json};

use crate::described::{Described, extension};

/// The schemas that a document refers to, as they are asked for.
pub struct Schemas<'a> {
    described: &'a Described,
    /// Where in the document they stand: `#/$defs`.
    place: &'static str,
    rules: bool,
    /// Those that were asked for, by their names.
    pub made: BTreeMap<String, Json>,
}

impl<'a> Schemas<'a> {
    /// None yet, of a document that has them at a place: `#/$defs`.
    pub fn new(described: &'a Described, place: &'static str) -> Self {
        Self { described, place, rules: true, made: BTreeMap::new() }
    }

    /// The same for what is only read: rules are about what is sent, and JSON leaves out what is empty
    /// although it is required.
    #[must_use]
    pub fn without_rules(self) -> Self {
        Self { rules: false, ..self }
    }

    /// A reference to a message.
    pub fn message(&mut self, message: &MessageDescriptor) -> Json {
        let name = short(message.full_name());
        if !self.made.contains_key(&name) {
            // Before its fields are looked at: one of them may hold the same message.
            self.made.insert(name.clone(), Json::Null);
            let schema = self.object(message, &[]);
            self.made.insert(name.clone(), schema);
        }
        self.reference(&name)
    }

    /// A reference to a message without fields that stand elsewhere.
    pub fn rest_of(&mut self, message: &MessageDescriptor, without: &[&str]) -> Json {
        let has = |field: FieldDescriptor| without.contains(&field.name());
        if !message.fields().any(has) {
            return self.message(message);
        }
        let name = format!("{}.{}", short(message.full_name()), "Body");
        let schema = self.object(message, without);
        self.made.insert(name.clone(), schema);
        self.reference(&name)
    }

    /// A message without fields that stand elsewhere, itself.
    pub fn object(&mut self, message: &MessageDescriptor, without: &[&str]) -> Json {
        let comment = self.described.comment(&message.parent_file(), message.path()).to_owned();
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for field in message.fields().filter(|field| !without.contains(&field.name())) {
            if self.rules && is_required(&field) {
                required.push(field.json_name().to_owned());
            }
            let schema = self.field(&field);
            properties.insert(field.json_name().to_owned(), schema);
        }
        let mut schema = json!({"type": "object", "properties": properties});
        if !comment.is_empty() {
            schema["description"] = comment.into();
        }
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        schema
    }

    /// A field, with what is said about it and the rules that a schema can say.
    pub fn field(&mut self, field: &FieldDescriptor) -> Json {
        let mut schema = match field.kind() {
            Kind::Message(entry) if field.is_map() => {
                let value = self.value(&entry.map_entry_value_field().kind());
                json!({"type": "object", "additionalProperties": value})
            }
            kind if field.is_list() => json!({"type": "array", "items": self.value(&kind)}),
            kind => self.value(&kind),
        };
        if self.rules
            && let Some(rules) = extension(&field.options(), "buf.validate.field")
            && let Some(rules) = rules.as_message()
        {
            constrain(&mut schema, field, rules);
        }
        let comment = self.described.comment(&field.parent_message().parent_file(), field.path());
        if !comment.is_empty() {
            schema["description"] = comment.into();
        }
        schema
    }

    fn value(&mut self, kind: &Kind) -> Json {
        match kind {
            Kind::Bool => json!({"type": "boolean"}),
            Kind::String => json!({"type": "string"}),
            Kind::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                json!({"type": "integer", "format": "int32"})
            }
            Kind::Uint32 | Kind::Fixed32 => json!({"type": "integer", "minimum": 0}),
            // Text: a number of JSON loses what is beyond 2^53.
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                json!({"type": "string", "format": "int64"})
            }
            Kind::Uint64 | Kind::Fixed64 => json!({"type": "string", "format": "uint64"}),
            Kind::Float | Kind::Double => json!({"type": "number", "format": "double"}),
            Kind::Enum(of) => self.one_of(of),
            Kind::Message(message) => match message.full_name() {
                "google.protobuf.Timestamp" => json!({"type": "string", "format": "date-time"}),
                "google.protobuf.Duration" => {
                    json!({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"})
                }
                "google.protobuf.FieldMask" => json!({"type": "string"}),
                name if name.starts_with("google.protobuf.") => json!({}),
                _ => self.message(message),
            },
        }
    }

    fn one_of(&mut self, of: &EnumDescriptor) -> Json {
        let name = short(of.full_name());
        let names: Vec<String> = of.values().map(|value| value.name().to_owned()).collect();
        let file = of.parent_file();
        let lines = of.values().map(|value| {
            format!("- `{}`: {}", value.name(), self.described.comment(&file, value.path()))
        });
        let about = self.described.comment(&file, of.path());
        let description = format!("{about}\n\n{}", lines.collect::<Vec<_>>().join("\n"));
        let schema = json!({"type": "string", "enum": names, "description": description});
        self.made.insert(name.clone(), schema);
        self.reference(&name)
    }

    fn reference(&self, name: &str) -> Json {
        json!({"$ref": format!("{}/{name}", self.place)})
    }
}

/// The scalars that stand for a field in a query, each with its name there.
pub fn in_query(field: &FieldDescriptor, before: &str) -> Vec<(String, FieldDescriptor)> {
    let name = format!("{before}{}", field.json_name());
    match field.kind() {
        Kind::Message(message) if !message.full_name().starts_with("google.protobuf.") => {
            let inner = format!("{name}.");
            message.fields().flat_map(|field| in_query(&field, &inner)).collect()
        }
        _ => vec![(name, field.clone())],
    }
}

/// Whether a field says that it must have a value.
pub fn is_required(field: &FieldDescriptor) -> bool {
    let rules = extension(&field.options(), "buf.validate.field");
    let rules = rules.as_ref().and_then(|rules| rules.as_message());
    rules.and_then(|rules| rules.get_field_by_name("required")?.as_bool()) == Some(true)
}

/// `ledger.Account` of `stoa.ledger.v1.Account`.
fn short(full_name: &str) -> String {
    let name = full_name.strip_prefix("stoa.").unwrap_or(full_name);
    match name.strip_prefix("v1.") {
        Some(shared) => shared.to_owned(),
        None => name.replacen(".v1.", ".", 1),
    }
}

/// Says as much of a field's rules as a schema can. A rule that may be ignored is not said.
fn constrain(schema: &mut Json, field: &FieldDescriptor, rules: &DynamicMessage) {
    if rules.has_field_by_name("ignore") || field.is_map() {
        return;
    }
    let of = |name: &str| rules.get_field_by_name(name).filter(|_| rules.has_field_by_name(name));
    let group = if field.is_list() { "repeated" } else { type_of(&field.kind()) };
    let Some(group) = of(group) else { return };
    let Some(group) = group.as_message() else { return };
    let words = [
        ("min_len", "minLength"),
        ("max_len", "maxLength"),
        ("pattern", "pattern"),
        ("gte", "minimum"),
        ("lte", "maximum"),
        ("gt", "exclusiveMinimum"),
        ("lt", "exclusiveMaximum"),
        ("min_items", "minItems"),
        ("max_items", "maxItems"),
    ];
    let is_text = schema["type"] == "string";
    for (rule, word) in words.into_iter().filter(|(rule, _)| group.has_field_by_name(rule)) {
        let Some(value) = group.get_field_by_name(rule) else { continue };
        let number = value
            .as_u64()
            .map(Json::from)
            .or_else(|| value.as_i64().map(Json::from))
            .or_else(|| value.as_i32().map(Json::from))
            .or_else(|| value.as_u32().map(Json::from));
        match (number, value.as_str()) {
            // A number of 64 bits is text, and text has no minimum.
            (Some(_), _) if is_text && !word.ends_with("Length") => {}
            (Some(number), _) => schema[word] = number,
            (None, Some(text)) => schema[word] = text.into(),
            (None, None) => {}
        }
    }
}

fn type_of(kind: &Kind) -> &'static str {
    match kind {
        Kind::String => "string",
        Kind::Int32 => "int32",
        Kind::Uint32 => "uint32",
        _ => "",
    }
}
