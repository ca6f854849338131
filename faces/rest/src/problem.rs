//! Errors, as problem details (RFC 9457).

use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use stoa_contract::{Violation, Words};
use stoa_kit::Error;
use stoa_node::{Content, status};

const KIND: HeaderValue = HeaderValue::from_static("application/problem+json");

#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: String,
    status: u16,
    detail: &'a str,
    code: &'static str,
    reason: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    violations: &'a [Violation],
    #[serde(skip_serializing_if = "str::is_empty")]
    next: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace: &'a str,
}

/// The status that an error has here. One about an etag is what HTTP has a word of its own for.
pub(crate) fn status_of(error: &Error) -> StatusCode {
    match error.reason() {
        "request.etag" => StatusCode::PRECONDITION_FAILED,
        _ => status(error),
    }
}

/// An error as JSON.
pub(crate) fn text(trace: &str, error: &Error) -> Vec<u8> {
    let reason = error.reason();
    let problem = Problem {
        r#type: format!("urn:stoa:reason:{reason}"),
        title: reason.rsplit('.').next().unwrap_or_default().replace('_', " "),
        status: status_of(error).as_u16(),
        detail: error.message(),
        code: error.code().word(),
        reason,
        violations: error.violations(),
        next: error.next(),
        trace,
    };
    // Texts and numbers can always be written.
    serde_json::to_vec(&problem).unwrap_or_default()
}

/// The answer that says an error.
pub(crate) fn respond(trace: &str, error: &Error) -> Response<Content> {
    let mut response = Response::new(Content::from(text(trace, error)));
    *response.status_mut() = status_of(error);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, KIND);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(wait) = error.retry_after() {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    }
    response
}
