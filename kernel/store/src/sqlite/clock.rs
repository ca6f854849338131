//! The time of a cell on one machine: the clock's, told so that a later commit has no earlier time.
//!
//! A clock that is set back a little, as time servers do, is waited for: stamps stay ahead of it
//! by a second at the most. One that is set back further was wrong before, and is followed at once:
//! whoever held on to it would date all commits of a day tomorrow, and let nothing come due.
//! Positions order commits; time does not.

use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Duration;

use stoa_kit::{Micros, World};

/// How far stamps may be ahead of the clock.
const LEAD_MAX: Duration = Duration::from_secs(1);

/// The latest stamp that was given.
#[derive(Default)]
pub(super) struct Clock(AtomicI64);

impl Clock {
    /// Goes on behind the last commit of an earlier run.
    pub(super) fn resume(&self, last: Micros) {
        self.0.store(last.0, Release);
    }

    /// A stamp for the writer, the only one who asks: not before the one before it.
    pub(super) fn stamp(&self, world: &dyn World) -> Micros {
        let (clock, last) = (world.now(), Micros(self.0.load(Acquire)));
        let stamp = told(clock, last);
        if stamp < last {
            tracing::warn!(by = ?last.since(clock), "the clock was set back, and is followed");
        }
        self.0.store(stamp.0, Release);
        stamp
    }

    /// The time now: not before any stamp that was given, but for those of a clock that was wrong.
    pub(super) fn now(&self, world: &dyn World) -> Micros {
        told(world.now(), Micros(self.0.load(Acquire)))
    }
}

/// The clock's time, or the least that it may be where the clock is only a little behind that.
fn told(clock: Micros, least: Micros) -> Micros {
    if least.since(clock) <= LEAD_MAX { clock.max(least) } else { clock }
}
