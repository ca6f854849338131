//! Lanes: where commands of a method keep colliding, they queue up before they begin.
//!
//! A transaction that loses a conflict has done its work for nothing, and under load most lose.
//! So a method with many conflicts gets a lane for a while: its commands take an advisory lock
//! of tenant and method before BEGIN, so that each starts with a snapshot that holds what the
//! one before it wrote. After some thousand commands they run freely again, and a method that is
//! still hot is back in its lane after a few dozen conflicts.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The share of attempts lost to conflicts, as a moving average, that opens a lane.
const HOT: f32 = 0.2;
/// How much one attempt counts in the average.
const WEIGHT: f32 = 0.04;
/// How many commands run through a lane before it is tried without.
const COMMANDS: u32 = 4_000;

/// The lanes of a node.
#[derive(Default)]
pub(super) struct Lanes(Mutex<HashMap<&'static str, Lane>>);

#[derive(Default)]
struct Lane {
    heat: f32,
    left: u32,
}

impl Lanes {
    /// The advisory lock that a command of this method has to take, if any.
    pub(super) fn lock(&self, tenant: &str, method: &'static str) -> Option<i64> {
        let open = self.lanes().get(method).is_some_and(|lane| lane.left > 0);
        open.then(|| {
            let mut hash = blake3::Hasher::new();
            hash.update(tenant.as_bytes()).update(&[0]).update(method.as_bytes());
            let first = hash.finalize().as_bytes().iter().take(8).copied().collect::<Vec<_>>();
            first.iter().fold(0, |all, byte| all << 8 | i64::from(*byte))
        })
    }

    /// Counts an attempt of a method, and whether it was lost to a conflict.
    pub(super) fn count(&self, method: &'static str, lost: bool) {
        let mut lanes = self.lanes();
        let lane = lanes.entry(method).or_default();
        lane.left = lane.left.saturating_sub(1);
        lane.heat += (f32::from(u8::from(lost)) - lane.heat) * WEIGHT;
        if lane.heat > HOT && lane.left == 0 {
            tracing::debug!(method, "conflicts are frequent: its commands queue up for a while");
            *lane = Lane { heat: 0.0, left: COMMANDS };
        }
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<&'static str, Lane>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_opens_with_conflicts_and_closes_again() {
        let lanes = Lanes::default();
        for _ in 0..100 {
            lanes.count("quiet", false);
            lanes.count("hot", true);
        }
        assert_eq!(lanes.lock("main", "quiet"), None);
        let lock = lanes.lock("main", "hot");
        assert!(lock.is_some() && lock == lanes.lock("main", "hot"));
        assert_ne!(lock, lanes.lock("other", "hot"), "tenants do not wait for one another");
        for _ in 0..COMMANDS {
            lanes.count("hot", false);
        }
        assert_eq!(lanes.lock("main", "hot"), None);
    }
}
