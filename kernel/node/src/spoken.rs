//! How RPC is spoken here: what the head of a request has to be to ask for a method.

use std::time::Duration;

use connectrpc::{ConnectError, MethodDescriptor, MethodKind, Protocol};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, header};
use stoa_contract::{Code, Error};
use stoa_kit::registry::no_such_method;

use crate::refusal::refuse;

/// What is spoken here, for those who spoke otherwise.
const SPOKEN: &str = "application/json, application/proto, application/connect+json, \
     application/connect+proto, application/grpc, application/grpc-web, \
     application/grpc-web-text";
/// Where each protocol says that a message is compressed.
const COMPRESSED: [&str; 3] = ["content-encoding", "connect-content-encoding", "grpc-encoding"];

/// What can be said against a request by its head alone.
pub(crate) fn check(head: &Parts, method: Option<MethodDescriptor>) -> Result<(), ConnectError> {
    let Some(method) = method else {
        return Err(refuse(&no_such_method(head.uri.path())));
    };
    let streams = method.kind != MethodKind::Unary;
    let gets = method.idempotent && !streams;
    if gets && head.method == Method::GET {
        return asked(head.uri.query().unwrap_or(""));
    }
    if head.method != Method::POST {
        return Err(wrong_method(&head.method, if gets { "GET, POST" } else { "POST" }));
    }
    let spoken = Protocol::detect(&head.headers).is_some_and(|spoken| {
        spoken.protocol != Protocol::Connect || spoken.is_streaming == streams
    });
    if !spoken {
        return Err(wrong_content_type(streams));
    }
    let plain = |name: &&str| head.headers.get(*name).is_none_or(|value| value == "identity");
    if !COMPRESSED.iter().all(plain) {
        return Err(compressed());
    }
    Ok(())
}

/// A GET carries its message in its query.
fn asked(query: &str) -> Result<(), ConnectError> {
    if query.split('&').any(|part| matches!(part, "encoding=json" | "encoding=proto")) {
        return Ok(());
    }
    let error = Error::new(
        Code::InvalidArgument,
        "request.query",
        "a GET carries its message in the query, and says how it is encoded",
    );
    let error = error.help("Add `?encoding=json&message=%7B%7D`, or send a POST.");
    Err(refuse(&error))
}

fn wrong_method(method: &Method, allowed: &'static str) -> ConnectError {
    let message = format!("this is not called by {method}");
    let error = Error::new(Code::Unimplemented, "request.method", message)
        .help(format!("Send one of: {allowed}."));
    let mut refusal = refuse(&error);
    refusal.response_headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    refusal
}

pub(crate) fn wrong_content_type(streams: bool) -> ConnectError {
    let wanted = if streams { "application/connect+json" } else { "application/json" };
    let error = Error::new(
        Code::Unimplemented,
        "request.content_type",
        "the content type is none that this method speaks",
    );
    let error = error.help(format!("Send JSON as `Content-Type: {wanted}`."));
    let mut refusal = refuse(&error);
    refusal.response_headers_mut().insert("accept-post", HeaderValue::from_static(SPOKEN));
    refusal
}

fn compressed() -> ConnectError {
    let error = Error::new(
        Code::Unimplemented,
        "request.compressed",
        "compressed requests are not accepted",
    );
    let error = error.help("Send the request as it is, without a content encoding.");
    refuse(&error)
}

/// How long the caller waits for an answer, by Connect's header or by gRPC's.
pub(crate) fn deadline(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(millis) = text("connect-timeout-ms") {
        return millis.parse::<u32>().ok().map(|millis| Duration::from_millis(millis.into()));
    }
    let value = text("grpc-timeout")?;
    let (count, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let nanos = match unit {
        "H" => 3_600_000_000_000,
        "M" => 60_000_000_000,
        "S" => 1_000_000_000,
        "m" => 1_000_000,
        "u" => 1_000,
        "n" => 1,
        _ => return None,
    };
    Some(Duration::from_nanos(count.parse::<u64>().ok()?.saturating_mul(nanos)))
}
