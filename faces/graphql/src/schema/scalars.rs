//! Values without parts: which type of GraphQL each is, in the form that JSON has.

use apollo_compiler::response::JsonValue;
use prost_reflect::{EnumDescriptor, Kind, MessageDescriptor};

/// The scalars that GraphQL does not have, with what they hold.
pub(super) const DECLARED: [(&str, &str); 9] = [
    (
        "Int64",
        "An integer of 64 bits. Replies have it as text, for a number of JSON loses what is \
        beyond 2^53; requests may have it as text or as a number.",
    ),
    ("UInt64", "An integer of 64 bits that is not negative, written like Int64."),
    ("UInt32", "An integer of 32 bits that is not negative, as a number."),
    ("Timestamp", "A time as RFC 3339 writes it, in UTC: `2026-11-29T07:00:00Z`."),
    ("Duration", "A span of time in seconds: `1.5s`."),
    ("FieldMask", "Paths of fields, joined by commas: `displayName,email`."),
    ("Bytes", "Bytes in base64."),
    ("JSON", "A value of JSON: a map with its keys, or what has no shape of its own."),
    ("Empty", "A message without fields: `{}`."),
];

/// The type of a value that has no parts, and what it is where JSON leaves it out; none for a message.
pub(super) fn of(kind: &Kind) -> Option<(&'static str, JsonValue)> {
    Some(match kind {
        Kind::Bool => ("Boolean", false.into()),
        Kind::String => ("String", "".into()),
        Kind::Bytes => ("Bytes", "".into()),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => ("Int", 0.into()),
        Kind::Uint32 | Kind::Fixed32 => ("UInt32", 0.into()),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => ("Int64", "0".into()),
        Kind::Uint64 | Kind::Fixed64 => ("UInt64", "0".into()),
        Kind::Float | Kind::Double => ("Float", 0.into()),
        Kind::Message(message) => (well_known(message)?, JsonValue::Null),
        Kind::Enum(of) if of.full_name() == "google.protobuf.NullValue" => {
            ("JSON", JsonValue::Null)
        }
        Kind::Enum(_) => return None,
    })
}

/// The scalar that a message of protobuf's own is, as is one that has no fields.
fn well_known(message: &MessageDescriptor) -> Option<&'static str> {
    Some(match message.full_name().strip_prefix("google.protobuf.") {
        Some("Timestamp") => "Timestamp",
        Some("Duration") => "Duration",
        Some("FieldMask") => "FieldMask",
        Some("StringValue") => "String",
        Some("BytesValue") => "Bytes",
        Some("BoolValue") => "Boolean",
        Some("Int32Value") => "Int",
        Some("UInt32Value") => "UInt32",
        Some("Int64Value") => "Int64",
        Some("UInt64Value") => "UInt64",
        Some("FloatValue" | "DoubleValue") => "Float",
        _ if message.fields().len() == 0 => "Empty",
        Some(_) => "JSON",
        None => return None,
    })
}

/// The value that a field of an enum has where JSON leaves it out.
pub(super) fn first(of: &EnumDescriptor) -> JsonValue {
    of.get_value(0).map_or(JsonValue::Null, |value| value.name().into())
}
