//! Idempotence: what programs outside do is done once.
//!
//! The kernel remembers replies of its own methods under keys. This is the same for work that is done
//! elsewhere: whoever claims a key first is its holder and does the work; all others wait for what it
//! comes to, and are given it to the byte.
//!
//! **Invariant:** a key has one holder at a time. A holder who is overtaken, because their lease ended
//! and somebody else claimed the key, neither completes nor releases what is another's now.
//!
//! **Invariant:** of two holders of one key the later has the greater fence, also after the first was
//! forgotten.
//!
//! **Invariant:** a key belongs to the user or service account that claimed it. Nobody else meets it.

#![forbid(unsafe_code)]

mod api;
mod model;
mod store;

use stoa_idempotence_v1::{Claim, DeleteExpiredRequest};
use stoa_kit::{Migration, Service};

const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_idempotence", include_str!("../migrations/0001_idempotence.sql"))];

/// What programs outside do is done once.
pub fn service() -> Service {
    Service::new(stoa_idempotence_v1::serve(api::Idempotence))
        .examples(include_str!("../examples.yaml"))
        .migrations(MIGRATIONS)
        .erases(store::erase)
        .fences(api::check_fence)
        .due(
            "delete_expired",
            |view| view.earliest::<Claim>("expire_time"),
            &DeleteExpiredRequest::default(),
        )
}
