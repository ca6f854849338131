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

    /// The amount that somebody wrote, as [`words`](Self::words) writes it: `12.34 USD`, `12USD`.
    ///
    /// # Errors
    /// What is wrong with it, for people: a currency that is none of ISO 4217, more digits than it
    /// has, or thousands that are set apart, which mean something else in another country.
    pub fn read(text: &str) -> Result<Self, String> {
        let start = text.find(|sign: char| sign.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, code) = (text[..start].trim(), &text[start..]);
        let digits = match Currency::from_code(code) {
            Some(known) => usize::from(known.exponent().unwrap_or(0)),
            None if code.is_empty() => return Err(format!("write its currency too: {text}EUR")),
            None => return Err(format!("`{code}` is not a currency of ISO 4217")),
        };
        let (sign, plain) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
        let (whole, part) = plain.split_once('.').unwrap_or((plain, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let ends = plain.contains('.') == part.is_empty();
        if whole.is_empty() || ends || !is_number(whole) || !is_number(part) {
            return Err(
                "write the amount as 1234.50EUR, without signs between thousands".to_owned()
            );
        }
        if part.len() > digits {
            return Err(format!("{code} has {digits} digits after the point"));
        }
        let amount = format!("{sign}{whole}{part:0<digits$}").parse();
        let amount = amount.map_err(|_| "more than an amount can hold".to_owned())?;
        Ok(Self { amount, currency: code.to_owned() })
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
    fn what_is_written_is_read() {
        for (text, amount, currency) in [
            ("11.77EUR", 1177, "EUR"),
            ("11.7 EUR", 1170, "EUR"),
            ("11EUR", 1100, "EUR"),
            ("-0.05 SEK", -5, "SEK"),
            ("1500JPY", 1500, "JPY"),
            ("1.234 KWD", 1234, "KWD"),
            ("-92233720368547758.08 USD", i64::MIN, "USD"),
        ] {
            assert_eq!(Money::read(text), Ok(money(amount, currency)), "{text}");
        }
        for (text, said) in [
            ("11.77", "write its currency too: 11.77EUR"),
            ("", "write its currency too: EUR"),
            ("1,500 JPY", "write the amount as 1234.50EUR"),
            ("1 500 JPY", "write the amount as 1234.50EUR"),
            ("EUR", "write the amount as 1234.50EUR"),
            (".5EUR", "write the amount as 1234.50EUR"),
            ("5.EUR", "write the amount as 1234.50EUR"),
            ("--5EUR", "write the amount as 1234.50EUR"),
            ("1.001EUR", "EUR has 2 digits after the point"),
            ("1.5JPY", "JPY has 0 digits after the point"),
            ("5eur", "`eur` is not a currency"),
            ("5EURO", "`EURO` is not a currency"),
            ("92233720368547758.08 USD", "more than an amount can hold"),
        ] {
            let found = Money::read(text).expect_err(text);
            assert!(found.contains(said), "{text}: {found}");
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
