//! JSON Schema: drafts 2020-12 and 7, checked in bounded work.

pub(crate) mod compare;
pub(crate) mod compile;
pub(crate) mod document;
pub(crate) mod draft;
pub(crate) mod node;
pub(crate) mod number;
pub(crate) mod pattern;
pub(crate) mod read;
#[cfg(test)]
mod tests;
pub(crate) mod validate;

/// What is wrong with a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where, as a JSON Pointer (RFC 6901).
    pub(crate) pointer: String,
    /// In which words.
    pub(crate) said: String,
}

/// The longest pointer that is told, in bytes; of a longer one the beginning is.
const TOLD_MAX: usize = 1_000;

/// A pointer as it is told.
fn told(mut pointer: String) -> String {
    if pointer.len() > TOLD_MAX {
        pointer.truncate(pointer.floor_char_boundary(TOLD_MAX));
        pointer.push('…');
    }
    pointer
}

impl Problem {
    pub(crate) fn at(pointer: &str, keyword: &str, said: &str) -> Self {
        let pointer = format!("{pointer}/{}", document::escaped(keyword));
        Self { pointer, said: said.to_owned() }
    }
}
