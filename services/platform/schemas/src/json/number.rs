//! Numbers of JSON as they are written, without a detour over binary fractions: 0.0075 is a multiple of
//! 0.0001.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// A number: `digits` × 10^`scale`, with no zero at the end of its digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Decimal {
    digits: i128,
    scale: i32,
}

impl Decimal {
    pub(crate) const ONE: Self = Self { digits: 1, scale: 0 };

    /// What a number of JSON says. Its text is the shortest that stands for it, so that what was written
    /// with up to 17 digits is found again.
    pub(crate) fn of(number: &Number) -> Self {
        if let Some(whole) = number.as_i64() {
            return Self { digits: whole.into(), scale: 0 }.short();
        }
        let text = number.to_string();
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}").parse().unwrap_or_default();
        let scale = exponent.parse::<i32>().unwrap_or_default() - fraction.len() as i32;
        Self { digits, scale }.short()
    }

    fn short(mut self) -> Self {
        if self.digits == 0 {
            return Self { digits: 0, scale: 0 };
        }
        while self.digits % 10 == 0 {
            self.digits /= 10;
            self.scale += 1;
        }
        self
    }

    /// Whether it has no fraction.
    pub(crate) fn is_whole(self) -> bool {
        self.scale >= 0
    }

    /// It as a count, where it is one; the largest there is where it is larger.
    pub(crate) fn count(self) -> Option<u64> {
        if self.digits < 0 || self.scale < 0 {
            return None;
        }
        let shifted = power(self.scale).and_then(|tens| self.digits.checked_mul(tens));
        Some(shifted.and_then(|count| count.try_into().ok()).unwrap_or(u64::MAX))
    }

    /// Whether it is some whole number of times the other one, which is above 0.
    pub(crate) fn is_multiple_of(self, other: Self) -> bool {
        let by = other.digits.unsigned_abs();
        let shift = self.scale - other.scale;
        if self.digits == 0 || by == 0 {
            return self.digits == 0;
        }
        if shift < 0 {
            // Its digits end with no zero, but may be even, or end with 5.
            let tens = power(-shift).map(i128::unsigned_abs);
            let all = tens.and_then(|tens| tens.checked_mul(by));
            return all.is_some_and(|all| self.digits.unsigned_abs().is_multiple_of(all));
        }
        let mut rest = self.digits.unsigned_abs() % by;
        for _ in 0..shift {
            let Some(next) = rest.checked_mul(10) else { return false };
            rest = next % by;
            if rest == 0 {
                return true;
            }
        }
        rest == 0
    }

    /// Where its first digit stands.
    fn rank(self) -> i32 {
        self.digits.unsigned_abs().checked_ilog10().unwrap_or_default() as i32 + self.scale
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = self.digits.signum().cmp(&other.digits.signum());
        if sign.is_ne() || self.digits == 0 {
            return sign;
        }
        let rank = self.rank().cmp(&other.rank());
        let size = rank.then_with(|| {
            let low = self.scale.min(other.scale);
            let shifted = |of: &Self| {
                // Both have at most 20 digits, and begin at the same place.
                let tens = power(of.scale - low).unwrap_or(i128::MAX);
                of.digits.unsigned_abs().saturating_mul(tens.unsigned_abs())
            };
            shifted(self).cmp(&shifted(other))
        });
        if self.digits < 0 { size.reverse() } else { size }
    }
}

fn power(tens: i32) -> Option<i128> {
    10_i128.checked_pow(tens.try_into().ok()?)
}

/// Whether two values of JSON are the same: 1 is 1.0.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => Decimal::of(left) == Decimal::of(right),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(one, two)| same(one, two))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, one)| right.get(name).is_some_and(|two| same(one, two)))
        }
        _ => left == right,
    }
}

/// A text that the same values have in common, and no others.
pub(crate) fn canonical(value: &Value) -> String {
    match value {
        Value::Number(number) => {
            let Decimal { digits, scale } = Decimal::of(number);
            format!("{digits}e{scale}")
        }
        Value::Array(all) => {
            let all: Vec<_> = all.iter().map(canonical).collect();
            format!("[{}]", all.join(","))
        }
        Value::Object(all) => {
            let mut all: Vec<_> =
                all.iter().map(|(name, one)| format!("{name:?}:{}", canonical(one))).collect();
            all.sort();
            format!("{{{}}}", all.join(","))
        }
        other => other.to_string(),
    }
}
