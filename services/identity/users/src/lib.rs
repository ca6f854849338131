//! Users: the people who have an account.
//!
//! This crate knows who somebody is and how to reach them. It does not know how they sign in or
//! what they may do: that is `auth`.
//!
//! **Invariant:** a handle and an e-mail address belong to one user at a time, whatever their
//! case.
//!
//! **Invariant:** a user sees and changes nobody but themselves, unless they were granted
//! `users.users.read_all` or `users.users.update_all`.
//!
//! **Invariant:** once there is an administrator, there is one who is active.
//!
//! **Invariant:** no event carries personal data.

#![forbid(unsafe_code)]

mod api;
mod model;
mod store;

use stoa_kit::{Migration, Service};

const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_users", include_str!("../migrations/0001_users.sql"))];

/// Accounts of people: unique handles and addresses, profiles, preferences.
pub fn service() -> Service {
    Service::new(stoa_users_v1::serve(api::Users))
        .examples(include_str!("../examples.yaml"))
        .migrations(MIGRATIONS)
        .erases(api::erase)
}
