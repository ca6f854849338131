//! Scheduler: methods that are called at a time, or again and again.
//!
//! A schedule belongs to whoever created it. Its calls are made in their name, by what they may when the
//! time comes: over the same door, to the same rules, as if they had called. What was created with a key
//! reaches no further than the key. A schedule whose calls are refused for that pauses, and says why.
//!
//! **Invariant:** a time of a schedule comes once, however many nodes there are, whatever their clocks
//! say, and however often they are killed: the occurrence, the job that makes its call and the next
//! time are one commit. The call has a key of its own, the same in every attempt.
//!
//! **Invariant:** a schedule never does what its owner may not.

#![forbid(unsafe_code)]

mod api;
mod fire;
mod model;
mod run;
mod store;

use stoa_kit::{Migration, Service};
use stoa_scheduler_v1::{DeleteExpiredRequest, FireDueRequest, Occurrence, RunOccurrenceRequest};

const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_schedules", include_str!("../migrations/0001_schedules.sql"))];

/// Calls methods at the times that its users say.
pub fn service() -> Service {
    Service::new(stoa_scheduler_v1::serve(api::Scheduler))
        .examples(include_str!("../examples.yaml"))
        .migrations(MIGRATIONS)
        .erases(store::erase)
        .invokes()
        .due("fire", store::next_time, &FireDueRequest::default())
        .due(
            "delete_expired",
            |view| view.earliest::<Occurrence>("expire_time"),
            &DeleteExpiredRequest::default(),
        )
        .outcome::<RunOccurrenceRequest>(run::settled)
}
