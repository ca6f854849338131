//! Answers of ACME, and what is wrong, as problems (RFC 8555, 6.7; RFC 9457).

use serde_json::{Value, json};
use stoa_kit::v1::{HttpHeader, HttpResponse};
use stoa_kit::{Code, Error};

/// What the types of problems begin with.
pub(crate) const PROBLEM: &str = "urn:ietf:params:acme:error:";

/// The problem that an error is, by its name and status.
fn problem(error: &Error) -> (String, i32) {
    let status = match (error.reason().strip_prefix("certs."), error.code()) {
        (Some("unknown_path"), _) | (_, Code::NotFound) => 404,
        (Some("order_not_ready"), _) | (_, Code::PermissionDenied) => 403,
        (Some("key_taken"), _) => 409,
        (_, Code::Unauthenticated) => 401,
        (_, Code::ResourceExhausted) => 429,
        (_, Code::Unavailable | Code::DeadlineExceeded) => 503,
        (_, Code::InvalidArgument | Code::FailedPrecondition) => 400,
        _ => 500,
    };
    let name = match error.reason().strip_prefix("certs.") {
        Some("bad_csr") => "badCSR".to_owned(),
        Some("no_address" | "no_root") => "serverInternal".to_owned(),
        Some("unknown_path" | "key_taken") => "malformed".to_owned(),
        Some(reason) => camel(reason),
        None => match status {
            401 | 403 => "unauthorized".to_owned(),
            429 => "rateLimited".to_owned(),
            400..=499 => "malformed".to_owned(),
            _ => "serverInternal".to_owned(),
        },
    };
    (name, status)
}

/// `bad_nonce` as RFC 8555 writes it: `badNonce`.
fn camel(reason: &str) -> String {
    let mut parts = reason.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (head, rest) = part.split_at(part.len().min(1));
        format!("{text}{}{rest}", head.to_ascii_uppercase())
    })
}

/// An error, as clients of ACME read it.
pub(super) fn refuse(error: &Error) -> HttpResponse {
    let (name, status) = problem(error);
    let mut detail = error.message().to_owned();
    for violation in error.violations() {
        detail = format!("{detail}; {} {}", violation.path, violation.message);
    }
    if !error.next().is_empty() {
        detail = format!("{detail}. {}", error.next());
    }
    let mut body = json!({"type": format!("{PROBLEM}{name}"), "detail": detail, "status": status});
    if name == "badSignatureAlgorithm" {
        body["algorithms"] = json!(["ES256", "RS256", "EdDSA"]);
    }
    let said = answer(status, body.to_string().into_bytes());
    let said = with(said, "content-type", "application/problem+json");
    match error.retry_after() {
        Some(wait) => with(said, "retry-after", &(wait.as_secs() + 1).to_string()),
        None => said,
    }
}

pub(super) fn answer(status: i32, body: Vec<u8>) -> HttpResponse {
    HttpResponse { status, body, ..HttpResponse::default() }
}

/// JSON.
pub(super) fn told(status: i32, body: &Value) -> HttpResponse {
    let said = answer(status, body.to_string().into_bytes());
    with(said, "content-type", "application/json")
}

pub(super) fn with(mut said: HttpResponse, name: &str, value: &str) -> HttpResponse {
    said.headers.push(HttpHeader { name: name.into(), value: value.into() });
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_called_as_rfc_8555_calls_them() {
        for (reason, name) in [
            ("bad_nonce", "badNonce"),
            ("account_does_not_exist", "accountDoesNotExist"),
            ("malformed", "malformed"),
            ("order_not_ready", "orderNotReady"),
        ] {
            assert_eq!(camel(reason), name);
        }
    }
}
