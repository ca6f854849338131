//! What can be done with an amount of money without losing any.

use iso_currency::Currency;

use crate::v1::Money;

impl Money {
    /// The amount as people write it, by the digits that ISO 4217 gives its currency: `12.34 USD`.
    pub fn words(&self) -> String {
        let Self { amount, currency } = self;
        // What is no currency of today's list is written like most that are.
        let digits = Currency::from_code(currency).map_or(2, |known| known.exponent().unwrap_or(0));
        let (digits, sign) = (usize::from(digits), if *amount < 0 { "-" } else { "" });
        let all = format!("{:0>least$}", amount.unsigned_abs(), least = digits + 1);
        let (whole, part) = all.split_at(all.len() - digits);
        let point = if digits == 0 { "" } else { "." };
        format!("{sign}{whole}{point}{part} {currency}")
    }

    /// The sum; none for amounts of two currencies, or for more than an amount can hold.
    pub fn plus(&self, other: &Self) -> Option<Self> {
        let same = self.currency == other.currency;
        let amount = self.amount.checked_add(other.amount).filter(|_| same)?;
        Some(Self { amount, ..self.clone() })
    }

    /// So many times the amount; none for more than an amount can hold.
    pub fn times(&self, count: i64) -> Option<Self> {
        Some(Self { amount: self.amount.checked_mul(count)?, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(amount: i64, currency: &str) -> Money {
        Money { amount, currency: currency.to_owned() }
    }

    #[test]
    fn amounts_are_written_with_the_digits_of_their_currency() {
        for (amount, currency, words) in [
            (1234, "USD", "12.34 USD"),
            (5, "SEK", "0.05 SEK"),
            (-5, "SEK", "-0.05 SEK"),
            (0, "EUR", "0.00 EUR"),
            (1234, "JPY", "1234 JPY"),
            (-1, "JPY", "-1 JPY"),
            (1234, "KWD", "1.234 KWD"),
            (1234, "CLF", "0.1234 CLF"),
            (7, "XAU", "7 XAU"),
            (1234, "QQQ", "12.34 QQQ"),
            (i64::MIN, "USD", "-92233720368547758.08 USD"),
        ] {
            assert_eq!(money(amount, currency).words(), words);
        }
    }

    #[test]
    fn sums_keep_their_currency_and_their_bounds() {
        assert_eq!(money(2, "USD").plus(&money(3, "USD")), Some(money(5, "USD")));
        assert_eq!(money(2, "USD").plus(&money(3, "EUR")), None);
        assert_eq!(money(i64::MAX, "USD").plus(&money(1, "USD")), None);
        assert_eq!(money(-2, "USD").times(3), Some(money(-6, "USD")));
        assert_eq!(money(i64::MAX, "USD").times(2), None);
    }
}
