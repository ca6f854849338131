//! Limits of rate: a token bucket for each caller, and for each address of nobody in particular.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use stoa_kit::{Caller, Error, Result};

/// Callers that are remembered; past this, those whose bucket is full are forgotten.
const BUCKETS_MAX: usize = 65_536;

/// The limits of a node.
pub(crate) struct Limits {
    known: f64,
    anonymous: f64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

struct Bucket {
    left: f64,
    at: Duration,
}

impl Limits {
    pub(crate) fn new(known: u32, anonymous: u32) -> Self {
        Self { known: known.into(), anonymous: anonymous.into(), buckets: Mutex::default() }
    }

    /// Takes one call from a caller's bucket, which holds what one second grants.
    pub(crate) fn take(&self, caller: &Caller, address: &str, uptime: Duration) -> Result<()> {
        let (rate, name) = if caller.is_anonymous() {
            (self.anonymous, address)
        } else {
            (self.known, &*caller.subject)
        };
        if rate == 0.0 || caller.is_system() {
            return Ok(());
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX {
            buckets.retain(|_, bucket| uptime.saturating_sub(bucket.at).as_secs() < 1);
        }
        let bucket = buckets.entry(name.to_owned()).or_insert(Bucket { left: rate, at: uptime });
        let gained = uptime.saturating_sub(bucket.at).as_secs_f64() * rate;
        bucket.left = (bucket.left + gained).min(rate);
        bucket.at = uptime;
        if bucket.left < 1.0 {
            let wait = Duration::from_secs_f64((1.0 - bucket.left) / rate);
            return Err(Error::exhausted("node.rate", "too many calls a second", wait));
        }
        bucket.left -= 1.0;
        Ok(())
    }
}
