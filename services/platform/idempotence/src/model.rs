//! The rules: what becomes of a key that is claimed again.

use std::time::Duration;

use stoa_idempotence_v1::{Claim, Reason, State};
use stoa_kit::{Micros, Reason as _, Result};

/// How long nobody else is given a key, if nothing is said.
const LEASE_SECONDS: u32 = 30;
/// How long a result is remembered, if nothing is said.
const TTL_SECONDS: i32 = 24 * 60 * 60;

/// How long nobody else is given a key.
pub(crate) fn lease(seconds: i32) -> Duration {
    let seconds = seconds.unsigned_abs();
    Duration::from_secs(u64::from(if seconds == 0 { LEASE_SECONDS } else { seconds }))
}

/// How long a result is remembered, in seconds.
pub(crate) fn ttl_seconds(asked: i32) -> i32 {
    if asked == 0 { TTL_SECONDS } else { asked }
}

/// A claim that nobody works on from a time on: until then it is leased, and then remembered.
pub(crate) fn until(claim: Claim, end: Micros) -> Claim {
    let ttl = Duration::from_secs(claim.ttl_seconds.unsigned_abs().into());
    Claim { lease_expire_time: end.timestamp(), expire_time: end.after(ttl).timestamp(), ..claim }
}

/// The claim that a fence belongs to, if nobody overtook its holder.
///
/// A lease that ended makes no fence stale: as long as nobody else has claimed the key, there is
/// nobody whom its holder could be in the way of.
pub(crate) fn held(claim: Option<Claim>, fence: i64) -> Result<Claim> {
    let held = claim.filter(|claim| claim.state == State::Held && claim.fence == fence);
    held.ok_or_else(|| Reason::StaleFence.because("this fence holds the key no more"))
}

/// Reads a fence as callers send it with what they do, `<fence>:<scope>:<key>`. A scope with a colon
/// cannot be said.
pub(crate) fn fence(said: &str) -> Result<(i64, &str, &str)> {
    let parts = said.split_once(':').and_then(|(fence, rest)| {
        let (scope, key) = rest.split_once(':')?;
        Some((fence.parse().ok()?, scope, key))
    });
    parts.ok_or_else(|| Reason::StaleFence.because("a fence is `<fence>:<scope>:<key>`"))
}

/// What becomes of a key that was claimed before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is the caller's. Somebody may have worked under it before and not ended it.
    Taken { retaken: bool },
    /// Somebody is at work for so long.
    InProgress(Duration),
    /// The work is done.
    Done,
    /// It came with another request.
    Conflict,
}

/// Decides about a key that is claimed again, with a fingerprint.
pub(crate) fn decide(claim: &Claim, fingerprint: &[u8], now: Micros) -> Decision {
    let is = |state: State| claim.state == state;
    if is(State::Released) || Micros::of(&claim.expire_time) <= now {
        return Decision::Taken { retaken: is(State::Held) };
    }
    if claim.fingerprint != fingerprint {
        return Decision::Conflict;
    }
    let lease = Micros::of(&claim.lease_expire_time);
    match (is(State::Done), lease.since(now)) {
        (true, _) => Decision::Done,
        (false, Duration::ZERO) => Decision::Taken { retaken: true },
        (false, left) => Decision::InProgress(left),
    }
}
