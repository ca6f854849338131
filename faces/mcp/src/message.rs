//! Messages of JSON-RPC 2.0: one a request, for revisions with batches are past.

use std::borrow::Cow;

use bytes::Bytes;
use rmcp::model::{JsonRpcResponse, JsonRpcVersion2_0, RequestId};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use stoa_kit::{Code, Error, Result};

/// A message that came in.
pub(crate) enum Incoming<'a> {
    /// Something is asked.
    Request { id: RequestId, method: Cow<'a, str>, params: Option<&'a RawValue> },
    /// Something is told.
    Notification,
    /// An answer to what was asked of the client; none where it failed there.
    Answer { id: RequestId, result: Option<&'a RawValue> },
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// A value that is there, be it `null`.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(from: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// # Errors
/// `json.malformed` and `mcp.message`.
pub(crate) fn read(text: &[u8]) -> Result<Incoming<'_>> {
    let envelope: Envelope<'_> = serde_json::from_slice(text).map_err(|error| {
        if error.is_data() {
            return invalid(format!("not a message: {error}"));
        }
        Error::new(Code::InvalidArgument, "json.malformed", format!("not JSON: {error}"))
            .help("Send one message of JSON-RPC, an object.")
    })?;
    if envelope.jsonrpc != "2.0" {
        return Err(invalid("`jsonrpc` is \"2.0\""));
    }
    let id = envelope.id.map(|id| {
        let id = serde_json::from_str::<RequestId>(id.get());
        id.map_err(|_| invalid("`id` is a text or an integer"))
    });
    match (envelope.method, id.transpose()?, envelope.result, envelope.error) {
        (Some(method), Some(id), None, None) => {
            Ok(Incoming::Request { id, method, params: envelope.params })
        }
        (Some(_), None, None, None) => Ok(Incoming::Notification),
        (None, Some(id), result @ Some(_), None) => Ok(Incoming::Answer { id, result }),
        (None, Some(id), None, Some(_)) => Ok(Incoming::Answer { id, result: None }),
        _ => Err(invalid("it asks nothing, tells nothing and answers nothing")),
    }
}

fn invalid(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(Code::InvalidArgument, "mcp.message", message)
        .help("Send a request, a notification or a response as JSON-RPC 2.0 has it, one at a time.")
}

/// What a request came with. One without parameters has all of them left out.
///
/// # Errors
/// `mcp.params`.
pub(crate) fn params<'a, P: Deserialize<'a>>(params: Option<&'a RawValue>) -> Result<P> {
    let text = params.map_or("{}", RawValue::get);
    serde_json::from_str(text).map_err(|error| {
        Error::new(Code::InvalidArgument, "mcp.params", format!("`params`: {error}"))
            .help("Send the parameters that the protocol names for this method.")
    })
}

/// A result as it is sent.
///
/// # Errors
/// `internal`; what this program built can always be written.
pub(crate) fn raw(result: &impl Serialize) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(result).map_err(Error::internal)
}

/// A message that answers a request.
pub(crate) fn answer(id: RequestId, result: &RawValue) -> Bytes {
    text(&JsonRpcResponse { jsonrpc: JsonRpcVersion2_0, id, result })
}

/// A message as text.
pub(crate) fn text(message: &impl Serialize) -> Bytes {
    // Texts, numbers and what was JSON before can always be written.
    serde_json::to_vec(message).unwrap_or_default().into()
}

/// A message as an event of `text/event-stream`.
pub(crate) fn event(message: &[u8]) -> Bytes {
    [b"event: message\ndata: ", message, b"\n\n"].concat().into()
}
