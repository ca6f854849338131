//! Proof-reading: what must hold of every contract, whatever it is about.

use prost_reflect::{FieldDescriptor, FileDescriptor, Kind, MessageDescriptor};

use crate::emit::Package;
use crate::idents::is_dotted;
use crate::model::{
    Event, Resource, Table, amount_of, column_of, is_blob, is_redacted, personal_of, problem_of,
};
use crate::problems::Problems;
use crate::rows;

/// Reports what is wrong with a package. Rules of fields are checked where they are compiled,
/// options of methods where they are read.
pub(crate) fn check(package: &Package<'_>, problems: &mut Problems) {
    if !package.source.package.starts_with("stoa.") {
        // Third-party files are theirs to comment.
        return;
    }
    let mut lint = Lint { package, problems };
    for file in &package.source.files {
        lint.package_name(file);
    }
    for service in package.source.services() {
        let file = service.parent_file();
        lint.comment(&file, service.path(), "service", service.name());
        for method in service.methods() {
            lint.comment(&file, method.path(), "method", method.name());
        }
    }
    for message in package.source.messages() {
        lint.message(&message);
        lint.event(&message);
        lint.resource(&message);
    }
    for descriptor in package.source.enums() {
        let file = descriptor.parent_file();
        lint.comment(&file, descriptor.path(), "enum", descriptor.name());
        for value in descriptor.values() {
            lint.comment(&file, value.path(), "enum value", value.name());
        }
        if descriptor.name() == "Reason" && descriptor.parent_message().is_none() {
            for value in descriptor.values().filter(|value| value.number() != 0) {
                if problem_of(&value.options()).is_none() {
                    let message =
                        format!("reason {} has no `(stoa.v1.problem)` with a code", value.name());
                    lint.wrong(&file, value.path(), message);
                }
            }
        }
    }
}

struct Lint<'a> {
    package: &'a Package<'a>,
    problems: &'a mut Problems,
}

impl Lint<'_> {
    fn wrong(&mut self, file: &FileDescriptor, path: &[i32], message: String) {
        self.problems.0.push(self.package.source.problem(file, path, message));
    }

    fn comment(&mut self, file: &FileDescriptor, path: &[i32], what: &str, name: &str) {
        if self.package.source.comment(file, path).is_empty() {
            self.wrong(file, path, format!("{what} {name} has no comment"));
        }
    }

    fn package_name(&mut self, file: &FileDescriptor) {
        let expected = &self.package.source.package;
        if file.package_name() != expected {
            let message = format!("package {} must be {expected}", file.package_name());
            self.wrong(file, &[2], message);
        }
    }

    fn message(&mut self, message: &MessageDescriptor) {
        let file = message.parent_file();
        self.comment(&file, message.path(), "message", message.name());
        for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            self.comment(&file, oneof.path(), "oneof", oneof.name());
        }
        for field in message.fields() {
            self.comment(&file, field.path(), "field", field.name());
            self.personal(message, &field);
            self.blob(message, &field);
            self.amount(message, &field);
            // The type of a map's field is its entry, which belongs to the message.
            let kind = match field.kind() {
                Kind::Message(entry) if entry.is_map_entry() => {
                    entry.map_entry_value_field().kind()
                }
                kind => kind,
            };
            let (name, package) = match &kind {
                Kind::Message(other) => (other.full_name(), other.package_name()),
                Kind::Enum(other) => (other.full_name(), other.package_name()),
                _ => continue,
            };
            if !self.package.knows(package) {
                let message = format!(
                    "field {} uses {name} of another contract; contracts share only stoa.v1",
                    field.name()
                );
                self.wrong(&file, field.path(), message);
            }
        }
    }

    fn blob(&mut self, message: &MessageDescriptor, field: &FieldDescriptor) {
        let table = Table::read(message);
        let is_column = table.is_some() && !column_of(field).computed && field.name() != rows::ETAG;
        let is_key = table.is_some_and(|table| table.key.iter().any(|key| key == field.name()));
        let is_owner = Resource::read(message).is_some_and(|of| of.owner == field.name());
        let is_text = field.kind() == Kind::String && !field.is_list();
        let can_name = is_column && is_text && !is_key && !is_owner;
        if is_blob(field) && !can_name {
            let text = format!(
                "field {} names a blob: it has to be a text, and a column that is neither key nor owner",
                field.name()
            );
            self.wrong(&message.parent_file(), field.path(), text);
        }
    }

    fn personal(&mut self, message: &MessageDescriptor, field: &FieldDescriptor) {
        let Some(subject) = personal_of(field) else {
            let kept = Table::read(message).is_some() && !column_of(field).computed;
            if kept && is_redacted(field) {
                let text = format!(
                    "field {} would be kept as it is; say `(stoa.v1.personal)` whom it is about, or \
                     keep a secret in no column that is shown",
                    field.name()
                );
                self.wrong(&message.parent_file(), field.path(), text);
            }
            return;
        };
        let what = format!("field {} of", field.name());
        self.text_field(message, &what, "subject", &subject);
        let names = |name: &String| name == field.name();
        let table = Table::read(message);
        let problem = if message.get_field_by_name(&subject).as_ref().is_some_and(is_about_somebody)
        {
            "is about somebody who is personal too"
        } else if field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic()) {
            "is one of several, and cannot be personal"
        } else if table.is_some_and(|table| table.key.iter().any(names))
            || Resource::read(message).is_some_and(|of| names(&of.id) || names(&of.owner))
            || Event::read(message).is_some_and(|event| names(&event.subject))
        {
            "names a row or whose it is, and cannot be personal; use an identifier"
        } else if column_of(field).null_if_empty {
            "is sealed, and no unique index can rest on it; keep a fingerprint beside it"
        } else {
            return;
        };
        let text = format!("field {} {problem}", field.name());
        self.wrong(&message.parent_file(), field.path(), text);
    }

    fn amount(&mut self, message: &MessageDescriptor, field: &FieldDescriptor) {
        let Some(currency) = amount_of(field) else { return };
        let all = self.package.source.messages();
        let holds = |outer: &&MessageDescriptor| {
            outer.fields().any(|field| field.kind().as_message() == Some(message))
        };
        let mut nearby = all.iter().filter(holds).chain([message]);
        let named = |nearby: &MessageDescriptor| {
            let named = nearby.get_field_by_name(&currency);
            named.is_some_and(|named| named.kind() == Kind::String && !named.is_list())
        };
        if field.kind() != Kind::Int64 || field.is_list() || !nearby.any(named) {
            let text = format!(
                "field {}: an amount is an int64, and `{currency}` a string beside it, or beside \
                 what it is part of",
                field.name()
            );
            self.wrong(&message.parent_file(), field.path(), text);
        }
    }

    fn event(&mut self, message: &MessageDescriptor) {
        if let Some(event) = Event::read(message) {
            self.dotted(message, "topic", &event.topic);
            self.text_field(message, "event", "subject", &event.subject);
        }
    }

    fn resource(&mut self, message: &MessageDescriptor) {
        let Some(resource) = Resource::read(message) else { return };
        self.dotted(message, "resource type", &resource.kind);
        self.text_field(message, "resource", "id", &resource.id);
        if !resource.owner.is_empty() {
            self.text_field(message, "resource", "owner", &resource.owner);
        }
        if !resource.wide.is_empty() {
            self.dotted(message, "wide permission", &resource.wide);
        }
        if resource.relations.is_empty() {
            return;
        }
        // What is granted is found, and forgotten with its row, by the identifier.
        let keyed = Table::read(message).is_some_and(|table| table.key == [resource.id.clone()]);
        let word = |word: &String| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
        if !keyed || resource.owner.is_empty() || !resource.relations.iter().all(word) {
            let text = format!(
                "{}: `relations` are lower-case words, of a resource with an owner whose table has \
                 its identifier as key",
                message.name()
            );
            self.wrong(&message.parent_file(), message.path(), text);
        }
    }

    fn dotted(&mut self, message: &MessageDescriptor, what: &str, name: &str) {
        let service = self.package.source.service_name();
        if !is_dotted(name, service) {
            let text = format!(
                "{}: {what} `{name}` must be lower-case words joined by dots that start with \
                 `{service}.`",
                message.name()
            );
            self.wrong(&message.parent_file(), message.path(), text);
        }
    }

    fn text_field(&mut self, message: &MessageDescriptor, what: &str, role: &str, name: &str) {
        let problem = match message.get_field_by_name(name) {
            None => "does not exist",
            Some(field) if field.is_list() || field.kind() != Kind::String => "is not a string",
            Some(field) if field.supports_presence() => "must not be optional",
            Some(_) => return,
        };
        let text = format!("{what} {}: its {role} `{name}` {problem}", message.name());
        self.wrong(&message.parent_file(), message.path(), text);
    }
}

fn is_about_somebody(field: &FieldDescriptor) -> bool {
    personal_of(field).is_some()
}
