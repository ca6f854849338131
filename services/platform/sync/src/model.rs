//! What is meant where nothing is said, and what is over.

use std::time::Duration;

use stoa_kit::{Error, Micros, Reason as _, Result};
use stoa_sync_v1::{Lease, LeaseState, Lock, Reason};

/// How many stand in line for one lock at most.
pub(crate) const LINE_MAX: i32 = 1_000;
/// How long a lock or a barrier is remembered that nobody uses.
pub(crate) const IDLE: Duration = Duration::from_secs(60 * 60);
/// More than the numbers that one lock draws in a second.
const A_SECOND: i64 = 1_000_000;
/// How long a lock is held, if nothing is said.
const LEASE_SECONDS: i32 = 30;
/// How long a party waits at a barrier, if nothing is said.
const PARTY_SECONDS: i32 = 60;

/// What was asked for, or this where nothing was said.
pub(crate) fn or(asked: i32, otherwise: i32) -> i32 {
    if asked == 0 { otherwise } else { asked }
}

pub(crate) fn lease_seconds(asked: i32) -> i32 {
    or(asked, LEASE_SECONDS)
}

pub(crate) fn party_life(asked: i32) -> Duration {
    seconds(or(asked, PARTY_SECONDS))
}

/// How long a lease is good for from when it is begun or renewed.
pub(crate) fn life(lease: &Lease) -> Duration {
    seconds(if lease.state == LeaseState::Held { lease.lease_seconds } else { lease.wait_seconds })
}

fn seconds(count: i32) -> Duration {
    Duration::from_secs(count.unsigned_abs().into())
}

pub(crate) fn is_over(lease: &Lease, now: Micros) -> bool {
    Micros::of(&lease.expire_time) <= now
}

/// Whether a lock has so many permits left.
pub(crate) fn fits(lock: &Lock, permits: i32) -> bool {
    lock.held + permits <= lock.permits
}

/// A number greater than all before it: it begins with the second in which it is drawn, so that it is also greater
/// than those of a lock that was forgotten, and than those that a store drew since it was backed up.
pub(crate) fn next_number(last: i64, now: Micros) -> i64 {
    let second = now.0 - now.0 % A_SECOND;
    second.max(last + 1)
}

pub(crate) fn lost() -> Error {
    Reason::LeaseLost.because("this lease is over")
}

pub(crate) fn unused() -> Error {
    Reason::Unused.because("nobody uses it")
}

/// Reads a fence as callers send it with what they do, `<fence>:<lock>`.
pub(crate) fn fence(said: &str) -> Result<(i64, &str)> {
    let parts = said.split_once(':').and_then(|(fence, lock)| Some((fence.parse().ok()?, lock)));
    parts.ok_or_else(|| Reason::LeaseLost.because("a fence is `<fence>:<lock>`"))
}
