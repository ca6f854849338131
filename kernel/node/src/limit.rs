//! Limits of rate, by the generic cell rate algorithm (ITU-T I.371): for each caller, each network of
//! strangers and each tenant, the time at which all that was taken so far will have been granted.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use quick_cache::sync::Cache;
use stoa_kit::{Caller, Error, Result};

use crate::Node;
use crate::tenants::Tenant;

/// Callers that are remembered. Past this, who did not come for long is forgotten, and may take
/// what one second grants at once.
const REMEMBERED: usize = 65_536;
/// What may be taken at once: so much as is granted in this time.
const BURST: u64 = NANOS;
const NANOS: u64 = 1_000_000_000;

/// The limits of a node.
pub(crate) struct Limits {
    known: Rate,
    strangers: Rate,
    /// Commits of all callers of a tenant, each with a limit of its own.
    tenants: Rate,
}

impl Limits {
    pub(crate) fn new(known: u32, strangers: u32) -> Self {
        Self { known: Rate::new(known), strangers: Rate::new(strangers), tenants: Rate::new(0) }
    }

    /// Takes one call of a caller who is known.
    pub(crate) fn take(&self, caller: &Caller, uptime: Duration) -> Result<()> {
        if caller.is_system() { Ok(()) } else { self.known.take(&caller.full_name(), uptime) }
    }

    /// Takes one call of somebody, known or not.
    pub(crate) fn take_any(&self, caller: &Caller, network: &str, uptime: Duration) -> Result<()> {
        match caller.is_anonymous() {
            true => self.take_stranger(network, uptime),
            false => self.take(caller, uptime),
        }
    }

    /// What a caller has left.
    pub(crate) fn left(
        &self, caller: &Caller, network: &str, uptime: Duration,
    ) -> Option<Allowance> {
        match caller {
            _ if caller.is_system() => None,
            _ if caller.is_anonymous() => self.strangers.left(network, uptime),
            _ => self.known.left(&caller.full_name(), uptime),
        }
    }

    /// Takes one commit of a tenant that has so many a second; 0 for no limit.
    pub(crate) fn take_commit(&self, tenant: &Tenant, uptime: Duration) -> Result<()> {
        let taken = self.tenants.take_of(&tenant.name, cost(tenant.commits_per_second), uptime);
        taken.map_err(|wait| {
            let message = "this tenant makes too many commits a second";
            Error::exhausted("tenant.rate", message, wait)
        })
    }

    /// Takes one call, or one look at a token, of somebody of whom only the network is known.
    pub(crate) fn take_stranger(&self, network: &str, uptime: Duration) -> Result<()> {
        self.strangers.take(network, uptime)
    }

    /// Gives back what a stranger took who turned out to be none.
    pub(crate) fn give_back(&self, network: &str) {
        self.strangers.give_back(network);
    }
}

impl Node {
    /// Waits until somebody may make one more call, and takes it.
    pub(crate) async fn pace(&self, caller: &Caller, network: &str) {
        while let Err(full) = self.limits.take_any(caller, network, self.world.uptime()) {
            self.world.sleep(full.retry_after().unwrap_or(Duration::from_millis(1))).await;
        }
    }
}

/// Calls that somebody may make, where they are limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// How many a second.
    pub per_second: u64,
    /// How many now.
    pub left: u64,
    /// When it is all of them again, if none is made.
    pub whole_in: Duration,
}

/// One limit, for many who are counted apart.
struct Rate {
    /// Nanoseconds that each call costs; 0 for no limit.
    cost: u64,
    /// For each of them, the uptime in nanoseconds until which what they took is spread.
    taken: Cache<String, Arc<AtomicU64>>,
}

impl Rate {
    fn new(per_second: u32) -> Self {
        Self { cost: cost(per_second), taken: Cache::new(REMEMBERED) }
    }

    fn take(&self, name: &str, uptime: Duration) -> Result<()> {
        let taken = self.take_of(name, self.cost, uptime);
        taken.map_err(|wait| Error::exhausted("node.rate", "too many calls a second", wait))
    }

    /// Takes something of this cost; how long to wait where it is too much.
    fn take_of(&self, name: &str, cost: u64, uptime: Duration) -> Result<(), Duration> {
        if cost == 0 {
            return Ok(());
        }
        let now = u64::try_from(uptime.as_nanos()).unwrap_or(u64::MAX);
        let after = |until: u64| until.max(now) + cost;
        let granted = self.of(name).fetch_update(Relaxed, Relaxed, |until| {
            (after(until) <= now + BURST).then(|| after(until))
        });
        let wait = |until| Duration::from_nanos(after(until).saturating_sub(now + BURST));
        granted.map(drop).map_err(wait)
    }

    fn left(&self, name: &str, uptime: Duration) -> Option<Allowance> {
        let per_second = BURST.checked_div(self.cost)?;
        let now = u64::try_from(uptime.as_nanos()).unwrap_or(u64::MAX);
        let taken = self.of(name).load(Relaxed).saturating_sub(now);
        let left = BURST.saturating_sub(taken) / self.cost;
        Some(Allowance { per_second, left, whole_in: Duration::from_nanos(taken) })
    }

    fn give_back(&self, name: &str) {
        if let Some(until) = self.taken.get(name) {
            until.fetch_sub(self.cost.min(until.load(Relaxed)), Relaxed);
        }
    }

    fn of(&self, name: &str) -> Arc<AtomicU64> {
        let Ok(until) = self.taken.get_or_insert_with(name, || Ok::<_, Infallible>(Arc::default()));
        until
    }
}

/// Nanoseconds that each of so many a second costs; 0 for no limit.
fn cost(per_second: u32) -> u64 {
    NANOS.checked_div(per_second.into()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_what_a_second_grants_and_it_comes_back_with_time() {
        let limits = Limits::new(0, 10);
        let mut now = Duration::from_secs(3);
        let taken = |name: &str, now| {
            (0..100).take_while(|_| limits.take_stranger(name, now).is_ok()).count()
        };
        assert_eq!((taken("a", now), taken("b", now)), (10, 10));
        let wait = limits.take_stranger("a", now).unwrap_err().retry_after();
        assert_eq!(wait, Some(Duration::from_millis(100)));
        now += Duration::from_millis(200);
        assert_eq!(taken("a", now), 2);
        limits.give_back("a");
        assert_eq!(taken("a", now), 1);
        now += Duration::from_secs(100);
        assert_eq!(taken("a", now), 10, "no more is saved up");
        let caller = Caller::of("main", "user:usr_1", &[]);
        assert!((0..1_000).all(|_| limits.take(&caller, now).is_ok()), "0 is no limit");
        assert_eq!(limits.left(&caller, "b", now), None);
    }

    #[test]
    fn what_is_left_is_what_can_be_taken() {
        let (limits, caller) = (Limits::new(10, 0), Caller::of("main", "user:usr_1", &[]));
        let now = Duration::from_secs(3);
        let left =
            |now| limits.left(&caller, "a", now).map(|is| (is.left, is.whole_in.as_millis()));
        assert_eq!(left(now), Some((10, 0)));
        for taken in 1..=10 {
            limits.take(&caller, now).unwrap();
            assert_eq!(left(now), Some((10 - taken, u128::from(taken) * 100)));
        }
        limits.take(&caller, now).unwrap_err();
        assert_eq!(left(now + Duration::from_millis(250)), Some((2, 750)));
    }
}
