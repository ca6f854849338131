//! A reply, as an answer of HTTP.

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Value as Json, json};
use stoa_contract::{Format, Shape, Value};
use stoa_kit::{Error, Result};
use stoa_node::{Allowance, Answer, Body, Content, Visit};

use crate::routes::Found;

const KIND: HeaderValue = HeaderValue::from_static("application/json");

/// The answer to a call.
pub(crate) fn respond(found: &Found, visit: &Visit, answer: Answer) -> Result<Response<Content>> {
    let told = answer.headers();
    let Body::Message(message) = answer.body else {
        return Err(Error::internal("a stream where a message was expected"));
    };
    let mut text = message.encode(Format::Json)?;
    let etag = etag_of(found.method.reply, &text);
    if !found.binding.response_body.is_empty() {
        text = part(found.method.reply, found.binding.response_body, &text)?;
    }
    let mut response = Response::new(Content::from(text));
    *response.headers_mut() = told;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, KIND);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(etag) = etag {
        let is_known = found.binding.http_method == "GET" && knows(visit, &etag);
        headers.insert(header::ETAG, etag);
        // Whoever keeps it asks again before they use it.
        let asked_again = HeaderValue::from_static("private, no-cache");
        headers.insert(header::CACHE_CONTROL, asked_again);
        if is_known {
            headers.remove(header::CONTENT_TYPE);
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.body_mut() = Content::from("");
        }
    }
    Ok(response)
}

/// What whoever asks may still ask for (draft-ietf-httpapi-ratelimit-headers).
pub(crate) fn allowance(visit: &Visit) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(Allowance { per_second, left, whole_in }) = visit.allowance() else { return headers };
    let seconds = whole_in.as_secs() + u64::from(whole_in.subsec_nanos() > 0);
    for (name, value) in [
        ("ratelimit-policy", format!("\"calls\";q={per_second};w=1")),
        ("ratelimit", format!("\"calls\";r={left};t={seconds}")),
    ] {
        // Digits are visible ASCII.
        headers.extend(
            HeaderValue::try_from(value).map(|value| (HeaderName::from_static(name), value)),
        );
    }
    headers
}

/// Whether who asks has what an etag stands for.
fn knows(visit: &Visit, etag: &HeaderValue) -> bool {
    let known = visit.head.headers.get_all(header::IF_NONE_MATCH);
    known.iter().filter_map(|known| known.to_str().ok()).flat_map(|known| known.split(',')).any(
        |known| {
            let known = known.trim();
            known == "*" || known.trim_start_matches("W/") == etag
        },
    )
}

/// The etag of what is replied: its own, or that of the one resource in it that has one.
fn etag_of(shape: &'static Shape, text: &[u8]) -> Option<HeaderValue> {
    const ETAG: &str = "etag";
    let mut tagged = shape.fields.iter().filter(|field| {
        field.name == ETAG
            || matches!(field.value, Value::Message(inner) if inner.field(ETAG).is_some())
    });
    let (field, None) = (tagged.next()?, tagged.next()) else { return None };
    let reply: Json = serde_json::from_slice(text).ok()?;
    let found = reply.get(field.json)?;
    let etag = found.as_str().or_else(|| found.get(ETAG)?.as_str())?;
    HeaderValue::try_from(format!("\"{etag}\"")).ok()
}

/// The part of a reply that is the body. JSON leaves out what is empty.
fn part(shape: &'static Shape, name: &str, text: &[u8]) -> Result<Vec<u8>> {
    let field = shape.field(name).ok_or_else(|| Error::internal("no such part of a reply"))?;
    let mut reply: Json = serde_json::from_slice(text).map_err(Error::internal)?;
    let part = reply.get_mut(field.json).map(Json::take).unwrap_or_else(|| match field.value {
        Value::List(_) | Value::Leaves(_) => json!([]),
        Value::Leaf(_) => Json::Null,
        _ => json!({}),
    });
    serde_json::to_vec(&part).map_err(Error::internal)
}
