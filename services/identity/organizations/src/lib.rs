//! Organizations: people who work together.
//!
//! An organization has members, each with a role: member, administrator, owner, and teams of some of them.
//! Others are invited by their address, with a token that is good for one use.
//!
//! **Invariant:** an organization that is there has an owner, also where two leave at once.
//!
//! **Invariant:** nobody gives, takes or invites to a role that is higher than their own.
//!
//! **Invariant:** who is in a team belongs to its organization.
//!
//! **Invariant:** an invitation is accepted by whoever has the address that it was sent to, once; what was
//! sent to that address before is good no more.

#![forbid(unsafe_code)]

mod api;
mod model;
mod store;
mod teams;

use stoa_kit::{Migration, Service};
use stoa_organizations_v1::TellMembersRequest;

const MIGRATIONS: &[Migration] = &[
    Migration::expand("0001_organizations", include_str!("../migrations/0001_organizations.sql")),
    Migration::expand("0002_told", include_str!("../migrations/0002_told.sql")),
];

/// People who work together: members, roles, invitations.
pub fn service() -> Service {
    Service::new(stoa_organizations_v1::serve(api::Api))
        .examples(include_str!("../examples.yaml"))
        .needs(&["tokens", "users"])
        .migrations(MIGRATIONS)
        .erases(api::erase)
        .due("tell_members", store::next_untold, &TellMembersRequest {})
}
