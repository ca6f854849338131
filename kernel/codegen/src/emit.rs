//! Writes what stands beside `buffa`'s messages.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};

use crate::idents::{ident, pascal, snake};
use crate::model::{Event, Resource, is_redacted, personal_of, problem_of};
use crate::problems::Problems;
use crate::source::Source;
use crate::{forms, rows, rules};

/// A package on its way into a module.
pub(crate) struct Package<'a> {
    pub(crate) source: &'a Source,
    pub(crate) names: Names,
}

/// Where other code is found.
pub(crate) struct Names {
    /// The path of `stoa-contract`.
    pub(crate) contract: &'static str,
}

impl Package<'_> {
    /// Packages found elsewhere, with the Rust modules they are.
    pub(crate) fn foreign(&self) -> Vec<(String, String)> {
        if self.names.contract == "crate" {
            return Vec::new();
        }
        [("stoa.v1", "v1"), ("google.rpc", "rpc")]
            .into_iter()
            .map(|(proto, rust)| (proto.to_owned(), format!("{}::{rust}", self.names.contract)))
            .filter(|(proto, _)| *proto != self.source.package)
            .collect()
    }

    /// Whether types of a package can be used here.
    pub(crate) fn knows(&self, package: &str) -> bool {
        package == self.source.package
            || package == "google.protobuf"
            || self.foreign().iter().any(|(proto, _)| proto == package)
    }

    /// The path of a message's Rust type.
    pub(crate) fn rust_type(&self, message: &MessageDescriptor) -> String {
        self.rust_path(message.package_name(), message.parent_message(), message.name())
    }

    /// The path of an enum's Rust type.
    pub(crate) fn rust_enum(&self, descriptor: &EnumDescriptor) -> String {
        self.rust_path(descriptor.package_name(), descriptor.parent_message(), descriptor.name())
    }

    fn rust_path(
        &self, package: &str, mut parent: Option<MessageDescriptor>, name: &str,
    ) -> String {
        let mut path = String::new();
        let home = self.foreign().into_iter().find(|(proto, _)| proto == package);
        if let Some((_, module)) = home {
            path = format!("{module}::");
        }
        let mut parents = Vec::new();
        while let Some(message) = parent {
            parents.push(ident(&snake(message.name())));
            parent = message.parent_message();
        }
        for module in parents.into_iter().rev() {
            path.push_str(&module);
            path.push_str("::");
        }
        path + &ident(name)
    }

    /// The path of the enum that holds a oneof's cases.
    pub(crate) fn oneof_type(&self, message: &MessageDescriptor, oneof: &str) -> String {
        let mut modules = vec![ident(&snake(message.name()))];
        let mut parent = message.parent_message();
        while let Some(message) = parent {
            modules.push(ident(&snake(message.name())));
            parent = message.parent_message();
        }
        modules.reverse();
        format!("__buffa::oneof::{}::{}", modules.join("::"), pascal(oneof))
    }
}

/// What is written for messages and enums.
pub(crate) fn messages(package: &Package<'_>, problems: &mut Problems) -> String {
    let mut out = String::new();
    let files = &package.source.files;
    let taken: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let messages = file.messages().map(|message| message.name().to_owned());
            messages
                .chain(file.enums().map(|descriptor| descriptor.name().to_owned()))
                .collect::<Vec<_>>()
        })
        .collect();
    for message in package.source.messages() {
        for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            let path = package.oneof_type(&message, oneof.name());
            let alias = format!("{}{}", flat_name(&message), pascal(oneof.name()));
            if !taken.contains(&alias) {
                let _ = writeln!(out, "#[doc(inline)]\npub use {path} as {alias};");
            }
        }
    }
    for message in package.source.messages() {
        let check = rules::check_body(package, &message, problems);
        let form = forms::body(package, &message, problems);
        out.push_str(&message_impl(package, &message, &check, &form));
        out.push_str(&event_impl(package, &message));
        out.push_str(&resource_impl(package, &message));
        out.push_str(&rows::paged(package, &message));
        out.push_str(&rows::text(package, &message, problems));
        out.push_str(&rows::update(package, &message));
    }
    for descriptor in package.source.enums() {
        out.push_str(&rows::words(package, &descriptor));
        if descriptor.name() == "Reason" && descriptor.parent_message().is_none() {
            out.push_str(&reason_impl(package, &descriptor));
        }
    }
    out
}

/// `AccountLeg` for the message `Leg` inside `Account`.
fn flat_name(message: &MessageDescriptor) -> String {
    match message.parent_message() {
        Some(parent) => flat_name(&parent) + message.name(),
        None => message.name().to_owned(),
    }
}

fn message_impl(
    package: &Package<'_>, message: &MessageDescriptor, check: &str, form: &str,
) -> String {
    let contract = package.names.contract;
    let name = message.full_name();
    let fields: String = message.fields().map(|field| shape_field(package, &field)).collect();
    let argument = if check.is_empty() { "_" } else { "check" };
    let shape = shape_name(message);
    let form = match form {
        "" => String::new(),
        form => {
            format!("fn form(&mut self) {{\nuse {contract}::{{Form, Message as _}};\n{form}}}\n")
        }
    };
    format!(
        "\nstatic {shape}: {contract}::Shape = {contract}::Shape {{\n\
         name: {name:?},\n\
         fields: &[\n{fields}],\n}};\n\n\
         impl {contract}::Message for {rust} {{\n\
         const NAME: &'static str = {name:?};\n\
         const SHAPE: &'static {contract}::Shape = &{shape};\n\
         {form}fn check(&self, {argument}: &mut {contract}::Check) {{\n{check}}}\n{personal}}}\n",
        rust = package.rust_type(message),
        personal = personal(message),
    )
}

/// How what is personal is taken out of a message.
fn personal(message: &MessageDescriptor) -> String {
    let mut parts: BTreeMap<String, String> = BTreeMap::new();
    for field in message.fields() {
        let Some(subject) = personal_of(&field) else { continue };
        let name = ident(field.name());
        let part = parts.entry(ident(&subject)).or_default();
        let _ = writeln!(part, "{name}: ::core::mem::take(&mut self.{name}),");
    }
    if parts.is_empty() {
        return String::new();
    }
    let parts: String = parts
        .iter()
        .map(|(subject, part)| {
            format!("(self.{subject}.clone(), Self {{\n{part}..Self::default()\n}}),\n")
        })
        .collect();
    format!(
        "const PERSONAL: bool = true;\n\
         fn take_personal(&mut self) -> ::std::vec::Vec<(::std::string::String, Self)> {{\n\
         ::std::vec![\n{parts}]\n}}\n"
    )
}

/// The static that holds a message's shape. Messages may hold each other in a circle, and only
/// statics may refer to each other in one.
fn shape_name(message: &MessageDescriptor) -> String {
    let name = snake(message.name()).to_ascii_uppercase();
    match message.parent_message() {
        Some(parent) => format!("{}__{name}", shape_name(&parent)),
        None => format!("SHAPE_{name}"),
    }
}

fn shape_field(package: &Package<'_>, field: &FieldDescriptor) -> String {
    let contract = package.names.contract;
    let of = |kind: Kind| match kind {
        Kind::Message(message) if message.package_name() == package.source.package => {
            Some(format!("&{}", shape_name(&message)))
        }
        Kind::Message(message) if message.package_name() != "google.protobuf" => {
            Some(format!("<{} as {contract}::Message>::SHAPE", package.rust_type(&message)))
        }
        _ => None,
    };
    let (holder, shape) = match field.kind() {
        Kind::Message(entry) if field.is_map() => ("Map", of(entry.map_entry_value_field().kind())),
        kind if field.is_list() => ("List", of(kind)),
        kind => ("Message", of(kind)),
    };
    let value = match shape {
        Some(shape) => format!("{contract}::Value::{holder}({shape})"),
        None => leaf(contract, field),
    };
    format!(
        "{contract}::Field {{ name: {:?}, json: {:?}, value: {value}, redact: {}, personal: {} }},\n",
        field.name(),
        field.json_name(),
        is_redacted(field),
        personal_of(field).is_some(),
    )
}

fn leaf(contract: &str, field: &FieldDescriptor) -> String {
    let (holder, kind) = match field.kind() {
        Kind::Message(entry) if field.is_map() => ("LeafMap", entry.map_entry_value_field().kind()),
        kind if field.is_list() => ("Leaves", kind),
        kind => ("Leaf", kind),
    };
    let leaf = match &kind {
        Kind::Bool => "Bool",
        Kind::Message(message) if is_json(message) => "Json",
        _ => "Text",
    };
    format!("{contract}::Value::{holder}({contract}::Leaf::{leaf})")
}

/// Whether a message is any value of JSON.
fn is_json(message: &MessageDescriptor) -> bool {
    let json = ["google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"];
    json.contains(&message.full_name())
}

fn event_impl(package: &Package<'_>, message: &MessageDescriptor) -> String {
    let contract = package.names.contract;
    let Some(event) = Event::read(message) else { return String::new() };
    format!(
        "\nimpl {contract}::Event for {rust} {{\n\
         const TOPIC: &'static str = {topic:?};\n\
         fn subject(&self) -> &str {{\n&self.{subject}\n}}\n}}\n",
        rust = package.rust_type(message),
        topic = event.topic,
        subject = ident(&event.subject),
    )
}

fn resource_impl(package: &Package<'_>, message: &MessageDescriptor) -> String {
    let contract = package.names.contract;
    let Some(resource) = Resource::read(message) else { return String::new() };
    let owner = match resource.owner.as_str() {
        "" => "\"\"".to_owned(),
        owner => format!("&self.{}", ident(owner)),
    };
    format!(
        "\nimpl {contract}::Resource for {rust} {{\n\
         const TYPE: &'static str = {kind:?};\n\
         const WIDE: &'static str = {wide:?};\n\
         const OWNED: bool = {owned};\n\
         const RELATIONS: &'static [&'static str] = &{relations:?};\n\
         fn id(&self) -> &str {{\n&self.{id}\n}}\n\
         fn owner(&self) -> &str {{\n{owner}\n}}\n}}\n",
        rust = package.rust_type(message),
        kind = resource.kind,
        wide = resource.wide,
        owned = !resource.owner.is_empty(),
        relations = resource.relations,
        id = ident(&resource.id),
    )
}

fn reason_impl(package: &Package<'_>, reasons: &EnumDescriptor) -> String {
    let contract = package.names.contract;
    let service = package.source.service_name();
    let (mut codes, mut names, mut helps) = (String::new(), String::new(), String::new());
    for value in reasons.values() {
        let case = format!("Self::{}", ident(value.name()));
        let (code, help) = match problem_of(&value.options()) {
            Some(problem) => problem,
            None => ("Unknown".to_owned(), String::new()),
        };
        let name = value.name().strip_prefix("REASON_").unwrap_or(value.name()).to_lowercase();
        let name = format!("{service}.{name}");
        let _ = writeln!(codes, "{case} => {contract}::Code::{code},");
        let _ = writeln!(names, "{case} => {name:?},");
        let _ = writeln!(helps, "{case} => {help:?},");
    }
    format!(
        "\nimpl {contract}::Reason for Reason {{\n\
         fn code(self) -> {contract}::Code {{\nmatch self {{\n{codes}}}\n}}\n\
         fn name(self) -> &'static str {{\nmatch self {{\n{names}}}\n}}\n\
         fn help(self) -> &'static str {{\nmatch self {{\n{helps}}}\n}}\n}}\n"
    )
}

/// A comment of the contract as documentation.
pub(crate) fn doc(comment: &str) -> String {
    comment
        .lines()
        .map(|line| if line.is_empty() { "///\n".to_owned() } else { format!("/// {line}\n") })
        .collect()
}

/// Bytes as a literal.
pub(crate) fn bytes(bytes: &[u8]) -> String {
    format!("b\"{}\"", bytes.escape_ascii())
}

/// Indents by brackets, so that people can read what was generated.
pub(crate) fn indent(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 3 / 2);
    let mut depth = 0_usize;
    for line in text.lines() {
        let closes = line.starts_with(['}', ']', ')']);
        let level = depth.saturating_sub(usize::from(closes));
        if !line.is_empty() {
            out.push_str(&"    ".repeat(level));
        }
        out.push_str(line);
        out.push('\n');
        if !line.starts_with("//") {
            let opened = usize::from(line.ends_with(['{', '[', '(']));
            depth = level + opened;
        }
    }
    out
}
