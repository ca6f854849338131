//! Lanes: where commands of a method keep colliding, the one that keeps losing goes alone.
//!
//! A transaction that loses a conflict is run again, and on a hot row most lose: some would lose
//! until nobody waits for them any more. So the commands of a method with many conflicts take an
//! advisory lock of tenant and method before BEGIN, at first all together; one that has lost a
//! few times takes it for itself. It begins when those under way have ended, while those that
//! come later wait, and so cannot lose again.
//!
//! Where more are lost than kept, all of them take turns for a while. To do so all the time would
//! waste less, and commit less: each holds the lock until it is flushed to disk. That they do not
//! collide then says little of how it would go together, and counts accordingly.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The share of attempts lost to conflicts, as a moving average, above which a lane is open.
const HOT: f32 = 0.2;
/// The share above which everybody goes alone: more attempts are lost than kept.
const ALONE: f32 = 0.5;
/// How much one attempt counts in the average.
const WEIGHT: f32 = 0.02;
/// How much one counts that succeeded while all take turns.
const WEIGHT_ALONE: f32 = 0.002;
/// After so many losses a command goes alone.
const LOSSES: u32 = 4;

/// The lanes of a node, by method.
#[derive(Default)]
pub(super) struct Lanes(Mutex<HashMap<&'static str, Lane>>);

/// How it goes with a method.
#[derive(Default, Clone, Copy)]
struct Lane {
    /// The share of attempts lost.
    heat: f32,
    /// Whether all take turns.
    alone: bool,
}

impl Lanes {
    /// What a command has to do before it begins, if anything: to take a lock that it leaves
    /// with [`LEAVE`].
    pub(super) fn enter(&self, tenant: &str, method: &'static str, losses: u32) -> Option<String> {
        let lane = self.lanes().get(method).copied().unwrap_or_default();
        let alone = lane.alone || losses >= LOSSES;
        (lane.heat > HOT || alone).then(|| {
            let mut hash = blake3::Hasher::new();
            hash.update(tenant.as_bytes()).update(&[0]).update(method.as_bytes());
            let hash = hash.finalize();
            let key = hash.as_bytes()[..8].iter().fold(0, |all, byte| all << 8 | i64::from(*byte));
            let shared = if alone { "" } else { "_shared" };
            format!("SELECT pg_advisory_lock{shared}({key})")
        })
    }

    /// Counts an attempt of a method, and whether it was lost to a conflict.
    pub(super) fn count(&self, method: &'static str, lost: bool) {
        let mut lanes = self.lanes();
        let lane = lanes.entry(method).or_default();
        let weight = if lane.alone && !lost { WEIGHT_ALONE } else { WEIGHT };
        lane.heat += (f32::from(u8::from(lost)) - lane.heat) * weight;
        lane.alone = lane.heat > ALONE || (lane.alone && lane.heat > HOT);
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<&'static str, Lane>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves a lane.
pub(super) const LEAVE: &str = "SELECT pg_advisory_unlock_all()";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_opens_with_conflicts_and_closes_without() {
        let lanes = Lanes::default();
        for attempt in 0..100 {
            lanes.count("quiet", false);
            lanes.count("hot", attempt % 3 == 0);
            lanes.count("hopeless", true);
        }
        assert_eq!(lanes.enter("main", "quiet", 0), None);
        let lock = lanes.enter("main", "hot", 0).unwrap();
        assert!(lock.contains("lock_shared("), "{lock}");
        assert_eq!(lanes.enter("main", "hot", 1).as_ref(), Some(&lock));
        assert_ne!(lanes.enter("other", "hot", 0), Some(lock), "tenants do not wait for others");
        let lock = lanes.enter("main", "hopeless", 0).unwrap();
        assert!(lock.contains("lock("), "{lock}");
        for _ in 0..200 {
            lanes.count("hot", false);
            lanes.count("hopeless", false);
        }
        assert_eq!(lanes.enter("main", "hot", 0), None);
        assert_eq!(lanes.enter("main", "hopeless", 0), Some(lock), "they take turns for a while");
        for _ in 0..1_000 {
            lanes.count("hopeless", false);
        }
        let lock = lanes.enter("main", "hopeless", 0);
        assert!(lock.is_none_or(|lock| lock.contains("lock_shared(")));
    }

    #[test]
    fn whoever_keeps_losing_goes_alone() {
        let lock = Lanes::default().enter("main", "cool", LOSSES).unwrap();
        assert!(lock.contains("lock("), "{lock}");
    }
}
