//! The purchases of CDNOW's customers, from the file that comes with the binary.

use std::io::Read;

use stoa_contract::Code;
use stoa_kit::{Error, Result};

/// Every purchase between January 1997 and June 1998 of everybody who began in the first quarter.
const FILE: &[u8] = include_bytes!("../../../examples/cdnow/CDNOW_master.txt.gz");

/// One line of the file. Two that are the same are two purchases: somebody bought twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Purchase {
    /// Its line in the file, the first one after the header being 1.
    pub(crate) line: u32,
    /// The customer's number.
    pub(crate) customer: u32,
    /// The day, as `19970101`.
    pub(crate) day: u32,
    /// How many CDs.
    pub(crate) quantity: i64,
    /// What they cost, in cents.
    pub(crate) cents: i64,
}

impl Purchase {
    /// The customer's handle.
    pub(crate) fn handle(&self) -> String {
        format!("cdnow-{:05}", self.customer)
    }

    /// The beginning of the day.
    pub(crate) fn time(&self) -> String {
        let (year, month, day) = (self.day / 10_000, self.day / 100 % 100, self.day % 100);
        format!("{year:04}-{month:02}-{day:02}T00:00:00Z")
    }
}

/// The first purchases in the order of their dates.
///
/// # Errors
/// Where the file is damaged.
pub(crate) fn purchases(count: usize) -> Result<Vec<Purchase>> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(FILE).read_to_string(&mut text).map_err(Error::internal)?;
    let lines = (1..).zip(text.lines().skip(1)).filter(|(_, text)| !text.trim().is_empty());
    let mut purchases: Vec<Purchase> =
        lines.map(|(line, text)| parse(line, text)).collect::<Result<_>>()?;
    purchases.sort_by_key(|purchase| (purchase.day, purchase.line));
    purchases.truncate(count);
    Ok(purchases)
}

fn parse(line: u32, text: &str) -> Result<Purchase> {
    let damaged =
        || Error::new(Code::DataLoss, "demo.file", format!("line {line} is damaged: `{text}`"));
    let mut words = text.split_whitespace();
    let mut word = || words.next().ok_or_else(damaged);
    let (customer, day, quantity, value) = (word()?, word()?, word()?, word()?);
    Ok(Purchase {
        line,
        customer: customer.parse().map_err(|_| damaged())?,
        day: day.parse().map_err(|_| damaged())?,
        quantity: quantity.parse().map_err(|_| damaged())?,
        cents: cents(value).ok_or_else(damaged)?,
    })
}

/// An amount of dollars with two decimals, as cents. Money never passes through a float.
fn cents(value: &str) -> Option<i64> {
    let (dollars, cents) = value.split_once('.')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if cents.len() != 2 || dollars.is_empty() || !digits(dollars) || !digits(cents) {
        return None;
    }
    dollars.parse::<i64>().ok()?.checked_mul(100)?.checked_add(cents.parse().ok()?)
}

/// Cents as dollars with two decimals.
pub(crate) fn dollars(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_what_its_readme_says() {
        let all = purchases(usize::MAX).unwrap();
        let customers: std::collections::BTreeSet<u32> = all.iter().map(|p| p.customer).collect();
        assert_eq!(all.len(), 69_659);
        assert_eq!(customers.len(), 23_570);
        assert_eq!(all.iter().map(|p| p.quantity).sum::<i64>(), 167_881);
        assert_eq!(dollars(all.iter().map(|p| p.cents).sum()), "2500315.63");
        assert_eq!(all.iter().filter(|p| p.cents == 0).count(), 80);
        assert!(all.is_sorted_by_key(|p| p.day));
    }

    #[test]
    fn cents_are_exact_or_refused() {
        assert_eq!(cents("11.77"), Some(1177));
        assert_eq!(cents("0.00"), Some(0));
        for wrong in ["11.7", "11", "-1.00", ".50", "1.005", "1e2.00", "+1.00"] {
            assert_eq!(cents(wrong), None, "{wrong}");
        }
        assert_eq!(dollars(-5), "-0.05");
    }
}
