//! Scim: people and groups as whoever employs them keeps them (SCIM 2.0).
//!
//! A directory elsewhere makes accounts and teams here, changes them and ends them. A person is an account of
//! `users` with what the directory says of them besides; a group is a team of the one organization that the
//! settings name. What the directory did not make it neither sees nor changes.
//!
//! **Invariant:** a change is made as a whole, or not at all.
//!
//! **Invariant:** who is not active has no session from the commit on that says so.
//!
//! **Invariant:** an account that the directory did not make is not taken over, whatever its name or address is, unless
//! an administrator gives it to the directory.
//!
//! **Invariant:** a group gives nobody a permission.

#![forbid(unsafe_code)]

mod api;
mod face;
mod model;
mod store;

use stoa_kit::{Migration, Service};
use stoa_scim_v1::{ServeScimRequest, Settings};

const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_scim", include_str!("../migrations/0001_scim.sql"))];

/// People and groups as a directory keeps them.
pub fn service() -> Service {
    Service::new(api::methods())
        .examples(include_str!("../examples.yaml"))
        .needs(&["auth", "organizations", "users"])
        .migrations(MIGRATIONS)
        .settings(&Settings::default())
        .erases(store::erase)
        .raw_as::<ServeScimRequest>(face::PREFIX, face::BODY_MAX, face::MANNERS)
}
