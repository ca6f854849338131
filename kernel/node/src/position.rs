//! Positions, as callers see them: opaque.

use stoa_kit::{Error, Result};

/// A place among the commits of a cell, as a reply carries it in `stoa-position`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub i64);

impl Position {
    /// Reads a position that a reply carried.
    ///
    /// # Errors
    /// `request.invalid` at `position` for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let number = text.strip_prefix('p').and_then(|hex| u64::from_str_radix(hex, 16).ok());
        number.and_then(|number| i64::try_from(number).ok()).map(Self).ok_or_else(|| {
            Error::field("position", "position", "must be a position that a reply carried")
        })
    }
}

/// Of two positions the one with the longer text is the later, and of two that are as long the one
/// with the greater text: a client that has seen several carries the last of them on.
impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p{:x}", self.0)
    }
}
