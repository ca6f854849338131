//! Messages whose type only their method knows: what faces and queues pass around.

use std::any::Any;

use crate::message::Message;
use crate::{Check, Code, Error, Result, json};

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Binary protobuf; written canonically: fields by number, maps by key.
    Binary,
    /// Protobuf's JSON mapping.
    Json,
}

/// A message of a type known elsewhere.
pub trait AnyMessage: Send + Sync + 'static {
    /// The message, to be turned back into its type.
    fn as_any(&self) -> &dyn Any;

    /// The message itself, to be turned back into its type.
    fn into_any(self: Box<Self>) -> Box<dyn Any + Send + Sync>;

    /// Writes it.
    ///
    /// # Errors
    /// `internal` where it cannot be written.
    fn encode(&self, format: Format) -> Result<Vec<u8>>;

    /// How many bytes of binary protobuf it comes to.
    fn size(&self) -> usize;

    /// Puts its texts into the form in which its contract takes them, and asks whether it obeys the
    /// rules.
    ///
    /// # Errors
    /// `request.invalid` with every violation.
    fn admit(&mut self) -> Result<()>;
}

impl<M: Message> AnyMessage for M {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send + Sync> {
        self
    }

    fn encode(&self, format: Format) -> Result<Vec<u8>> {
        match format {
            Format::Binary => Ok(self.encode_to_vec()),
            Format::Json => json::encode(self),
        }
    }

    fn size(&self) -> usize {
        self.encoded_len() as usize
    }

    fn admit(&mut self) -> Result<()> {
        self.form();
        validate(self)
    }
}

/// Whether a message obeys the rules of its contract.
///
/// # Errors
/// `request.invalid` with every violation.
pub fn validate<M: Message>(message: &M) -> Result<()> {
    let mut check = Check::default();
    message.check(&mut check);
    check.finish()
}

/// Reads a message.
///
/// # Errors
/// `json.malformed`, `protobuf.malformed`, or `request.invalid` with the field's path.
pub fn decode<M: Message>(bytes: &[u8], format: Format) -> Result<M> {
    match format {
        Format::Json => json::decode(bytes),
        Format::Binary => M::decode_from_slice(bytes).map_err(|error| {
            Error::new(
                Code::InvalidArgument,
                "protobuf.malformed",
                format!("not {}: {error}", M::NAME),
            )
            .help("Send the message that the method's contract asks for.")
        }),
    }
}
