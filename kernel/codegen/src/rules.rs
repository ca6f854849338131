//! Compiles the rules of `buf.validate` into the body of `Message::check`.
//!
//! The meaning is protovalidate's: a field that can be absent is checked where it is present, a
//! field that cannot is checked at its zero value too, unless it says `IGNORE_IF_ZERO_VALUE`,
//! and a required field that is missing is reported once.

use std::fmt::Write as _;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor};

use crate::emit::Package;
use crate::idents::{ident, pascal};
use crate::problems::Problems;
use crate::source::extension;
use crate::{forms, scalars};

/// The statements that check one message.
pub(crate) fn check_body(
    package: &Package<'_>, message: &MessageDescriptor, problems: &mut Problems,
) -> String {
    let mut compiler = Compiler { package, problems, out: String::new() };
    if extension(&message.options(), "buf.validate.message").is_some() {
        let text = format!("message {}: rules of whole messages are not supported", message.name());
        let problem = package.source.problem(&message.parent_file(), message.path(), text);
        compiler.problems.0.push(problem);
    }
    for field in message.fields() {
        let money = forms::money(package, &field, compiler.problems);
        compiler.out.push_str(&money);
        // The cases of a oneof are checked together, where its first one stands.
        match field.containing_oneof().filter(|oneof| !oneof.is_synthetic()) {
            None => compiler.field(&field),
            Some(oneof) if oneof.fields().next().as_ref() == Some(&field) => {
                compiler.oneof(message, &oneof);
            }
            Some(_) => {}
        }
    }
    compiler.out
}

/// What a field says of itself.
pub(crate) struct Rules {
    pub(crate) required: bool,
    pub(crate) ignore_zero: bool,
    /// The rules' name and value: `string`, `int64`, `repeated`, …
    pub(crate) typed: Option<(String, DynamicMessage)>,
}

struct Compiler<'a> {
    package: &'a Package<'a>,
    problems: &'a mut Problems,
    out: String,
}

impl Compiler<'_> {
    fn field(&mut self, field: &FieldDescriptor) {
        let rules = self.rules(field);
        let access = format!("self.{}", ident(field.name()));
        if field.is_list() || field.is_map() {
            self.many(field, &rules, &access);
        } else if let Kind::Message(message) = field.kind() {
            self.only_required(field, &rules);
            if rules.required {
                self.required(field, &format!("{access}.is_set()"));
            }
            if self.is_checked(&message) {
                self.line(format!(
                    "if let ::core::option::Option::Some(value) = {access}.as_option() {{"
                ));
                self.nested(field.name());
                self.line("}");
            } else {
                self.line(format!(
                    "if let ::core::option::Option::Some(value) = {access}.as_option() {{\n\
                     check.sayable({:?}, value);\n}}",
                    field.name()
                ));
            }
        } else if field.supports_presence() {
            if rules.required {
                self.required(field, &format!("{access}.is_some()"));
            }
            let body = self.scalar(field, &field.kind(), &rules, field.name(), true);
            if !body.is_empty() {
                self.line(format!("if let ::core::option::Option::Some(value) = &{access} {{"));
                self.out.push_str(&body);
                self.line("}");
            }
        } else {
            self.implicit(field, &rules, &access);
        }
    }

    /// A scalar that cannot be absent: its zero value is a value.
    fn implicit(&mut self, field: &FieldDescriptor, rules: &Rules, access: &str) {
        let kind = field.kind();
        if rules.required {
            self.required(field, &scalars::is_set(&kind, access));
        }
        if kind == Kind::String {
            self.line(format!("check.text({:?}, &{access});", field.name()));
        }
        let reference = format!("&{access}");
        let body = self.typed_rules(field, &kind, rules, field.name(), &reference, access);
        if body.is_empty() {
            return;
        }
        let guarded = rules.required || rules.ignore_zero;
        self.guarded(guarded.then(|| scalars::is_set(&kind, access)), &body);
    }

    fn oneof(&mut self, message: &MessageDescriptor, oneof: &OneofDescriptor) {
        let access = format!("self.{}", ident(oneof.name()));
        let required = extension(&oneof.options(), "buf.validate.oneof").is_some_and(|rules| {
            let rules = rules.as_message().and_then(|rules| rules.get_field_by_name("required"));
            rules.is_some_and(|required| required.as_bool() == Some(true))
        });
        if required {
            self.line(format!("check.required({:?}, {access}.is_some());", oneof.name()));
        }
        let path = self.package.oneof_type(message, oneof.name());
        let mut arms = String::new();
        for field in oneof.fields() {
            let case = format!("{path}::{}", ident(&pascal(field.name())));
            let some = format!("::core::option::Option::Some({case}");
            let rules = self.rules(&field);
            if rules.required {
                self.required(&field, &format!("::core::matches!(&{access}, {some}(_)))"));
            }
            let outside = std::mem::take(&mut self.out);
            if let Kind::Message(other) = field.kind() {
                self.only_required(&field, &rules);
                if self.is_checked(&other) {
                    self.nested(field.name());
                } else {
                    self.line(format!("check.sayable({:?}, value);", field.name()));
                }
            } else {
                let body = self.scalar(&field, &field.kind(), &rules, field.name(), true);
                self.out.push_str(&body);
            }
            let body = std::mem::replace(&mut self.out, outside);
            if !body.is_empty() {
                let _ = write!(arms, "{some}(value)) => {{\n{body}}}\n");
            }
        }
        if !arms.is_empty() {
            self.line(format!("match &{access} {{\n{arms}_ => {{}}\n}}"));
        }
    }

    /// A list or a map.
    fn many(&mut self, field: &FieldDescriptor, rules: &Rules, access: &str) {
        if rules.required {
            self.required(field, &format!("!{access}.is_empty()"));
        }
        let typed = match &rules.typed {
            Some((name, typed)) if name == (if field.is_map() { "map" } else { "repeated" }) => {
                Some(typed)
            }
            Some((name, _)) => {
                self.mismatch(field, name);
                None
            }
            None => None,
        };
        let (mut counts, mut keys, mut items) = (String::new(), None, None);
        for (rule, value) in typed.iter().flat_map(|typed| typed.fields()) {
            match (rule.name(), value.as_message()) {
                ("keys", Some(inner)) => keys = Some(self.inner(field, inner)),
                ("items" | "values", Some(inner)) => items = Some(self.inner(field, inner)),
                (name, _) => match scalars::count(field, name, value, access) {
                    Some(line) => counts.push_str(&line),
                    None => self.unsupported(field, &rule, scalars::MANY),
                },
            }
        }
        let guarded = rules.required || rules.ignore_zero;
        self.guarded(guarded.then(|| format!("!{access}.is_empty()")), &counts);
        self.items(field, access, keys, items);
    }

    fn items(
        &mut self, field: &FieldDescriptor, access: &str, keys: Option<Rules>, items: Option<Rules>,
    ) {
        let name = field.name();
        let none = || Rules { required: false, ignore_zero: false, typed: None };
        let (mut body, mut of) = (String::new(), field.kind());
        if let (true, Kind::Message(entry)) = (field.is_map(), field.kind()) {
            let key = entry.map_entry_key_field().kind();
            body = self.scalar(field, &key, &keys.unwrap_or_else(none), "", true);
            if !body.is_empty() {
                body = format!("{{\nlet value = key;\n{body}}}\n");
            }
            of = entry.map_entry_value_field().kind();
        }
        let rules = items.unwrap_or_else(none);
        if let Kind::Message(message) = &of {
            self.only_required(field, &rules);
            if self.is_checked(message) {
                let contract = self.package.names.contract;
                let _ = writeln!(body, "{contract}::Message::check(value, check);");
            } else {
                body.push_str("check.sayable(\"\", value);\n");
            }
        } else {
            body.push_str(&self.scalar(field, &of, &rules, "", true));
        }
        match (body.is_empty(), field.is_map()) {
            (true, _) => {}
            (false, true) => self.line(format!(
                "check.each_entry({name:?}, &{access}, |check, key, value| {{\n{body}}});"
            )),
            (false, false) => {
                self.line(format!("check.each({name:?}, &{access}, |check, value| {{\n{body}}});"))
            }
        }
    }

    /// The checks of a scalar behind the reference `value`; an empty name is the place that
    /// `check` stands at.
    fn scalar(
        &mut self, field: &FieldDescriptor, kind: &Kind, rules: &Rules, name: &str, text: bool,
    ) -> String {
        let mut out = String::new();
        if text && *kind == Kind::String {
            let _ = writeln!(out, "check.text({name:?}, value);");
        }
        let body = self.typed_rules(field, kind, rules, name, "value", "*value");
        match rules.ignore_zero && !body.is_empty() {
            true => {
                let set = scalars::is_set(kind, "(*value)");
                let _ = write!(out, "if {set} {{\n{body}}}\n");
            }
            false => out.push_str(&body),
        }
        out
    }

    fn typed_rules(
        &mut self, field: &FieldDescriptor, kind: &Kind, rules: &Rules, name: &str,
        reference: &str, value: &str,
    ) -> String {
        let Some((typed_name, typed)) = &rules.typed else { return String::new() };
        if typed_name != scalars::rules_name(kind) {
            self.mismatch(field, typed_name);
            return String::new();
        }
        let scalar =
            scalars::Scalar { contract: self.package.names.contract, kind, name, reference, value };
        let mut out = String::new();
        for (rule, wanted) in typed.fields() {
            match scalar.rule(rule.name(), wanted) {
                Ok(Some(lines)) => out.push_str(&lines),
                Ok(None) => self.unsupported(field, &rule, scalars::supported(kind)),
                Err(why) => self.wrong(field, &rule, &why),
            }
        }
        if let Some(why) = scalars::empty_range(typed) {
            let text = format!("field {}: {why}", field.name());
            self.report(field, &[], text);
        }
        out
    }

    fn rules(&mut self, field: &FieldDescriptor) -> Rules {
        let value = extension(&field.options(), "buf.validate.field");
        match value.as_ref().and_then(|value| value.as_message()) {
            Some(rules) => self.read(field, rules),
            None => Rules { required: false, ignore_zero: false, typed: None },
        }
    }

    /// The rules of the items of a list, or of the keys or values of a map.
    fn inner(&mut self, field: &FieldDescriptor, rules: &DynamicMessage) -> Rules {
        let rules = self.read(field, rules);
        if rules.required {
            let text = format!(
                "field {}: an item is there or it is not; `required` says nothing of it",
                field.name()
            );
            self.report(field, &[], text);
        }
        rules
    }

    fn read(&mut self, field: &FieldDescriptor, message: &DynamicMessage) -> Rules {
        let mut rules = Rules { required: false, ignore_zero: false, typed: None };
        for (rule, value) in message.fields() {
            match (rule.name(), value.as_message()) {
                ("required", _) => rules.required = value.as_bool() == Some(true),
                ("ignore", _) => match value.as_enum_number() {
                    Some(0) => {}
                    Some(1) => rules.ignore_zero = true,
                    _ => self.unsupported(field, &rule, "IGNORE_IF_ZERO_VALUE"),
                },
                (name, Some(typed)) => rules.typed = Some((name.to_owned(), typed.clone())),
                _ => self.unsupported(field, &rule, "required, ignore or the rules of a type"),
            }
        }
        rules
    }

    /// Messages have rules of their own; a field that holds one can only require it.
    fn only_required(&mut self, field: &FieldDescriptor, rules: &Rules) {
        if let Some((name, typed)) = &rules.typed {
            match typed.fields().next() {
                Some((rule, _)) => self.unsupported(field, &rule, "required"),
                None => self.mismatch(field, name),
            }
        }
        if rules.ignore_zero {
            let text = format!("field {}: a message has no zero value to ignore", field.name());
            self.report(field, &[], text);
        }
    }

    /// Whether a message has a `check` of ours. The well-known types have none, and are held to
    /// what JSON can say of them.
    fn is_checked(&self, message: &MessageDescriptor) -> bool {
        message.package_name() != "google.protobuf"
    }

    fn nested(&mut self, name: &str) {
        let contract = self.package.names.contract;
        // The receiver may be a box: let the method call find the message in it.
        self.line(format!(
            "check.within({name:?}, |check| {{\nuse {contract}::Message as _;\n\
             value.check(check);\n}});"
        ));
    }

    fn required(&mut self, field: &FieldDescriptor, set: &str) {
        self.line(format!("check.required({:?}, {set});", field.name()));
    }

    fn guarded(&mut self, guard: Option<String>, body: &str) {
        match guard {
            _ if body.is_empty() => {}
            Some(guard) => {
                let _ = write!(self.out, "if {guard} {{\n{body}}}\n");
            }
            None => self.out.push_str(body),
        }
    }

    fn line(&mut self, line: impl AsRef<str>) {
        self.out.push_str(line.as_ref());
        self.out.push('\n');
    }

    fn mismatch(&mut self, field: &FieldDescriptor, rules: &str) {
        let text = format!("field {}: rules of {rules} do not fit its type", field.name());
        self.report(field, &[], text);
    }

    fn unsupported(&mut self, field: &FieldDescriptor, rule: &FieldDescriptor, instead: &str) {
        let owner = rule.parent_message().name().strip_suffix("Rules").unwrap_or("");
        let name = match owner {
            "Field" => rule.name().to_owned(),
            owner => format!("{}.{}", owner.to_ascii_lowercase(), rule.name()),
        };
        let text = format!("rule {name} is not supported; use one of {instead}");
        self.report(field, &[rule], text);
    }

    fn wrong(&mut self, field: &FieldDescriptor, rule: &FieldDescriptor, why: &str) {
        let text = format!("field {}: rule {}: {why}", field.name(), rule.name());
        self.report(field, &[rule], text);
    }

    fn report(&mut self, field: &FieldDescriptor, rule: &[&FieldDescriptor], text: String) {
        let file = field.parent_message().parent_file();
        let mut path = field.path().to_vec();
        path.extend(self.package.source.option_path(rule.first().copied()));
        self.problems.0.push(self.package.source.problem(&file, &path, text));
    }
}
