//! Writes how texts are put into the form in which a contract takes them (`(stoa.v1.form)`), and the
//! rules of money (`(stoa.v1.money)`).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use crate::emit::Package;
use crate::idents::{ident, pascal};
use crate::problems::Problems;
use crate::source::extension;

/// The statements that put one message into form; none where nothing of it has any.
pub(crate) fn body(
    package: &Package<'_>, message: &MessageDescriptor, problems: &mut Problems,
) -> String {
    let mut out = String::new();
    for field in message.fields() {
        let access = format!("self.{}", ident(field.name()));
        let one = match (form_of(&field), field.kind()) {
            (Some(form), Kind::String) => format!("Form::{form}.take(value);"),
            (None, Kind::Message(inner)) if has_forms(&inner) => "value.form();".to_owned(),
            (None, _) => continue,
            (Some(_), _) => {
                wrong(package, &field, "a form is of texts", problems);
                continue;
            }
        };
        let several = field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic());
        if several || field.is_map() {
            wrong(package, &field, "texts in maps, and one of several, have no form", problems);
        } else if field.is_list() {
            let _ = writeln!(out, "for value in &mut {access} {{\n{one}\n}}");
        } else if let Kind::Message(_) = field.kind() {
            let _ = writeln!(out, "if let Some(value) = {access}.as_option_mut() {{\n{one}\n}}");
        } else if field.supports_presence() {
            let _ = writeln!(out, "if let Some(value) = &mut {access} {{\n{one}\n}}");
        } else {
            let _ = writeln!(out, "{}", one.replace("value", &format!("&mut {access}")));
        }
    }
    out
}

/// The checks of a field that holds money, if it has rules of its own.
pub(crate) fn money(
    package: &Package<'_>, field: &FieldDescriptor, problems: &mut Problems,
) -> String {
    let value = extension(&field.options(), "stoa.v1.money");
    let Some(rules) = value.as_ref().and_then(|value| value.as_message()) else {
        return String::new();
    };
    let is_money =
        matches!(field.kind(), Kind::Message(kind) if kind.full_name() == "stoa.v1.Money");
    if !is_money || field.is_map() || field.containing_oneof().is_some_and(|o| !o.is_synthetic()) {
        wrong(
            package,
            field,
            "rules of money are for a field of stoa.v1.Money, or a list",
            problems,
        );
        return String::new();
    }
    let (name, access) = (field.name(), format!("self.{}", ident(field.name())));
    let least = rules.has_field_by_name("gte").then(|| rules.get_field_by_name("gte")).flatten();
    let least = least.and_then(|least| least.as_i64());
    let unique = rules.get_field_by_name("one_a_currency").and_then(|one| one.as_bool());
    let mut out = String::new();
    if let Some(least) = least {
        let _ = match field.is_list() {
            true => writeln!(
                out,
                "check.each({name:?}, &{access}, |check, money| {{\n\
                 check.least(money.amount, {least});\n}});"
            ),
            false => writeln!(
                out,
                "if let ::core::option::Option::Some(money) = {access}.as_option() {{\n\
                 check.within({name:?}, |check| check.least(money.amount, {least}));\n}}"
            ),
        };
    }
    if unique == Some(true) && field.is_list() {
        let _ = writeln!(out, "check.one_a_currency({name:?}, &{access});");
    }
    out
}

/// The form of a field, in Rust.
fn form_of(field: &FieldDescriptor) -> Option<String> {
    let value = extension(&field.options(), "stoa.v1.form")?;
    let kind = value.as_enum_number().filter(|number| *number != 0)?;
    let options = field.parent_file();
    let pool = options.parent_pool();
    let name = pool.get_enum_by_name("stoa.v1.Form")?.get_value(kind)?.name().to_owned();
    Some(pascal(&name.strip_prefix("FORM_")?.to_ascii_lowercase()))
}

/// Whether a message has a text with a form, wherever in it.
fn has_forms(message: &MessageDescriptor) -> bool {
    fn within(message: &MessageDescriptor, seen: &mut BTreeSet<String>) -> bool {
        seen.insert(message.full_name().to_owned())
            && message.fields().any(|field| {
                form_of(&field).is_some()
                    || field.kind().as_message().is_some_and(|inner| within(inner, seen))
            })
    }
    within(message, &mut BTreeSet::new())
}

fn wrong(package: &Package<'_>, field: &FieldDescriptor, what: &str, problems: &mut Problems) {
    let text = format!("field {}: {what}", field.name());
    problems.0.push(package.source.problem(&field.parent_file(), field.path(), text));
}
