//! Changes (RFC 7644, 3.5.2), as the RFC has them and as Entra sends them.

use serde_json::Value;
use stoa_kit::{Error, Reason as _, Result};
use stoa_scim_v1::{Kind, Reason};

use super::filter::{self, Filter};
use super::schema::{self, Attribute, Type};
use super::{Object, invalid_value};

/// The most changes at once.
const OPERATIONS_MAX: usize = 1_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Op {
    Add,
    Remove,
    Replace,
}

/// Makes all changes of a body to a document, or none.
pub(crate) fn apply(kind: Kind, document: &Object, body: &Object) -> Result<Object> {
    let mut changed = document.clone();
    let operations = filter::get(body, "Operations").and_then(Value::as_array);
    let operations = operations.ok_or_else(|| syntax("`Operations` is missing"))?;
    if operations.is_empty() || operations.len() > OPERATIONS_MAX {
        return Err(syntax("there is no change, or more than 1,000 of them"));
    }
    for operation in operations {
        let operation = operation.as_object().ok_or_else(|| syntax("a change is no object"))?;
        let op = match filter::get(operation, "op").and_then(Value::as_str) {
            Some(op) if op.eq_ignore_ascii_case("add") => Op::Add,
            Some(op) if op.eq_ignore_ascii_case("remove") => Op::Remove,
            Some(op) if op.eq_ignore_ascii_case("replace") => Op::Replace,
            _ => return Err(syntax("`op` is none of `add`, `remove` and `replace`")),
        };
        let value = filter::get(operation, "value").cloned().unwrap_or(Value::Null);
        match (filter::get(operation, "path"), op) {
            (Some(Value::String(path)), _) => change(kind, &mut changed, op, path, &value)?,
            (Some(Value::Null) | None, Op::Remove) => {
                return Err(Reason::NoTarget.because("`path` is missing"));
            }
            // Each name is a path, as Entra sends `name.givenName`.
            (Some(Value::Null) | None, _) => {
                let each = value.as_object().ok_or_else(|| syntax("`value` is no object"))?;
                for (path, value) in each {
                    change(kind, &mut changed, op, path, value)?;
                }
            }
            _ => return Err(syntax("`path` is no text")),
        }
    }
    schema::normal(kind, &changed)
}

fn syntax(what: &'static str) -> Error {
    Reason::InvalidSyntax.because(what)
}

/// Where a change is made: an attribute, which of its values, and which part.
struct Target {
    one: &'static Attribute,
    which: Option<Filter>,
    part: Option<&'static Attribute>,
}

fn target(kind: Kind, path: &str) -> Result<Target> {
    let wrong = |what: &'static str| Err(Reason::InvalidPath.because(what));
    let (before, which, behind) = match path.split_once('[') {
        Some((before, rest)) => match rest.rsplit_once(']') {
            Some((which, behind)) => (before, Some(which), behind),
            None => return wrong("a bracket of the path does not end"),
        },
        None => (path, None, ""),
    };
    let mut names = filter::path_of(before.trim());
    if let Some(part) = behind.strip_prefix('.') {
        names.push(part.to_owned());
    } else if !behind.is_empty() {
        return wrong("something stands behind the bracket of the path");
    }
    let Some(one) = names.first().and_then(|name| schema::find(schema::attributes(kind), name))
    else {
        return Err(schema::unknown(path));
    };
    let part = match (names.get(1), one.kind) {
        (None, _) => None,
        (Some(name), Type::Complex(parts)) if names.len() == 2 => {
            Some(schema::find(parts, name).ok_or_else(|| schema::unknown(path))?)
        }
        _ => return Err(schema::unknown(path)),
    };
    let which = match which {
        Some(text) if one.many => Some(filter::read_of(one, text)?),
        Some(_) => return wrong("of this attribute there is one value"),
        None => None,
    };
    Ok(Target { one, which, part })
}

fn change(kind: Kind, document: &mut Object, op: Op, path: &str, value: &Value) -> Result<()> {
    // What the service itself says is left as it is.
    if ["schemas", "id", "meta"].iter().any(|own| own.eq_ignore_ascii_case(path)) {
        return match op {
            Op::Remove => Err(Reason::Mutability.because("the service itself says this")),
            _ => Ok(()),
        };
    }
    let Target { one, which, part } = target(kind, path)?;
    if op != Op::Remove && value.is_null() {
        return Err(invalid_value(format!("`{}` has no value", one.name)));
    }
    match (which, part) {
        (None, None) => whole(document, op, one, value),
        (None, Some(part)) if !one.many => {
            let slot = document.entry(one.name).or_insert_with(|| Object::new().into());
            set(slot, op, part, value)
        }
        // Of all values.
        (None, Some(part)) => {
            let Some(Value::Array(each)) = document.get_mut(one.name) else {
                return if op == Op::Remove { Ok(()) } else { Err(no_target()) };
            };
            each.iter_mut().try_for_each(|slot| set(slot, op, part, value))
        }
        (Some(which), part) => some(document, op, one, &which, part, value),
    }
}

fn no_target() -> Error {
    Reason::NoTarget.because("there is nothing to change where the path leads")
}

/// Changes an attribute as a whole.
fn whole(document: &mut Object, op: Op, one: &Attribute, value: &Value) -> Result<()> {
    if op == Op::Remove && one.many && !value.is_null() {
        // Some of many, by their values, as Entra takes members out of a group.
        let gone = schema::value_of(one, value)?.unwrap_or_default();
        let gone = gone.as_array().cloned().unwrap_or_default();
        if let Some(Value::Array(each)) = document.get_mut(one.name) {
            each.retain(|kept| !gone.iter().any(|gone| gone["value"] == kept["value"]));
        }
        return Ok(());
    }
    if op == Op::Remove {
        document.remove(one.name);
        return Ok(());
    }
    let Some(value) = schema::value_of(one, value)? else {
        document.remove(one.name);
        return Ok(());
    };
    match (document.get_mut(one.name), value) {
        (Some(Value::Array(each)), Value::Array(more)) if op == Op::Add => {
            for value in more {
                if value["primary"] == true {
                    each.iter_mut().for_each(demote);
                }
                if !each.contains(&value) {
                    each.push(value);
                }
            }
        }
        // Parts that are not named stay.
        (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
        (_, value) => {
            document.insert(one.name.to_owned(), value);
        }
    }
    Ok(())
}

fn demote(one: &mut Value) {
    if one["primary"] == true {
        one["primary"] = false.into();
    }
}

/// Changes the values that fit.
fn some(
    document: &mut Object, op: Op, one: &Attribute, which: &Filter, part: Option<&Attribute>,
    value: &Value,
) -> Result<()> {
    let empty = || Value::Array(Vec::new());
    let Value::Array(each) = document.entry(one.name).or_insert_with(empty) else {
        return Err(no_target());
    };
    let fits = |value: &Value| value.as_object().is_some_and(|value| which.fits(value));
    if op == Op::Remove && part.is_none() {
        each.retain(|value| !fits(value));
        return Ok(());
    }
    if !each.iter().any(fits) {
        if op == Op::Remove {
            return Ok(());
        }
        // None fits: one is made that does, as Entra expects of an address at work.
        each.push(Value::Object(which.equals().ok_or_else(no_target)?));
    }
    for slot in each.iter_mut().filter(|value| fits(value)) {
        match part {
            Some(part) => set(slot, op, part, value)?,
            None => {
                let more = value.as_object().ok_or_else(|| {
                    invalid_value(format!("a value of `{}` is no object", one.name))
                })?;
                let Value::Object(known) = slot else { return Err(no_target()) };
                if op == Op::Replace {
                    known.clear();
                }
                known.extend(more.clone());
            }
        }
    }
    Ok(())
}

/// Changes a part of a value.
fn set(slot: &mut Value, op: Op, part: &Attribute, value: &Value) -> Result<()> {
    let Value::Object(slot) = slot else { return Err(no_target()) };
    match (op, schema::value_of(part, value)?) {
        (Op::Remove, _) | (_, None) => {
            slot.remove(part.name);
        }
        (_, Some(value)) => {
            slot.insert(part.name.to_owned(), value);
        }
    }
    Ok(())
}
