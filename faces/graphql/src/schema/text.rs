//! The schema as text, in GraphQL's own language.

use std::collections::HashMap;
use std::fmt::Write as _;

use prost_reflect::{DynamicMessage, MessageDescriptor};
use stoa_contract::described::Described;
use stoa_contract::{Contract, Kind, Method, Permission};
use stoa_kit::{Error, Result};

use super::messages::Messages;
use super::{Call, Field, Fields, edges, names, scalars};

/// The types at the roots of operations.
const ROOTS: [(&str, &str); 3] = [
    ("Query", "What can be read, by service."),
    ("Mutation", "What can be done. What stands in one request is done one after another."),
    (
        "Subscription",
        "What tells more as it comes: streams, and what can be read, by service, told again whenever \
        it says something else.",
    ),
];

/// The schema of contracts, and where its fields lead.
pub(super) fn of(
    contracts: &[&'static Contract], described: &Described,
) -> Result<(String, Fields)> {
    let getters = edges::getters(contracts, described);
    let mut writer = Writer {
        described,
        messages: Messages::new(described, getters),
        roots: [const { String::new() }; 3],
        fields: HashMap::new(),
    };
    for contract in contracts {
        writer.contract(contract)?;
    }
    writer.finish()
}

struct Writer<'a> {
    described: &'a Described,
    messages: Messages<'a>,
    /// What stands in each of [`ROOTS`].
    roots: [String; 3],
    fields: Fields,
}

impl Writer<'_> {
    fn contract(&mut self, contract: &'static Contract) -> Result<()> {
        let shown = contract.methods.iter().copied().filter(|method| names::is_shown(method));
        let shown: Vec<&'static Method> = shown.collect();
        let mut queries = String::new();
        let has = |name: &str| {
            let package = contract.full_name.rsplit_once('.').map_or("", |(package, _)| package);
            self.described.message(&format!("{package}.{name}")).is_some()
        };
        let of_service = names::queries(contract.name, has);
        for (name, method) in names::of_queries(&shown) {
            queries += &self.field(&of_service, name, method)?;
        }
        if !queries.is_empty() {
            let said = self::described(contract.doc, "  ");
            // What is asked once and what is watched have one shape, and one type.
            for root in [0, 2] {
                let _ = writeln!(self.roots[root], "{said}  {}: {of_service}!", contract.name);
                self.put(ROOTS[root].0, contract.name.to_owned(), Field::Service);
            }
            let _ = writeln!(
                self.messages.text,
                "{}type {of_service} {{\n{queries}}}",
                self::described(contract.doc, "")
            );
        }
        for method in shown.into_iter().filter(|method| method.kind != Kind::Query) {
            let root = if method.streams { 2 } else { 1 };
            let text = self.field(ROOTS[root].0, names::of_method(method), method)?;
            self.roots[root] += &text;
        }
        Ok(())
    }

    /// The field of a method.
    fn field(&mut self, of: &str, name: String, method: &'static Method) -> Result<String> {
        let found = self.described.method(method.path);
        let found = found.ok_or_else(|| Error::internal("a method without a descriptor"))?;
        let comment = self.messages.comment(&found.parent_service().parent_file(), found.path());
        let mut text = described(&format!("{comment}\n\n{}", who(method)), "  ");
        let taken = self.messages.taken(&found.input(), "    ");
        let taken = if taken.is_empty() { taken } else { format!("(\n{taken}  )") };
        let (kind, part) = match wrapped(method, &found.output()) {
            Some((part, inner)) => (self.messages.output(&inner), Some(part)),
            None => (self.messages.output(&found.output()), None),
        };
        let old = deprecated(&found.options()).unwrap_or("");
        let _ = writeln!(text, "  {name}{taken}: {kind}{old}");
        self.put(of, name, Field::Call(Call { method, part }));
        Ok(text)
    }

    fn put(&mut self, of: &str, name: String, field: Field) {
        self.fields.entry(of.to_owned()).or_default().insert(name, field);
    }

    fn finish(mut self) -> Result<(String, Fields)> {
        self.messages.finish();
        let mut text = String::new();
        for (name, said) in scalars::DECLARED {
            let _ = writeln!(text, "{}scalar {name}", described(said, ""));
        }
        let roots = ROOTS.iter().zip(&self.roots).filter(|(_, fields)| !fields.is_empty());
        for ((name, said), fields) in roots {
            let _ = writeln!(text, "{}type {name} {{\n{fields}}}", described(said, ""));
        }
        text += &self.messages.text;
        let mut fields = self.messages.fields;
        for (of, more) in self.fields {
            fields.entry(of).or_default().extend(more);
        }
        Ok((text, fields))
    }
}

/// The part of a reply that is all it has: what `GetAccount` gives is the account.
fn wrapped(method: &Method, reply: &MessageDescriptor) -> Option<(String, MessageDescriptor)> {
    let mut fields = reply.fields();
    let (field, None) = (fields.next()?, fields.next()) else { return None };
    let gets = method.kind == Kind::Query && method.name.starts_with("Get");
    let kind = field.kind();
    let inner = kind.as_message().filter(|_| gets && !field.is_list() && !field.is_map())?;
    Some((field.json_name().to_owned(), inner.clone()))
}

fn who(method: &Method) -> String {
    match method.permission {
        Permission::Public => "For everybody.".to_owned(),
        Permission::Named(name) => format!("Needs the permission `{name}`."),
        _ => "For everybody who signed in.".to_owned(),
    }
}

/// A comment as a description; nothing of nothing.
pub(super) fn described(comment: &str, indent: &str) -> String {
    let comment = comment.trim();
    if comment.is_empty() {
        return String::new();
    }
    let comment = comment.replace("\"\"\"", "\\\"\"\"");
    let lines: String = comment.lines().map(|line| format!("{indent}{line}\n")).collect();
    format!("{indent}\"\"\"\n{lines}{indent}\"\"\"\n")
}

/// What is said of what its contract calls deprecated.
pub(super) fn deprecated(options: &DynamicMessage) -> Option<&'static str> {
    let said = options.get_field_by_name("deprecated")?;
    (said.as_bool() == Some(true)).then_some(" @deprecated")
}
