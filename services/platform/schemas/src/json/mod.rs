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

impl Problem {
    pub(crate) fn at(pointer: &str, keyword: &str, said: &str) -> Self {
        let pointer = format!("{pointer}/{}", document::escaped(keyword));
        Self { pointer, said: said.to_owned() }
    }
}
