//! Users: the people who have an account.
//!
//! This crate knows who somebody is and how to reach them. It does not know how they sign in or
//! what they may do: that is `auth`.
//!
//! **Invariant:** a handle and an e-mail address belong to one user at a time, whatever their
//! case.
//!
//! **Invariant:** a user sees of others what these show to them, and changes nobody but themselves, unless
//! they were granted `users.users.read_all` or `users.users.update_all`.
//!
//! **Invariant:** a value that does not fit its schema counts for nothing.
//!
//! **Invariant:** once there is an administrator, there is one who is active.
//!
//! **Invariant:** no event carries personal data.

#![forbid(unsafe_code)]

mod api;
mod model;
mod preferences;
mod schema;
mod store;
mod visibility;

use stoa_kit::{Migration, Service};

const MIGRATIONS: &[Migration] = &[
    Migration::expand("0001_users", include_str!("../migrations/0001_users.sql")),
    Migration::expand("0002_preferences", include_str!("../migrations/0002_preferences.sql")),
    Migration::expand("0003_visibility", include_str!("../migrations/0003_visibility.sql")),
];

/// Accounts of people: unique handles and addresses, profiles, preferences.
pub fn service() -> Service {
    Service::new(stoa_users_v1::serve(api::Users))
        .examples(include_str!("../examples.yaml"))
        .migrations(MIGRATIONS)
        .erases(api::erase)
}
