//! Time: microseconds since 1970 in UTC.

use std::time::Duration;

use buffa::MessageField;
use buffa_types::google::protobuf::Timestamp;

/// Microseconds since 1970-01-01 in UTC, the form in which every table keeps time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Micros(pub i64);

impl Micros {
    /// So much later.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)))
    }

    /// So much earlier.
    #[must_use]
    pub fn before(self, wait: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0).max(0) as u64)
    }

    /// As contracts write it.
    pub fn timestamp<P>(self) -> MessageField<Timestamp, P>
    where
        MessageField<Timestamp, P>: From<Timestamp>,
    {
        let nanos = (self.0.rem_euclid(1_000_000) * 1_000) as i32;
        Timestamp::from_unix(self.0.div_euclid(1_000_000), nanos).into()
    }

    /// As contracts write it, cut to microseconds; far ends are held at the ends.
    pub fn of(timestamp: &Timestamp) -> Self {
        Self(
            timestamp
                .seconds
                .saturating_mul(1_000_000)
                .saturating_add(i64::from(timestamp.nanos) / 1_000),
        )
    }
}
