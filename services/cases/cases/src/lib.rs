//! Cases: what happened in each, in order, and valid.
//!
//! A case is a log. An event is appended in one commit with the check against its schema and with the
//! references that stand for what is secret of it; who follows cases is told of each, and reads it here.
//!
//! **Invariant:** what is in a case was valid, under the schema that it names.
//!
//! **Invariant:** the sequences of a case are 1, 2, 3 … without a gap, and an event of a source is there
//! once, in whichever case. What is sent again gets the reply that it got first.
//!
//! **Invariant:** what a schema says is secret is in no row, event or error: a reference is. What a refusal
//! tells of data is where it is wrong, and never what stands there.

#![forbid(unsafe_code)]

mod api;
mod model;
mod store;

use stoa_cases_v1::{DeleteExpiredRequest, Rejected};
use stoa_kit::{Migration, Service};

const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_cases", include_str!("../migrations/0001_cases.sql"))];

/// Keeps the log of each case.
pub fn service() -> Service {
    Service::new(stoa_cases_v1::serve(api::Cases))
        .examples(include_str!("../examples.yaml"))
        .needs(&["schemas", "secrets"])
        .migrations(MIGRATIONS)
        .erases(store::erase)
        .due(
            "delete_expired",
            |view| view.earliest::<Rejected>("expire_time"),
            &DeleteExpiredRequest::default(),
        )
}
