//! Pages of a list: opaque tokens that stay good while rows come and go.
//!
//! A token holds the sort keys of the last row shown, sealed: nobody reads in it whom a list showed,
//! and nobody makes one. It is good for the one who got it, for the same method and the same filter,
//! and for nothing else.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use stoa_contract::{Message, Paged};

use crate::{Error, Result, Seal, View};

/// One page, as a request asks for it.
#[derive(Debug, Clone)]
pub struct Page {
    /// How many rows to show.
    pub size: i64,
    /// The sort keys of the last row already shown; none on the first page.
    pub after: Option<Vec<String>>,
    /// What tokens of this list are sealed with.
    seal: Seal,
}

/// The size of a page nobody asked a size for.
const SIZE_DEFAULT: i32 = 50;
/// The size of the largest page.
const SIZE_MAX: i32 = 1_000;
/// A page ends with the row that would make it larger than this, however many were asked for: what
/// waits to be sent is bounded by it.
const BYTES_MAX: usize = 1 << 20;
/// The first byte of a token: how the rest of it is written.
const VERSION: u8 = 1;

impl View<'_> {
    /// The page of a list that a request asks for; a token of this list has `keys` sort keys.
    ///
    /// # Errors
    /// `request.invalid` at `page_size` or `page_token`.
    pub fn page<R: Paged>(&self, request: &R, keys: usize) -> Result<Page> {
        let size = request.page_size();
        if size < 0 {
            return Err(Error::field("page_size", "int32.gte", "must not be negative"));
        }
        let size = if size == 0 { SIZE_DEFAULT } else { size.min(SIZE_MAX) };
        let caller = self.caller();
        let seal = self.registry().ring()?.cell().within(&[
            b"page",
            R::NAME.as_bytes(),
            caller.tenant.as_bytes(),
            caller.subject.as_bytes(),
            &request.of_any_page().encode_to_vec(),
        ]);
        Page::read(size.into(), request.page_token(), keys, seal)
    }
}

impl Page {
    fn read(size: i64, token: &str, keys: usize, seal: Seal) -> Result<Self> {
        if token.is_empty() {
            return Ok(Self { size, after: None, seal });
        }
        let after = open(&seal, token).filter(|found| found.len() == keys).ok_or_else(foreign)?;
        Ok(Self { size, after: Some(after), seal })
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

    /// Cuts the rows to the page: to as many as were asked for, and to a mebibyte. Gives the token
    /// of the next one, empty if this is the last.
    ///
    /// # Errors
    /// `internal` where the token cannot be sealed.
    pub fn cut<T: Message>(
        &self, rows: &mut Vec<T>, keys: impl FnOnce(&T) -> Vec<String>,
    ) -> Result<String> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let fits = rows.iter().take(size).take_while(|row| {
            bytes += row.encoded_len() as usize;
            bytes <= BYTES_MAX
        });
        // A row that is larger than a page is a page.
        let shown = fits.count().max(1);
        if rows.len() <= shown {
            return Ok(String::new());
        }
        rows.truncate(shown);
        rows.last().map_or_else(|| Ok(String::new()), |row| token(&self.seal, &keys(row)))
    }

    /// The same for a list that looked only as far as some keys: where it shows no row too many, the
    /// next page begins behind them.
    ///
    /// # Errors
    /// As [`Page::cut`].
    pub fn cut_at<T: Message>(
        &self, rows: &mut Vec<T>, keys: impl FnOnce(&T) -> Vec<String>,
        looked_to: Option<Vec<String>>,
    ) -> Result<String> {
        match (self.cut(rows, keys)?, looked_to) {
            (next, Some(keys)) if next.is_empty() => token(&self.seal, &keys),
            (next, _) => Ok(next),
        }
    }
}

fn foreign() -> Error {
    Error::field("page_token", "page_token", "was not given by this list")
}

/// Writes a token: each key behind its length.
fn token(seal: &Seal, keys: &[String]) -> Result<String> {
    let mut text = Vec::new();
    for key in keys {
        text.extend((key.len() as u32).to_le_bytes());
        text.extend(key.as_bytes());
    }
    let mut token = vec![VERSION];
    token.extend(seal.seal(&[&[VERSION]], &text)?);
    Ok(BASE64.encode(token))
}

fn open(seal: &Seal, token: &str) -> Option<Vec<String>> {
    let bytes = BASE64.decode(token).ok()?;
    let (version, sealed) = bytes.split_first()?;
    let text = seal.open(&[&[*version]], sealed).filter(|_| *version == VERSION)?;
    let (mut keys, mut rest) = (Vec::new(), text.as_slice());
    while let Some((length, behind)) = rest.split_first_chunk() {
        let (key, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        keys.push(String::from_utf8(key.to_vec()).ok()?);
        rest = behind;
    }
    Some(keys)
}

#[cfg(test)]
mod tests {
    use stoa_contract::v1::Money;

    use super::*;

    fn page(size: i64, token: &str, keys: usize, list: &[u8]) -> Result<Page> {
        Page::read(size, token, keys, Seal::new([7; 32]).within(&[list]))
    }

    fn row(amount: i64, currency: &str) -> Money {
        Money { amount, currency: currency.to_owned() }
    }

    fn keys(row: &Money) -> Vec<String> {
        vec![row.amount.to_string(), row.currency.clone()]
    }

    #[test]
    fn a_page_goes_on_behind_the_last_row_of_the_one_before() {
        let first = page(2, "", 2, b"list").unwrap();
        assert_eq!((first.after(), first.before(), first.key(1)), ("", "~", ""));
        assert_eq!(first.number(0, i64::MAX).unwrap(), i64::MAX);
        let mut rows = vec![row(9, "c"), row(7, "b\u{1f}\u{0}b"), row(5, "a")];
        let token = first.cut(&mut rows, keys).unwrap();
        assert_eq!(rows.len(), 2);
        let next = page(2, &token, 2, b"list").unwrap();
        assert_eq!((next.number(0, i64::MAX).unwrap(), next.key(1)), (7, "b\u{1f}\u{0}b"));
        assert_eq!((next.after(), next.before()), ("7", "7"));
        assert_eq!(next.cut(&mut vec![row(5, "a")], keys).unwrap(), "", "it is the last");
    }

    #[test]
    fn a_token_of_another_list_is_refused() {
        let mut rows = vec![row(9, "c"), row(7, "b")];
        let token = page(1, "", 2, b"list").unwrap().cut(&mut rows, keys).unwrap();
        page(1, &token, 2, b"list").unwrap();
        let forged = BASE64.encode([[VERSION].as_slice(), &[0; 40]].concat());
        for refused in [
            page(1, &token, 2, b"another"),
            page(1, &token, 1, b"list"),
            page(1, &token[..token.len() - 4], 2, b"list"),
            page(1, &forged, 2, b"list"),
            page(1, "~", 2, b"list"),
            page(1, "AQ", 2, b"list"),
        ] {
            assert_eq!(refused.unwrap_err().violations()[0].path, "page_token");
        }
    }

    #[test]
    fn a_page_ends_at_a_mebibyte_and_the_next_goes_on() {
        let large = |amount| row(amount, &"x".repeat(BYTES_MAX / 4));
        let mut rows: Vec<Money> = (0..6).map(large).collect();
        let token = page(5, "", 2, b"list").unwrap().cut(&mut rows, keys).unwrap();
        assert_eq!(rows.len(), 3);
        assert_eq!(page(5, &token, 2, b"list").unwrap().key(0), "2");
        let mut one = vec![row(1, &"x".repeat(2 * BYTES_MAX)), row(2, "")];
        assert!(!page(5, "", 2, b"list").unwrap().cut(&mut one, keys).unwrap().is_empty());
        assert_eq!(one.len(), 1, "a page has a row at least");
    }
}
