//! Sync: locks, semaphores, elections and barriers for the processes of programs outside.
//!
//! A lock is a name with permits, one or several. Who asks for it holds it, or stands in line: a lease is one
//! or the other, and has a time to live that its owner renews. Who leads is whoever holds a lock that all
//! who could lead stand in line for.
//!
//! **Invariant:** no more permits of a lock are held than it has.
//!
//! **Invariant:** who came first is served first. One who asks for many permits is not passed by those who ask for
//! few.
//!
//! **Invariant:** of two holders of one lock the later has the greater fence, also after the lock was forgotten or
//! the store was restored. The store's clock says when a lease is over, and nobody writes here under one that
//! is.
//!
//! **Invariant:** a barrier opens in the commit in which the last of its parties comes, once in each round.

#![forbid(unsafe_code)]

mod api;
mod barrier;
mod line;
mod model;
mod store;

use stoa_kit::{Migration, Service};
use stoa_sync_v1::{
    Barrier, DeleteExpiredRequest, ExpireLeasesRequest, ExpirePartiesRequest, Lock,
};

const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_sync", include_str!("../migrations/0001_sync.sql"))];

/// Lets processes take turns, and wait for each other.
pub fn service() -> Service {
    Service::new(stoa_sync_v1::serve(api::Sync))
        .examples(include_str!("../examples.yaml"))
        .migrations(MIGRATIONS)
        .erases(api::erase)
        .fences(line::check_fence)
        .due("expire_leases", store::next_lease_over, &ExpireLeasesRequest::default())
        .due("expire_parties", store::next_party_over, &ExpirePartiesRequest::default())
        .due(
            "delete_expired",
            |view| {
                let (lock, barrier) = (
                    view.earliest::<Lock>("expire_time")?,
                    view.earliest::<Barrier>("expire_time")?,
                );
                Ok(lock.into_iter().chain(barrier).min())
            },
            &DeleteExpiredRequest::default(),
        )
}
