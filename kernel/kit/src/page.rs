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
            return Err(foreign());
        }
        Ok(Self { size: size.into(), after })
    }

    /// The sort key of the last row shown, for lists sorted by one key; the empty string sorts
    /// before every key.
    pub fn after(&self) -> &str {
        self.key(0)
    }

    /// The same for lists that show the newest first, sorted by identifiers; on the first page
    /// what sorts after every identifier.
    pub fn before(&self) -> &str {
        if self.after.is_none() { "~" } else { self.key(0) }
    }

    /// One of the sort keys of the last row shown; empty on the first page.
    pub fn key(&self, place: usize) -> &str {
        self.after.as_ref().and_then(|keys| keys.get(place)).map_or("", String::as_str)
    }

    /// The same for a key that is a number; `first` on the first page.
    ///
    /// # Errors
    /// `request.invalid` where it is none.
    pub fn number(&self, place: usize, first: i64) -> Result<i64> {
        if self.after.is_none() {
            return Ok(first);
        }
        self.key(place).parse().map_err(|_| foreign())
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

fn foreign() -> Error {
    Error::field("page_token", "page_token", "was not given by this method")
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn decode(token: &str) -> Option<String> {
    let digits = |at: usize| token.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let bytes: Option<Vec<u8>> = (0..token.len()).step_by(2).map(digits).collect();
    String::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_behind_the_last_row_of_the_one_before() {
        let first = Page::read(2, "", 2).unwrap();
        assert_eq!((first.after(), first.before(), first.key(1)), ("", "~", ""));
        assert_eq!(first.number(0, i64::MAX).unwrap(), i64::MAX);
        let mut rows = vec![(9, "c"), (7, "b"), (5, "a")];
        let token = first.cut(&mut rows, |(time, id)| vec![time.to_string(), (*id).to_owned()]);
        assert_eq!(rows, [(9, "c"), (7, "b")]);
        let next = Page::read(2, &token, 2).unwrap();
        assert_eq!((next.number(0, i64::MAX).unwrap(), next.key(1)), (7, "b"));
        assert_eq!((next.after(), next.before()), ("7", "7"));
        assert_eq!(next.cut(&mut vec![(5, "a")], |_| Vec::new()), "", "it is the last");
    }

    #[test]
    fn a_token_of_another_list_is_refused() {
        let mut rows = vec!["a", "b"];
        let token = Page::read(1, "", 1).unwrap().cut(&mut rows, |row| vec![(*row).to_owned()]);
        let page = Page::read(1, &token, 1).unwrap();
        let refused =
            [Page::read(1, &token, 2).err(), page.number(0, 0).err(), Page::read(1, "~", 1).err()];
        for error in refused {
            assert_eq!(error.unwrap().violations()[0].path, "page_token");
        }
    }
}
