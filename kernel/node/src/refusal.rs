//! What the door says to whom it does not let in, and under which status of HTTP.

use connectrpc::{ConnectError, ErrorCode};
use http::StatusCode;
use serde_json::{Value, json};
use stoa_contract::{Code, Error, Words};

use crate::door::STRANGERS_REQUEST_MAX;
use crate::rpc::translate;

/// The status of HTTP under which an error goes out: by its reason where that is about HTTP, and by
/// its code otherwise.
pub fn status(error: &Error) -> StatusCode {
    match error.reason() {
        "node.no_such_method" => StatusCode::NOT_FOUND,
        "request.method" => StatusCode::METHOD_NOT_ALLOWED,
        "request.upgrade" => StatusCode::UPGRADE_REQUIRED,
        "request.too_large" | "stream.too_large" => StatusCode::PAYLOAD_TOO_LARGE,
        "request.too_slow" => StatusCode::REQUEST_TIMEOUT,
        "request.truncated" => StatusCode::BAD_REQUEST,
        "request.content_type" | "request.compressed" => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        _ => {
            let code = ErrorCode::from_grpc_code(error.code() as u32);
            code.unwrap_or(ErrorCode::Unknown).http_status()
        }
    }
}

/// An error as JSON that is no protocol's: its code, its reason, and all that is said with it.
pub fn shown(error: &Error) -> Value {
    json!({
        "code": error.code().word(),
        "reason": error.reason(),
        "message": error.message(),
        "violations": error.violations(),
        "next": error.next(),
    })
}

/// An error about a request, in the words of RPC.
pub(crate) fn refuse(error: &Error) -> ConnectError {
    translate(error).with_http_status(status(error))
}

pub(crate) fn too_large(most: usize) -> Error {
    let message = format!("a request has {most} bytes at the most");
    let help = match most {
        STRANGERS_REQUEST_MAX => {
            "Send less at once, or sign in: callers who are known may send more."
        }
        _ => "Send less at once.",
    };
    Error::new(Code::ResourceExhausted, "request.too_large", message).help(help)
}

pub(crate) fn too_slow() -> Error {
    let message = "the rest of the request did not come in time";
    Error::new(Code::DeadlineExceeded, "request.too_slow", message)
        .help("Nothing happened; send it again.")
}

pub(crate) fn truncated() -> Error {
    Error::new(Code::Canceled, "request.truncated", "the request broke off")
        .help("Nothing happened; send it again.")
}

pub(crate) fn not_text() -> Error {
    let message = "a body of application/grpc-web-text is base64";
    Error::new(Code::InvalidArgument, "protobuf.malformed", message)
        .help("Encode the body in base64, or send it as application/grpc-web.")
}
