//! Tokens: secrets that are good for one use.
//!
//! A token says what it is for, about whom, and who may spend it. To spend it is to delete its row,
//! so that nobody can tell one that was spent from one that never was.
//!
//! **Invariant:** a token is spent once, however many try.
//!
//! **Invariant:** nobody who has the database can spend a token: a secret is kept as a fingerprint
//! under a key of the tenant's, for the digits of a short code could be tried one after another.
//!
//! **Invariant:** a short code ends with its fifth wrong guess, and each is counted in the commit
//! that refuses it.

#![forbid(unsafe_code)]

mod api;
mod model;
mod store;

use stoa_kit::{Migration, Service};
use stoa_tokens_v1::{DeleteExpiredRequest, Token};

const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_tokens", include_str!("../migrations/0001_tokens.sql"))];

/// Issues tokens that are good for one use.
pub fn service() -> Service {
    Service::new(stoa_tokens_v1::serve(api::Tokens))
        .examples(include_str!("../examples.yaml"))
        .migrations(MIGRATIONS)
        .erases(store::erase)
        .due(
            "delete_expired",
            |view| view.earliest::<Token>("expire_time"),
            &DeleteExpiredRequest::default(),
        )
}
