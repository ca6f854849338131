//! The arguments of a field, as the JSON of a request.
//!
//! Only text is moved here: what the fields may be called and what they may hold, the decoder of the
//! message says. So what is wrong with a request is wrong for the same reason, at the same path, as
//! on every other face.

use apollo_compiler::Schema;
use apollo_compiler::ast::{Type, Value};
use apollo_compiler::executable::Field;
use apollo_compiler::response::JsonMap;
use apollo_compiler::schema::ExtendedType;

/// The JSON of a field's arguments. A variable that has no value leaves its argument out.
pub(crate) fn json(schema: &Schema, field: &Field, variables: &JsonMap) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    out.push(b'{');
    for argument in &field.arguments {
        if absent(&argument.value, variables) {
            continue;
        }
        separate(&mut out, b'{');
        quoted(&argument.name, &mut out);
        out.push(b':');
        let known = field.definition.argument_by_name(&argument.name);
        let kind = known.map(|known| &*known.ty);
        write(schema, kind, &argument.value, variables, &mut out);
    }
    out.push(b'}');
    out
}

fn absent(value: &Value, variables: &JsonMap) -> bool {
    matches!(value, Value::Variable(name) if !variables.contains_key(name.as_str()))
}

fn write(
    schema: &Schema, kind: Option<&Type>, value: &Value, variables: &JsonMap, out: &mut Vec<u8>,
) {
    match (kind, value) {
        // What is no list stands for a list of it.
        (Some(Type::List(of) | Type::NonNullList(of)), value)
            if !matches!(value, Value::List(_) | Value::Variable(_) | Value::Null) =>
        {
            out.push(b'[');
            write(schema, Some(of), value, variables, out);
            out.push(b']');
        }
        (_, Value::Null) => out.extend_from_slice(b"null"),
        (_, Value::Boolean(value)) => {
            out.extend_from_slice(if *value { b"true" } else { b"false" })
        }
        (_, Value::Int(number)) => out.extend_from_slice(number.as_str().as_bytes()),
        (_, Value::Float(number)) => out.extend_from_slice(number.as_str().as_bytes()),
        (_, Value::Enum(name)) => quoted(name, out),
        (_, Value::String(text)) => quoted(text, out),
        // A value of JSON can always be written.
        (_, Value::Variable(name)) => match variables.get(name.as_str()) {
            Some(value) => drop(serde_json::to_writer(&mut *out, value)),
            None => out.extend_from_slice(b"null"),
        },
        (kind, Value::List(items)) => {
            let of = match kind {
                Some(Type::List(of) | Type::NonNullList(of)) => Some(&**of),
                _ => None,
            };
            out.push(b'[');
            for item in items {
                separate(out, b'[');
                write(schema, of, item, variables, out);
            }
            out.push(b']');
        }
        (kind, Value::Object(fields)) => {
            let inner = kind.and_then(|kind| schema.types.get(kind.inner_named_type()));
            let inner = inner.and_then(|kind| match kind {
                ExtendedType::InputObject(object) => Some(object),
                _ => None,
            });
            out.push(b'{');
            for (name, value) in fields.iter().filter(|(_, value)| !absent(value, variables)) {
                separate(out, b'{');
                quoted(name, out);
                out.push(b':');
                let known = inner.and_then(|inner| inner.fields.get(name));
                write(schema, known.map(|known| &*known.ty), value, variables, out);
            }
            out.push(b'}');
        }
    }
}

fn separate(out: &mut Vec<u8>, open: u8) {
    if out.last() != Some(&open) {
        out.push(b',');
    }
}

fn quoted(text: &str, out: &mut Vec<u8>) {
    // A text can always be written.
    let _ = serde_json::to_writer(out, text);
}
