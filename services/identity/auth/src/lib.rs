//! Auth: who calls, and what they may.
//!
//! This crate knows passwords, second factors, passkeys, links by mail, sessions, API keys and roles, and
//! recognises the bearer of every token for the node. It does not know people: that is `users`, which it
//! asks.
//!
//! **Invariant:** a secret never reaches the store: passwords are kept as Argon2id, tokens of 256
//! random bits and the set-up code as BLAKE3.
//!
//! **Invariant:** what an attempt at a password came to is committed before anybody learns of
//! it, and a known account looks like an unknown one, also by the work it makes.
//!
//! **Invariant:** whoever has a second factor comes to no session without one, by whichever way they come;
//! and what is good once, a code, a ticket, a challenge, a link, is spent in the commit that it opens
//! something in.
//!
//! **Invariant:** nobody hands out what they do not have: no role, no key, no password of
//! somebody who may do more.
//!
//! **Invariant:** what was revoked, and whoever was disabled, is refused from the next call on.

#![forbid(unsafe_code)]

mod api;
mod letters;
mod model;
mod password;
mod store;
mod token;
mod totp;
mod webauthn;

pub use password::hashes;
use stoa_auth_v1::DeleteExpiredRequest;
use stoa_kit::ports::Mailer;
use stoa_kit::{Authenticator, Migration, Service};

const MIGRATIONS: &[Migration] = &[
    Migration::expand("0001_auth", include_str!("../migrations/0001_auth.sql")),
    Migration::expand("0002_proofs", include_str!("../migrations/0002_proofs.sql")),
    Migration::expand("0003_factors", include_str!("../migrations/0003_factors.sql")),
];

/// Who calls, and what they may: passwords, sessions, API keys, roles.
pub fn service() -> Service {
    Service::new(api::methods())
        .examples(include_str!("../examples.yaml"))
        .needs(&["notify", "tokens", "users"])
        .may_use::<dyn Mailer>()
        .migrations(MIGRATIONS)
        .erases(store::erase)
        .settings(&model::settings())
        .authenticates(Authenticator {
            tenant: token::tenant,
            run: token::authenticate,
            principal: token::principal,
            prepare: api::setup::prepare,
        })
        .due("delete_expired", store::next_deletion, &DeleteExpiredRequest::default())
}
