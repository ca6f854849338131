//! What people and groups are made of (RFC 7643), and the one form in which it is kept.

use serde_json::{Value, json};
use stoa_kit::{Error, Reason as _, Result};
use stoa_scim_v1::{Kind, Reason};

use super::{Object, invalid_value};

pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The longest text.
const TEXT_MAX: usize = 1_024;
/// The most values of an attribute but the members of a group.
const VALUES_MAX: usize = 100;
/// The most members of a group.
pub(crate) const MEMBERS_MAX: usize = 10_000;

/// What an attribute holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    Reference,
    Boolean,
    /// An object, or many.
    Complex(&'static [Attribute]),
}

/// An attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(crate) name: &'static str,
    pub(crate) kind: Type,
    pub(crate) many: bool,
    pub(crate) required: bool,
    /// Whether upper and lower case are told apart.
    pub(crate) exact: bool,
    /// What it is one of, as far as is known.
    canonical: &'static [&'static str],
    about: &'static str,
}

const fn of(name: &'static str, kind: Type, about: &'static str) -> Attribute {
    let (many, required, exact) = (false, false, false);
    Attribute { name, kind, many, required, exact, canonical: &[], about }
}

const fn text(name: &'static str, about: &'static str) -> Attribute {
    of(name, Type::Text, about)
}

/// A value of which there are several kinds, such as an address at work.
const PLURAL: &[Attribute] = &[
    Attribute { required: true, ..text("value", "The value.") },
    text("display", "How it is shown."),
    text("type", "Of which kind it is, such as `work`."),
    of("primary", Type::Boolean, "Whether it is the one that is used."),
];
const NAME: &[Attribute] = &[
    text("formatted", "The whole name."),
    text("familyName", "The family's name."),
    text("givenName", "The given name."),
    text("middleName", "The middle name."),
    text("honorificPrefix", "What stands before it."),
    text("honorificSuffix", "What stands behind it."),
];
const ADDRESS: &[Attribute] = &[
    text("formatted", "The whole address."),
    text("streetAddress", "The street."),
    text("locality", "The town."),
    text("region", "The region."),
    text("postalCode", "The postal code."),
    text("country", "The country."),
    text("type", "Of which kind it is, such as `work`."),
    of("primary", Type::Boolean, "Whether it is the one that is used."),
];
const MEMBER: &[Attribute] = &[
    Attribute { exact: true, ..text("value", "The identifier of a person.") },
    of("$ref", Type::Reference, "Where the person is."),
    Attribute { canonical: &["User"], ..text("type", "What it is.") },
];

const OF_USER: &[Attribute] = &[
    Attribute { exact: true, ..text("externalId", "What the directory knows them by.") },
    Attribute {
        required: true,
        ..text("userName", "What they are called, unique whatever its case.")
    },
    of("name", Type::Complex(NAME), "Their name, in parts."),
    text("displayName", "The name shown to others."),
    text("nickName", "What they are called by friends."),
    text("title", "What they are: `Vice President`."),
    text("userType", "What they are to whoever employs them."),
    text("preferredLanguage", "The language that they prefer."),
    text("locale", "The language that numbers and times are written in."),
    text("timezone", "The time zone, a name of the IANA database."),
    of("active", Type::Boolean, "Whether they can sign in."),
    Attribute {
        many: true,
        required: true,
        ..of("emails", Type::Complex(PLURAL), "Addresses; by the primary one they are reached.")
    },
    Attribute { many: true, ..of("phoneNumbers", Type::Complex(PLURAL), "Telephones.") },
    Attribute { many: true, ..of("addresses", Type::Complex(ADDRESS), "Where they are.") },
];
const OF_GROUP: &[Attribute] = &[
    Attribute { exact: true, ..text("externalId", "What the directory knows it by.") },
    Attribute { required: true, ..text("displayName", "What it is called.") },
    Attribute { many: true, ..of("members", Type::Complex(MEMBER), "Who is in it.") },
];

/// The attributes of what a resource is.
pub(crate) fn attributes(kind: Kind) -> &'static [Attribute] {
    if kind == Kind::Group { OF_GROUP } else { OF_USER }
}

pub(crate) fn urn(kind: Kind) -> &'static str {
    if kind == Kind::Group { GROUP } else { USER }
}

/// An attribute by its name, whatever its case.
pub(crate) fn find<'a>(all: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    all.iter().find(|one| one.name.eq_ignore_ascii_case(name))
}

/// An object in the one form in which it is kept: names as the schema has them, truths as truths, and nothing
/// that is empty or that the schema does not know.
pub(crate) fn normal(kind: Kind, object: &Object) -> Result<Object> {
    let normal = object_of(attributes(kind), object)?;
    for one in attributes(kind).iter().filter(|one| one.required && one.name != "emails") {
        if !normal.contains_key(one.name) {
            return Err(invalid_value(format!("`{}` is missing", one.name)));
        }
    }
    Ok(normal)
}

fn object_of(all: &[Attribute], object: &Object) -> Result<Object> {
    let mut normal = Object::new();
    for (name, value) in object {
        let Some(one) = find(all, name) else { continue };
        if let Some(value) = value_of(one, value)? {
            normal.insert(one.name.to_owned(), value);
        }
    }
    Ok(normal)
}

/// The value of an attribute; none where it is unassigned.
pub(crate) fn value_of(one: &Attribute, value: &Value) -> Result<Option<Value>> {
    if value.is_null() {
        return Ok(None);
    }
    if !one.many {
        return single(one, value);
    }
    let each = match value {
        Value::Array(each) => each.clone(),
        other => vec![other.clone()],
    };
    let most = if one.name == "members" { MEMBERS_MAX } else { VALUES_MAX };
    if each.len() > most {
        return Err(invalid_value(format!("`{}` has more than {most} values", one.name)));
    }
    let mut values = Vec::new();
    for value in &each {
        values.extend(single(one, value)?);
    }
    // One is the primary one: whichever was named last.
    let mut seen = false;
    for value in values.iter_mut().rev().filter(|value| value["primary"] == true) {
        if seen {
            value["primary"] = false.into();
        }
        seen = true;
    }
    Ok((!values.is_empty()).then_some(Value::Array(values)))
}

fn single(one: &Attribute, value: &Value) -> Result<Option<Value>> {
    let wrong = || -> Error { invalid_value(format!("`{}` is of another type", one.name)) };
    match (one.kind, value) {
        (_, Value::Null) => Ok(None),
        (Type::Boolean, Value::Bool(_)) => Ok(Some(value.clone())),
        // As Entra says it.
        (Type::Boolean, Value::String(text)) => match &*text.to_ascii_lowercase() {
            "true" => Ok(Some(true.into())),
            "false" => Ok(Some(false.into())),
            _ => Err(wrong()),
        },
        (Type::Text | Type::Reference, Value::String(text)) => {
            let is_good = text.len() <= TEXT_MAX && !text.contains('\0');
            if is_good { Ok(Some(value.clone())) } else { Err(wrong()) }
        }
        (Type::Complex(all), Value::Object(object)) => {
            let object = object_of(all, object)?;
            Ok((!object.is_empty()).then_some(Value::Object(object)))
        }
        // A bare value of many, as some directories send one.
        (Type::Complex(all), Value::String(_)) if one.many && find(all, "value").is_some() => {
            Ok(Some(json!({"value": value})))
        }
        _ => Err(wrong()),
    }
}

/// What `/Schemas` says of a kind.
pub(crate) fn described(kind: Kind, base: &str) -> Value {
    let (name, about) = match kind {
        Kind::Group => ("Group", "A team"),
        _ => ("User", "A person who has an account"),
    };
    let attributes: Vec<Value> = attributes(kind).iter().map(attribute).collect();
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": urn(kind),
        "name": name,
        "description": about,
        "attributes": attributes,
        "meta": {"resourceType": "Schema", "location": format!("{base}/Schemas/{}", urn(kind))},
    })
}

fn attribute(one: &Attribute) -> Value {
    let (kind, parts) = match one.kind {
        Type::Text => ("string", None),
        Type::Reference => ("reference", None),
        Type::Boolean => ("boolean", None),
        Type::Complex(all) => ("complex", Some(all.iter().map(attribute).collect::<Vec<_>>())),
    };
    let unique = if one.name == "userName" { "server" } else { "none" };
    let mut said = json!({
        "name": one.name,
        "type": kind,
        "multiValued": one.many,
        "description": one.about,
        "required": one.required,
        "mutability": "readWrite",
        "returned": "default",
    });
    if kind == "string" {
        said["caseExact"] = one.exact.into();
        said["uniqueness"] = unique.into();
    }
    if kind == "reference" {
        said["caseExact"] = true.into();
        said["uniqueness"] = "none".into();
        said["referenceTypes"] = json!(["User"]);
    }
    if !one.canonical.is_empty() {
        said["canonicalValues"] = one.canonical.into();
    }
    if let Some(parts) = parts {
        said["subAttributes"] = parts.into();
    }
    said
}

/// Refuses an attribute that there is none of.
pub(crate) fn unknown(name: &str) -> Error {
    let shown: String = name.chars().filter(char::is_ascii_graphic).take(64).collect();
    Reason::InvalidPath.because(format!("there is no attribute `{shown}`"))
}
