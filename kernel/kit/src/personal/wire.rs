//! How what is sealed is written: values before they are sealed, and parts of messages after.

use crate::value::{Type, Value};

/// The field that sealed parts stand in: the highest number that protobuf has.
const FIELD: u64 = (1 << 29) - 1;
/// The type of a field that says how long it is.
const LENGTH: u64 = 2;
/// How long a nonce is.
const NONCE: usize = 8;

/// A value, its type first.
pub(crate) fn value(value: Value<'_>) -> Vec<u8> {
    match value {
        Value::Null(_) => vec![0],
        Value::Int(number) => [&[1], number.to_le_bytes().as_slice()].concat(),
        Value::Float(number) => [&[2], number.to_le_bytes().as_slice()].concat(),
        Value::Bool(truth) => vec![3, u8::from(truth)],
        Value::Text(text) => [&[4], text.as_bytes()].concat(),
        Value::Bytes(bytes) => [&[5], bytes].concat(),
        // No column holds several values.
        Value::Texts(_) | Value::Ints(_) => Vec::new(),
    }
}

/// Reads what [`value`] wrote.
pub(super) fn of_value(bytes: &[u8]) -> Option<Value<'_>> {
    let (kind, rest) = bytes.split_first()?;
    Some(match kind {
        0 => Value::Null(Type::Text),
        1 => Value::Int(i64::from_le_bytes(rest.try_into().ok()?)),
        2 => Value::Float(f64::from_le_bytes(rest.try_into().ok()?)),
        3 => Value::Bool(rest == [1]),
        4 => Value::Text(std::str::from_utf8(rest).ok()?),
        5 => Value::Bytes(rest),
        _ => return None,
    })
}

/// What a message says of one person.
pub(super) struct Part<'a> {
    pub(super) subject: &'a str,
    pub(super) nonce: &'a [u8],
    pub(super) sealed: &'a [u8],
}

impl Part<'_> {
    /// Writes it behind the rest of a message.
    pub(super) fn append(&self, message: &mut Vec<u8>) {
        let subject = self.subject.as_bytes();
        let mut text = Vec::new();
        put(&mut text, subject.len() as u64);
        for part in [subject, self.nonce, self.sealed] {
            text.extend(part);
        }
        put(message, FIELD << 3 | LENGTH);
        put(message, text.len() as u64);
        message.extend(text);
    }

    fn read(mut text: &[u8]) -> Option<Part<'_>> {
        let length = usize::try_from(take(&mut text)?).ok()?;
        let (subject, rest) = text.split_at_checked(length)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE)?;
        Some(Part { subject: std::str::from_utf8(subject).ok()?, nonce, sealed })
    }
}

/// The sealed parts of a message. One that is malformed has none, and whoever decodes it says so.
pub(super) fn parts(mut message: &[u8]) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    while let Some(tag) = take(&mut message) {
        let field = match tag & 7 {
            0 => take(&mut message).map(|_| &[][..]),
            1 => skip(&mut message, 8),
            LENGTH => take(&mut message).and_then(|length| skip(&mut message, length)),
            5 => skip(&mut message, 4),
            _ => None,
        };
        let Some(field) = field else { break };
        if tag == FIELD << 3 | LENGTH {
            parts.extend(Part::read(field));
        }
    }
    parts
}

fn skip<'a>(bytes: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (field, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(field)
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_as_it_was() {
        for one in [
            Value::Null(Type::Text),
            Value::Int(-7),
            Value::Float(0.5),
            Value::Bool(true),
            Value::Text("å"),
            Value::Bytes(&[0, 1]),
        ] {
            assert_eq!(of_value(&value(one)), Some(one));
        }
        for bad in [&[][..], &[1, 2], &[4, 0xff], &[9]] {
            assert_eq!(of_value(bad), None);
        }
    }

    #[test]
    fn parts_stand_behind_a_message_of_any_fields() {
        // A number, eight bytes, a text and four bytes.
        let plain = [8, 0xac, 2, 17, 1, 2, 3, 4, 5, 6, 7, 8, 26, 2, b'h', b'i', 37, 1, 2, 3, 4];
        assert!(parts(&plain).is_empty());
        let mut message = plain.to_vec();
        for subject in ["usr_1", "usr_2"] {
            Part { subject, nonce: &[7; NONCE], sealed: b"sealed" }.append(&mut message);
        }
        let found: Vec<_> =
            parts(&message).iter().map(|part| (part.subject, part.sealed)).collect();
        assert_eq!(found, [("usr_1", &b"sealed"[..]), ("usr_2", b"sealed")]);
        for end in 0..message.len() {
            assert!(parts(&message[..end]).len() < 2);
        }
    }
}
