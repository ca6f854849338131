//! Errors, in the words of MCP.
//!
//! What a method refuses is what its tool says, for an agent to read and to do better: the result of
//! a call that is an error. Only what is wrong with the protocol itself is an error of JSON-RPC.

use http::{HeaderValue, Response, header};
use rmcp::model::{ErrorCode, ErrorData, JsonRpcError, RequestId};
use serde::Serialize;
use serde_json::value::RawValue;
use stoa_contract::{Violation, Words};
use stoa_kit::{Code, Error};
use stoa_node::{Content, status};

use crate::message::text;

/// An error as programs read it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refusal<'a> {
    code: &'static str,
    reason: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    violations: &'a [Violation],
    #[serde(skip_serializing_if = "str::is_empty")]
    next: &'a str,
    /// Seconds to wait before the next try.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace: &'a str,
    /// What a stream gave before it failed.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    messages: &'a [Box<RawValue>],
}

impl<'a> Refusal<'a> {
    pub(crate) fn new(trace: &'a str, error: &'a Error) -> Self {
        Self {
            code: error.code().word(),
            reason: error.reason(),
            message: error.message(),
            violations: error.violations(),
            next: error.next(),
            retry_after: seconds(error),
            trace,
            messages: &[],
        }
    }

    pub(crate) fn after(self, messages: &'a [Box<RawValue>]) -> Self {
        Self { messages, ..self }
    }
}

fn seconds(error: &Error) -> Option<u64> {
    let wait = error.retry_after()?;
    Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
}

/// The message that refuses a request.
pub(crate) fn message(id: Option<RequestId>, trace: &str, error: &Error) -> JsonRpcError {
    let code = match (error.reason(), error.code()) {
        ("json.malformed", _) => ErrorCode::PARSE_ERROR,
        ("mcp.method", _) => ErrorCode::METHOD_NOT_FOUND,
        ("mcp.message" | "mcp.revision", _) => ErrorCode::INVALID_REQUEST,
        (_, Code::NotFound) => ErrorCode::RESOURCE_NOT_FOUND,
        (_, Code::InvalidArgument | Code::Unimplemented) => ErrorCode::INVALID_PARAMS,
        (_, Code::Internal | Code::Unknown | Code::DataLoss) => ErrorCode::INTERNAL_ERROR,
        // The first of those that JSON-RPC leaves to servers.
        _ => ErrorCode(-32000),
    };
    let data = serde_json::to_value(Refusal::new(trace, error)).ok();
    JsonRpcError::new(id, ErrorData::new(code, error.message().to_owned(), data))
}

/// The answer of HTTP to a request that was not let in, or whose message could not be read.
pub(crate) fn respond(trace: &str, error: &Error) -> Response<Content> {
    let mut response = Response::new(Content::from(text(&message(None, trace, error))));
    *response.status_mut() = status(error);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = seconds(error) {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
