//! Pages of a list: opaque tokens that stay good while rows come and go.

use crate::{Error, Result};

/// One page, as a request asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// How many rows to show.
    pub size: i64,
    /// The sort keys of the last row already shown; none on the first page.
    pub after: Option<Vec<String>>,
}

/// The size of a page nobody asked a size for.
const SIZE_DEFAULT: i32 = 50;
/// The size of the largest page.
const SIZE_MAX: i32 = 1_000;
/// What stands between the keys in a token.
const SEPARATOR: char = '\u{1f}';

impl Page {
    /// Reads `page_size` and `page_token`; a token has `keys` sort keys.
    ///
    /// # Errors
    /// `request.invalid` at either field.
    pub fn read(size: i32, token: &str, keys: usize) -> Result<Self> {
        if size < 0 {
            return Err(Error::field("page_size", "int32.gte", "must not be negative"));
        }
        let size = if size == 0 { SIZE_DEFAULT } else { size.min(SIZE_MAX) };
        if token.is_empty() {
            return Ok(Self { size: size.into(), after: None });
        }
        let after: Option<Vec<String>> = decode(token)
            .map(|text| text.split(SEPARATOR).map(str::to_owned).collect())
            .filter(|found: &Vec<String>| found.len() == keys);
        if after.is_none() {
            return Err(Error::field("page_token", "page_token", "was not given by this method"));
        }
        Ok(Self { size: size.into(), after })
    }

    /// The sort key of the last row shown, for lists sorted by one key; the empty string sorts
    /// before every key.
    pub fn after(&self) -> &str {
        self.after.as_ref().and_then(|keys| keys.first()).map_or("", String::as_str)
    }

    /// Takes one row more than a page shows, which says whether there is a next one.
    pub fn limit(&self) -> i64 {
        self.size + 1
    }

    /// Cuts the rows to the page; the token of the next one, empty if this is the last.
    pub fn cut<T>(&self, rows: &mut Vec<T>, keys: impl FnOnce(&T) -> Vec<String>) -> String {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        if rows.len() <= size {
            return String::new();
        }
        rows.truncate(size);
        rows.last().map_or_else(String::new, |row| encode(&keys(row).join(&SEPARATOR.to_string())))
    }
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn decode(token: &str) -> Option<String> {
    let digits = |at: usize| token.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let bytes: Option<Vec<u8>> = (0..token.len()).step_by(2).map(digits).collect();
    String::from_utf8(bytes?).ok()
}
