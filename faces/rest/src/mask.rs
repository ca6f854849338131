//! What a PATCH changes that does not say so: the fields that it sends.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use stoa_contract::{Shape, Value};

use crate::request::Members;
use crate::routes::Found;

const MASK: &str = "update_mask";
const ETAG: &str = "etag";

/// The mask of an update that has none, as JSON writes it. A body that is no object has no fields;
/// names that are not known are left to the decoder.
pub(crate) fn of_sent(found: &Found, fields: &Members, body: &[u8]) -> Option<String> {
    let (shape, place) = (found.method.request, found.binding.body);
    if found.binding.http_method != "PATCH" || shape.field(MASK).is_none() || fields.has(MASK) {
        return None;
    }
    let sent: BTreeMap<String, IgnoredAny> = serde_json::from_slice(body).ok()?;
    let shape: &'static Shape = match (place, shape.field(place).map(|field| field.value)) {
        ("*", _) => shape,
        (_, Some(Value::Message(inner))) => inner,
        _ => return None,
    };
    let sent: Vec<_> = sent.keys().filter_map(|name| shape.field(name)).collect();
    if sent.iter().any(|field| field.name == MASK) {
        return None;
    }
    let changed = sent.iter().filter(|field| field.name != ETAG && !fields.has(field.name));
    let paths: Vec<&str> = changed.map(|field| field.json).collect();
    (!paths.is_empty()).then(|| paths.join(","))
}
