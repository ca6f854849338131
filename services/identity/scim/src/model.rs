//! The rules of SCIM: what there is, how it is asked for, and how it is changed.

pub(crate) mod filter;
pub(crate) mod patch;
pub(crate) mod schema;

use serde_json::{Map, Value};
use stoa_kit::{Error, Reason as _};
use stoa_scim_v1::Reason;

/// A JSON object.
pub(crate) type Object = Map<String, Value>;

pub(crate) fn invalid_value(what: impl Into<String>) -> Error {
    Reason::InvalidValue.because(what.into())
}

/// The version of something, as `ETag` says it.
pub(crate) fn version(object: &Object) -> String {
    let text = Value::Object(object.clone()).to_string();
    format!("W/\"{}\"", &blake3::hash(text.as_bytes()).to_hex()[..32])
}

/// What an account is called for short, of what a directory calls it.
pub(crate) fn handle(user_name: &str) -> String {
    let name = user_name.split('@').next().unwrap_or_default();
    let may = |letter: &char| letter.is_ascii_alphanumeric() || "._-".contains(*letter);
    let name: String = name.chars().filter(may).take(30).collect();
    match name.trim_matches(|letter: char| !letter.is_ascii_alphanumeric()) {
        "" => "user".to_owned(),
        name => name.to_owned(),
    }
}

/// The address by which somebody is reached: the primary one, or the first, or the name if it is one.
pub(crate) fn email(document: &Object) -> Option<String> {
    let all = document.get("emails").and_then(Value::as_array);
    let all = all.map(Vec::as_slice).unwrap_or_default();
    let primary = all.iter().find(|one| one["primary"] == true).or_else(|| all.first());
    let value = primary.and_then(|one| one.get("value")).and_then(Value::as_str);
    let name = text(document, "userName");
    let email = value.unwrap_or(if name.contains('@') { name } else { "" }).trim();
    (!email.is_empty()).then(|| email.to_owned())
}

/// What somebody is called by others.
pub(crate) fn display_name(document: &Object) -> String {
    let name = document.get("name").and_then(Value::as_object);
    let part = |part: &str| name.map_or("", |name| text(name, part));
    let whole = format!("{} {}", part("givenName"), part("familyName"));
    let all = [text(document, "displayName"), part("formatted"), whole.trim()];
    let first = all.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    shortened(first)
}

/// The beginning of a text, as long as a name may be.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(120).collect()
}

/// A text of an object; empty where there is none.
pub(crate) fn text<'a>(object: &'a Object, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}
