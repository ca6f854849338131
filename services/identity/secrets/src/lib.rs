//! Secrets: references that stand for what is about people, and keys that nobody sees.
//!
//! A value is sealed with the key of whom it is about, which the key ring keeps and `EraseSubject`
//! destroys. What it is found by, its fingerprint, is not sealed, and so is let go of in the commit of an
//! erasure. Keys that encrypt and sign for others are rows, whose secrets the tenant's key seals.
//!
//! **Invariant:** a value is shown for one of the purposes that it was wrapped for, and whoever asks
//! for it, and why, is in the log.
//!
//! **Invariant:** a value is in one row and nowhere else: in no event, reply that is remembered, token
//! of a page or line of a log.
//!
//! **Invariant:** a sealed value opens only as the value of its reference, of its kind.
//!
//! **Invariant:** the secret of a key is in no message that leaves the transaction or snapshot which uses
//! it, but for the one that brings a new one; it is kept sealed with the tenant's key.
//!
//! **Invariant:** no two texts are encrypted under one key and nonce. A nonce follows from what an effect
//! drew for one request, or from the text, its context and what is beside it.

#![forbid(unsafe_code)]

mod api;
mod crypto;
mod model;
mod store;

use stoa_kit::{Migration, Service};
use stoa_secrets_v1::{DeleteExpiredRequest, Reference, ServeVaultRequest};

use api::vault;

const MIGRATIONS: &[Migration] = &[
    Migration::expand("0001_references", include_str!("../migrations/0001_references.sql")),
    Migration::expand("0002_keys", include_str!("../migrations/0002_keys.sql")),
];

/// Keeps references that stand for what is about people, and encrypts with keys that nobody sees.
pub fn service() -> Service {
    Service::new(api::methods())
        .examples(include_str!("../examples.yaml"))
        .migrations(MIGRATIONS)
        .erases(store::erase)
        .raw_as::<ServeVaultRequest>(vault::PREFIX, vault::BODY_MAX, vault::MANNERS)
        .due(
            "delete_expired",
            |view| view.earliest::<Reference>("expire_time"),
            &DeleteExpiredRequest::default(),
        )
}
