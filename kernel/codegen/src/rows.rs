//! Writes how messages are kept: as rows of the table that `(stoa.v1.table)` names.

use std::fmt::Write as _;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};

use crate::emit::Package;
use crate::idents::ident;
use crate::model::{Resource, Table, column_of, is_blob, personal_of};
use crate::problems::Problems;
use crate::scalars;
use crate::source::extension;

/// The field that is made of all others instead of being kept.
pub(crate) const ETAG: &str = "etag";

/// A field as columns, in Rust: what is bound to them, and what they are read into.
struct Kept {
    columns: Vec<String>,
    binds: Vec<String>,
    read: String,
}

/// What is written for a message that is kept.
pub(crate) fn text(
    package: &Package<'_>, message: &MessageDescriptor, problems: &mut Problems,
) -> String {
    let Some(table) = Table::read(message) else { return String::new() };
    let mut wrong = |path: &[i32], text: String| {
        let text = format!("table {}: {text}", table.name);
        problems.0.push(package.source.problem(&message.parent_file(), path, text));
    };
    if package.names.contract == "crate" {
        wrong(message.path(), "only messages of services are kept".to_owned());
    }
    let prefix = format!("{}_", package.source.service_name());
    if !table.name.starts_with(&prefix) {
        wrong(message.path(), format!("its name must start with `{prefix}`"));
    }
    let (mut columns, mut binds, mut reads) = (Vec::new(), Vec::new(), String::new());
    let (mut sealed, mut blobs) = (Vec::new(), Vec::new());
    for field in message.fields().filter(|field| field.name() != ETAG) {
        if column_of(&field).computed {
            continue;
        }
        match kept(&field, columns.len()) {
            Ok(kept) => {
                if let Some(subject) = personal_of(&field) {
                    let places = columns.len()..columns.len() + kept.columns.len();
                    sealed.extend(
                        places.zip(empty(&field)).map(|(at, empty)| (at, subject.clone(), empty)),
                    );
                }
                if is_blob(&field) {
                    blobs.push((columns.len(), personal_of(&field)));
                }
                columns.extend(kept.columns);
                binds.extend(kept.binds);
                let _ = writeln!(reads, "{}: {},", ident(field.name()), kept.read);
            }
            Err(why) => wrong(field.path(), format!("field {} {why}", field.name())),
        }
    }
    let place = |name: &str| {
        let field = message.get_field_by_name(name)?;
        let column = column_name(&field);
        columns.iter().position(|known| *known == column)
    };
    let keys: Vec<usize> = table.key.iter().filter_map(|name| place(name)).collect();
    if keys.is_empty() || keys.len() != table.key.len() {
        wrong(message.path(), "its key must name fields that are columns".to_owned());
        return String::new();
    }
    let owner = Resource::read(message)
        .filter(|resource| !resource.owner.is_empty())
        .and_then(|resource| place(&resource.owner));
    let sealed = sealed.into_iter().filter_map(|(at, of, empty)| Some((at, place(&of)?, empty)));
    let mut statements = statements(&table.name, &columns, &keys);
    statements.push_str(&personal((&table.name, &columns, &keys), sealed.collect()));
    let blobs = blobs.into_iter().map(|(at, of)| (at, of.and_then(|of| place(&of))));
    statements.push_str(&named((&table.name, &columns, &keys), blobs.collect()));
    let owner = owner.map_or("", |owner| columns[owner].as_str());
    let key: Vec<&str> = keys.iter().map(|&key| columns[key].as_str()).collect();
    impls(package, message, (&columns, &key, owner), &statements, (&binds, &reads))
}

fn impls(
    package: &Package<'_>, message: &MessageDescriptor,
    (columns, key, owner): (&[String], &[&str], &str), statements: &str,
    (binds, reads): (&[String], &str),
) -> String {
    let rust = package.rust_type(message);
    let mut out = format!(
        "\nimpl ::stoa_kit::Table for {rust} {{\n\
         const COLUMNS: &'static [&'static str] = &{columns:?};\n\
         const KEY: &'static [&'static str] = &{key:?};\n\
         const OWNER: &'static str = {owner:?};\n{statements}"
    );
    if Resource::read(message).is_some_and(|resource| !resource.relations.is_empty()) {
        out.push_str("const GRANTED: &'static str = <Self as ::stoa_contract::Resource>::TYPE;\n");
    }
    if Resource::read(message).is_some() {
        out.push_str(
            "fn touched(&self) -> ::core::option::Option<(&'static str, &str)> {\n\
             Some((<Self as ::stoa_contract::Resource>::TYPE, \
             ::stoa_contract::Resource::id(self)))\n}\n",
        );
    }
    let has = |name: &str| message.get_field_by_name(name).is_some();
    if has("create_time") {
        out.push_str(
            "fn created(&mut self, now: ::stoa_kit::Micros) {\n\
             if self.create_time.is_unset() {\nself.create_time = now.timestamp();\n}\n}\n",
        );
    }
    if has("update_time") {
        out.push_str(
            "fn updated(&mut self, now: ::stoa_kit::Micros) {\n\
             self.update_time = now.timestamp();\n}\n",
        );
    }
    if has(ETAG) {
        out.push_str(
            "fn etag(&mut self) -> ::core::option::Option<&mut ::std::string::String> {\n\
             Some(&mut self.etag)\n}\n",
        );
    }
    let rest = if columns.len() < message.fields().count() { "..Self::default()\n" } else { "" };
    let tagged = if has(ETAG) { "Ok(::stoa_kit::tagged(this))" } else { "Ok(this)" };
    format!(
        "{out}}}\n\n\
         impl ::stoa_kit::value::Params for {rust} {{\n{personal}\
         fn with<R>(&self, body: impl FnOnce(&[::stoa_kit::value::Value<'_>]) -> R) -> R {{\n\
         use ::stoa_kit::value::{{self, Param as _}};\n\
         body(&[\n{binds}])\n}}\n}}\n\n\
         impl ::stoa_kit::value::FromRow for {rust} {{\n{personal}\
         fn read(row: &dyn ::stoa_kit::value::Row) -> ::stoa_kit::Result<Self> {{\n\
         use ::stoa_kit::value;\n\
         let this = Self {{\n{reads}{rest}}};\n\
         {tagged}\n}}\n}}\n",
        binds = binds.iter().map(|bind| format!("{bind},\n")).collect::<String>(),
        personal = "const PERSONAL: ::core::option::Option<&'static ::stoa_kit::personal::Personal> = \
                    <Self as ::stoa_kit::Table>::PERSONAL;\n",
    )
}

/// Which columns are sealed, and with whose key.
fn personal(
    (table, columns, keys): (&str, &[String], &[usize]), sealed: Vec<(usize, usize, &'static str)>,
) -> String {
    if sealed.is_empty() {
        return String::new();
    }
    let fields: String = sealed
        .into_iter()
        .map(|(place, subject, empty)| {
            format!(
                "::stoa_kit::personal::Sealed {{ place: {place}, column: {:?}, subject: {subject}, \
                 empty: ::stoa_kit::value::{empty} }},\n",
                columns[place]
            )
        })
        .collect();
    format!(
        "const PERSONAL: ::core::option::Option<&'static ::stoa_kit::personal::Personal> = \
         Some(&::stoa_kit::personal::Personal {{\ntable: {table:?},\nkey: &{keys:?},\n\
         fields: &[\n{fields}],\n}});\n"
    )
}

/// Which columns name blobs, and about whom those are.
fn named(
    (table, columns, keys): (&str, &[String], &[usize]), blobs: Vec<(usize, Option<usize>)>,
) -> String {
    if blobs.is_empty() {
        return String::new();
    }
    let fields: String = blobs
        .into_iter()
        .map(|(place, subject)| {
            format!(
                "::stoa_kit::blobs::Named {{ place: {place}, column: {:?}, \
                 subject: ::core::option::Option::{subject:?} }},\n",
                columns[place]
            )
        })
        .collect();
    format!(
        "const BLOBS: ::core::option::Option<&'static ::stoa_kit::blobs::Blobs> = \
         Some(&::stoa_kit::blobs::Blobs {{\ntable: {table:?},\nkey: &{keys:?},\n\
         fields: &[\n{fields}],\nwords: &[Self::INSERT, Self::UPDATE, Self::DELETE],\n}});\n"
    )
}

/// What a field's columns hold where there is nothing, as values of Rust.
fn empty(field: &FieldDescriptor) -> Vec<&'static str> {
    let (int, text) = ("Value::Null(::stoa_kit::value::Type::Int)", "Value::Text(\"\")");
    let null_text = "Value::Null(::stoa_kit::value::Type::Text)";
    if field.is_list() || field.is_map() {
        return vec![text];
    }
    vec![match field.kind() {
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" | "google.protobuf.Duration" => int,
            "stoa.v1.Money" => return vec![int, null_text],
            _ => text,
        },
        // Where a type can be absent, NULL of any type says so.
        _ if field.supports_presence() => null_text,
        Kind::String | Kind::Enum(_) => text,
        Kind::Bytes => "Value::Bytes(&[])",
        Kind::Bool => "Value::Bool(false)",
        Kind::Double => "Value::Float(0.0)",
        _ => "Value::Int(0)",
    }]
}

/// The statements that need nothing but the table.
fn statements(table: &str, columns: &[String], keys: &[usize]) -> String {
    let all = columns.join(", ");
    let values = (1..=columns.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
    let set: Vec<String> = columns
        .iter()
        .enumerate()
        .filter(|(index, _)| !keys.contains(index))
        .map(|(index, column)| format!("{column} = ${}", index + 1))
        .collect();
    let by = |number: &dyn Fn(usize, usize) -> usize| {
        let parts = keys.iter().enumerate();
        let parts = parts.map(|(nth, &key)| format!("{} = ${}", columns[key], number(nth, key)));
        parts.collect::<Vec<_>>().join(" AND ")
    };
    let (own, key) = (by(&|_, key| key + 1), by(&|nth, _| nth + 1));
    // A row that is nothing but its key has nothing to change.
    let set = if set.is_empty() { format!("{0} = {0}", columns[keys[0]]) } else { set.join(", ") };
    format!(
        "const SELECT: &'static str = \"SELECT {all} FROM {table} WHERE tenant = :tenant AND \";\n\
         const GET: &'static str = \
         \"SELECT {all} FROM {table} WHERE tenant = :tenant AND {key}\";\n\
         const INSERT: &'static str = \
         \"INSERT INTO {table} (tenant, {all}) VALUES (:tenant, {values})\";\n\
         const UPDATE: &'static str = \
         \"UPDATE {table} SET {set} WHERE tenant = :tenant AND {own}\";\n\
         const DELETE: &'static str = \"DELETE FROM {table} WHERE tenant = :tenant AND {key}\";\n"
    )
}

fn column_name(field: &FieldDescriptor) -> String {
    let name = column_of(field).name;
    if name.is_empty() { field.name().to_owned() } else { name }
}

/// How a field is kept, from this column on.
fn kept(field: &FieldDescriptor, at: usize) -> Result<Kept, String> {
    let (column, access) = (column_name(field), format!("self.{}", ident(field.name())));
    let one = |bind: String, read: String| {
        Ok(Kept { columns: vec![column.clone()], binds: vec![bind], read })
    };
    let plain = || one(format!("{access}.value()"), format!("value::column(row, {at})?"));
    let json =
        || one(format!("value::json(&{access}).value()"), format!("value::of_json(row, {at})?"));
    if field.is_list() || field.is_map() {
        return json();
    }
    if field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic()) {
        return Err("is one of several; keep it as `computed`".to_owned());
    }
    match field.kind() {
        Kind::String if column_of(field).null_if_empty => {
            one(format!("value::filled(&{access})"), format!("value::or_empty(row, {at})?"))
        }
        Kind::Uint64 | Kind::Fixed64 => Err("does not fit into BIGINT; use int64".to_owned()),
        Kind::Float => Err("is no DOUBLE PRECISION; use double".to_owned()),
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" | "google.protobuf.Duration" => plain(),
            "stoa.v1.Money" => Ok(Kept {
                columns: vec![format!("{column}_amount"), format!("{column}_currency")],
                binds: vec![
                    format!("value::amount(&{access})"),
                    format!("value::currency(&{access})"),
                ],
                read: format!("value::money(row, {at})?"),
            }),
            _ => json(),
        },
        _ => plain(),
    }
}

/// The words of an enum's values, and how they are bound and read.
pub(crate) fn words(package: &Package<'_>, descriptor: &EnumDescriptor) -> String {
    let contract = package.names.contract;
    let rust = package.rust_enum(descriptor);
    let values: Vec<String> = descriptor.values().map(|value| value.name().to_owned()).collect();
    let prefix =
        values.iter().find_map(|name| name.strip_suffix("UNSPECIFIED")).unwrap_or_default();
    let mut words = String::new();
    for name in &values {
        let word = name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase();
        let word = if word == "unspecified" { "" } else { word.as_str() };
        let _ = writeln!(words, "(Self::{}, {word:?}),", ident(name));
    }
    let mut out = format!(
        "\nimpl {contract}::Words for {rust} {{\n\
         const WORDS: &'static [(Self, &'static str)] = &[\n{words}];\n}}\n"
    );
    if contract != "crate" {
        let _ = write!(
            out,
            "\nimpl ::stoa_kit::value::Param for {rust} {{\n\
             fn value(&self) -> ::stoa_kit::value::Value<'_> {{\n\
             ::stoa_kit::value::Value::Text({contract}::Words::word(*self))\n}}\n}}\n\n\
             impl ::stoa_kit::value::Column for {rust} {{\n\
             fn read(value: ::stoa_kit::value::Value<'_>) -> ::stoa_kit::Result<Self> {{\n\
             ::stoa_kit::value::of_word(value)\n}}\n}}\n"
        );
    }
    out
}

/// What is written for a message that asks for a page.
pub(crate) fn paged(package: &Package<'_>, message: &MessageDescriptor) -> String {
    let is = |name: &str, kind: Kind| {
        message.get_field_by_name(name).is_some_and(|field| {
            field.kind() == kind && !field.is_list() && !field.supports_presence()
        })
    };
    if !is("page_size", Kind::Int32) || !is("page_token", Kind::String) {
        return String::new();
    }
    format!(
        "\nimpl {contract}::Paged for {rust} {{\n\
         fn page_size(&self) -> i32 {{\nself.page_size\n}}\n\
         fn page_token(&self) -> &str {{\n&self.page_token\n}}\n\
         fn of_any_page(&self) -> Self {{\n\
         Self {{ page_size: 0, page_token: ::std::string::String::new(), ..self.clone() }}\n}}\n}}\n",
        contract = package.names.contract,
        rust = package.rust_type(message),
    )
}

/// What is written for `Update<Resource>Request`, which names what it changes in a field mask.
pub(crate) fn update(package: &Package<'_>, message: &MessageDescriptor) -> String {
    let Some(target) = target(package, message) else { return String::new() };
    let (mut fields, mut changes) = (Vec::new(), String::new());
    for field in message.fields() {
        let Some(other) = target.get_field_by_name(field.name()) else { continue };
        let key =
            Table::read(&target).is_some_and(|table| table.key.iter().any(|k| k == other.name()));
        if key || field.name() == ETAG {
            continue;
        }
        let (name, rust) = (field.name(), ident(field.name()));
        let filled = filled(&field, &format!("self.{rust}"));
        let named = match required(&other) {
            true => format!("mask.names_required({name:?}, {filled})?"),
            false => format!("mask.names({name:?}, {filled})"),
        };
        let _ = writeln!(changes, "if {named} {{\nto.{rust} = self.{rust};\n}}");
        fields.push(name.to_owned());
    }
    let has_etag = |message: &MessageDescriptor| message.get_field_by_name(ETAG).is_some();
    let etag = match has_etag(message) && has_etag(&target) {
        true => "::stoa_kit::check_etag(&self.etag, &to.etag)?;\n",
        false => "",
    };
    format!(
        "\nimpl {request} {{\n\
         /// Changes what the request names: the fields of its mask, or without one those that it\n\
         /// fills. Refuses a mask that names others, a required field without a value, and an etag\n\
         /// that is not the resource's.\n\
         pub fn apply(self, to: &mut {target}) -> ::stoa_kit::Result<()> {{\n\
         let mask = ::stoa_kit::Mask::read(self.update_mask.as_option(), &{fields:?})?;\n\
         {etag}{changes}Ok(())\n}}\n}}\n",
        request = package.rust_type(message),
        target = package.rust_type(&target),
    )
}

/// The resource that a request updates by a mask.
fn target(package: &Package<'_>, message: &MessageDescriptor) -> Option<MessageDescriptor> {
    let name = message.name().strip_prefix("Update")?.strip_suffix("Request")?;
    let mask = message.get_field_by_name("update_mask")?.kind();
    let is_mask = mask.as_message()?.full_name() == "google.protobuf.FieldMask";
    let messages = package.source.messages();
    messages
        .into_iter()
        .find(|other| is_mask && other.name() == name && Table::read(other).is_some())
}

/// Whether a field has a value, in Rust.
fn filled(field: &FieldDescriptor, access: &str) -> String {
    if field.is_list() || field.is_map() {
        return format!("!{access}.is_empty()");
    }
    match field.kind() {
        Kind::Message(_) => format!("{access}.is_set()"),
        _ if field.supports_presence() => format!("{access}.is_some()"),
        kind => scalars::is_set(&kind, access),
    }
}

/// Whether a field says that it must have a value.
fn required(field: &FieldDescriptor) -> bool {
    extension(&field.options(), "buf.validate.field").is_some_and(|rules| {
        let rules = rules.as_message().and_then(|rules| rules.get_field_by_name("required"));
        rules.is_some_and(|required| required.as_bool() == Some(true))
    })
}
