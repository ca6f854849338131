//! Secrets: references that stand for what is about people.
//!
//! A value is sealed with the key of whom it is about, which the key ring keeps and `EraseSubject`
//! destroys; there is no other key here. What it is found by, its fingerprint, is not sealed, and so is
//! let go of in the commit of an erasure.
//!
//! **Invariant:** a value is shown for one of the purposes that it was wrapped for, and whoever asks
//! for it, and why, is in the log.
//!
//! **Invariant:** a value is in one row and nowhere else: in no event, reply that is remembered, token
//! of a page or line of a log.
//!
//! **Invariant:** a sealed value opens only as the value of its reference, of its kind.

#![forbid(unsafe_code)]

mod api;
mod store;

use stoa_kit::{Migration, Service};
use stoa_secrets_v1::{DeleteExpiredRequest, Reference};

const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_references", include_str!("../migrations/0001_references.sql"))];

/// Keeps references that stand for what is about people.
pub fn service() -> Service {
    Service::new(api::methods())
        .examples(include_str!("../examples.yaml"))
        .migrations(MIGRATIONS)
        .erases(store::erase)
        .due(
            "delete_expired",
            |view| view.earliest::<Reference>("expire_time"),
            &DeleteExpiredRequest::default(),
        )
}
