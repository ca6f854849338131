//! Replies, as JSON that a response is made of.

use apollo_compiler::response::JsonValue;
use stoa_contract::{AnyMessage, Format};
use stoa_kit::{Error, Result};
use stoa_node::{Answer, Body};

/// The reply of a call.
///
/// # Errors
/// `internal` for a stream.
pub(crate) fn reply(answer: Answer) -> Result<JsonValue> {
    match answer.body {
        Body::Message(message) => json(&*message),
        Body::Stream(_) => Err(Error::internal("a stream where a message was expected")),
    }
}

/// A message as JSON.
///
/// # Errors
/// `internal`; a message that was built by this program can always be written.
pub(crate) fn json(message: &dyn AnyMessage) -> Result<JsonValue> {
    let text = message.encode(Format::Json)?;
    JsonValue::from_bytes(text.into()).map_err(Error::internal)
}

/// A part of a message, by its name in JSON; null where JSON leaves it out.
pub(crate) fn part<'a>(of: &'a JsonValue, name: &str) -> &'a JsonValue {
    const NULL: &JsonValue = &JsonValue::Null;
    of.as_object().and_then(|object| object.get(name)).unwrap_or(NULL)
}
