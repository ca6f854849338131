//! Messages and enums as types, and what stands behind their fields.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use apollo_compiler::response::JsonValue;
use prost_reflect::{EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor};
use stoa_contract::described::{Described, extension};
use stoa_contract::schema::is_required;

use super::edges::{self, By};
use super::text::{deprecated, described};
use super::{Field, Fields, Part, names, scalars};

/// The types of messages, as they are asked for.
pub(super) struct Messages<'a> {
    described: &'a Described,
    pub(super) getters: BTreeMap<String, Arc<By>>,
    pub(super) text: String,
    pub(super) fields: Fields,
    made: BTreeSet<String>,
    waiting: Vec<Wanted>,
}

enum Wanted {
    Output(MessageDescriptor),
    Input(MessageDescriptor),
    OneOf(EnumDescriptor),
}

impl<'a> Messages<'a> {
    pub(super) fn new(described: &'a Described, getters: BTreeMap<String, Arc<By>>) -> Self {
        let (text, fields) = (String::new(), HashMap::new());
        Self { described, getters, text, fields, made: BTreeSet::new(), waiting: Vec::new() }
    }

    /// Writes what was asked for, and all that it leads to: messages may hold each other in a circle.
    pub(super) fn finish(&mut self) {
        while let Some(wanted) = self.waiting.pop() {
            match wanted {
                Wanted::Output(message) => self.output_type(&message),
                Wanted::Input(message) => self.input_type(&message),
                Wanted::OneOf(of) => self.enum_type(&of),
            }
        }
    }

    /// The type of a message in replies.
    pub(super) fn output(&mut self, message: &MessageDescriptor) -> String {
        let kind = Kind::Message(message.clone());
        if let Some((scalar, _)) = scalars::of(&kind) {
            return scalar.to_owned();
        }
        self.want(names::output(message), Wanted::Output(message.clone()))
    }

    /// The fields of a message, as arguments or as those of an input.
    pub(super) fn taken(&mut self, message: &MessageDescriptor, indent: &str) -> String {
        let mut text = String::new();
        for field in message.fields() {
            let comment = self.comment(&message.parent_file(), field.path());
            text += &described(&comment, indent);
            let kind = self.input(&field);
            let old = deprecated(&field.options()).filter(|_| !kind.ends_with('!'));
            let _ = writeln!(text, "{indent}{}: {kind}{}", field.json_name(), old.unwrap_or(""));
        }
        text
    }

    pub(super) fn comment(&self, file: &FileDescriptor, place: &[i32]) -> String {
        self.described.comment(file, place).to_owned()
    }

    fn want(&mut self, name: String, wanted: Wanted) -> String {
        if self.made.insert(name.clone()) {
            self.waiting.push(wanted);
        }
        name
    }

    fn output_type(&mut self, message: &MessageDescriptor) {
        let name = names::output(message);
        let file = message.parent_file();
        let mut text = described(&self.comment(&file, message.path()), "");
        let _ = writeln!(text, "type {name} {{");
        let mut fields = HashMap::new();
        for field in message.fields() {
            text += &described(&self.comment(&file, field.path()), "  ");
            let (kind, absent) = self.given(&field);
            let old = deprecated(&field.options()).unwrap_or("");
            let _ = writeln!(text, "  {}: {kind}{old}", field.json_name());
            let is_float = kind.contains("Float");
            let part = Part { json: field.json_name().to_owned(), absent, is_float };
            fields.insert(field.json_name().to_owned(), Field::Part(part));
        }
        for field in message.fields() {
            let Some((name, edge)) = edges::of(&field, &self.getters) else { continue };
            if fields.contains_key(&name) {
                continue;
            }
            let resource = self.output(&edge.by.resource.clone());
            let kind = if field.is_list() { format!("[{resource}]") } else { resource };
            let said = format!("What `{}` names; null where there is none.", field.json_name());
            let _ = writeln!(text, "{}  {name}: {kind}", described(&said, "  "));
            fields.insert(name, Field::Edge(edge));
        }
        self.text += &text;
        self.text += "}\n";
        self.fields.insert(name, fields);
    }

    fn input_type(&mut self, message: &MessageDescriptor) {
        let mut text = described(&self.comment(&message.parent_file(), message.path()), "");
        let _ = writeln!(text, "input {} {{", names::input(message));
        text += &self.taken(message, "  ");
        self.text += &text;
        self.text += "}\n";
    }

    fn enum_type(&mut self, of: &EnumDescriptor) {
        let file = of.parent_file();
        let mut text = described(&self.comment(&file, of.path()), "");
        let _ = writeln!(text, "enum {} {{", names::one_of(of));
        for value in of.values() {
            text += &described(&self.comment(&file, value.path()), "  ");
            let old = deprecated(&value.options()).unwrap_or("");
            let _ = writeln!(text, "  {}{old}", value.name());
        }
        self.text += &text;
        self.text += "}\n";
    }

    /// The type of a field in replies, and what it is where JSON leaves it out.
    fn given(&mut self, field: &FieldDescriptor) -> (String, JsonValue) {
        if field.is_map() {
            return ("JSON!".to_owned(), JsonValue::Object(Default::default()));
        }
        let kind = field.kind();
        let (name, absent) = match (scalars::of(&kind), &kind) {
            (Some((scalar, absent)), _) => (scalar.to_owned(), absent),
            (None, Kind::Enum(of)) => (self.one_of(of), scalars::first(of)),
            (None, Kind::Message(message)) => (self.output(message), JsonValue::Null),
            (None, _) => ("JSON".to_owned(), JsonValue::Null),
        };
        // What JSON can say of a number with fractions, GraphQL cannot: that it is none.
        let never = !matches!(name.as_str(), "Float" | "JSON");
        match field.is_list() {
            true if never => (format!("[{name}!]!"), JsonValue::Array(Vec::new())),
            true => (format!("[{name}]!"), JsonValue::Array(Vec::new())),
            false if field.supports_presence() => (name, JsonValue::Null),
            false if never => (format!("{name}!"), absent),
            false => (name, absent),
        }
    }

    /// The type of a field in requests.
    fn input(&mut self, field: &FieldDescriptor) -> String {
        let kind = field.kind();
        let name = match (scalars::of(&kind), &kind) {
            _ if field.is_map() => return "JSON".to_owned(),
            (Some((scalar, _)), _) => scalar.to_owned(),
            (None, Kind::Enum(of)) => self.one_of(of),
            (None, Kind::Message(message)) => {
                self.want(names::input(message), Wanted::Input(message.clone()))
            }
            (None, _) => "JSON".to_owned(),
        };
        let name = if field.is_list() { format!("[{name}!]") } else { name };
        if must_be_there(field) { format!("{name}!") } else { name }
    }

    fn one_of(&mut self, of: &EnumDescriptor) -> String {
        self.want(names::one_of(of), Wanted::OneOf(of.clone()))
    }
}

/// Whether no request is right without a field: a rule says so, or refuses what an absent one is.
fn must_be_there(field: &FieldDescriptor) -> bool {
    let Some(rules) = extension(&field.options(), "buf.validate.field") else { return false };
    let Some(rules) = rules.as_message() else { return false };
    if rules.has_field_by_name("ignore") || field.supports_presence() {
        return is_required(field);
    }
    let rule = |group: &str, name: &str| {
        let group = rules.get_field_by_name(group).filter(|_| rules.has_field_by_name(group))?;
        let group = group.as_message()?;
        let rule = group.get_field_by_name(name)?.into_owned();
        group.has_field_by_name(name).then_some(rule)
    };
    let at_least = |group, name| rule(group, name).and_then(|most| most.as_u64()) > Some(0);
    let refuses_none = rule("enum", "not_in").is_some_and(|values| {
        values.as_list().into_iter().flatten().any(|it| it.as_i32() == Some(0))
    });
    is_required(field)
        || (!field.is_list() && (at_least("string", "min_len") || refuses_none))
        || (field.is_list() && at_least("repeated", "min_items"))
}
