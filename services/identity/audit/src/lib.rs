//! Audit: who did what, in a tree that proves it.
//!
//! The kernel records every commit; this keeps the records, in their order, as the leaves of a Merkle tree
//! (RFC 9162). Its head is signed. Who holds one can check by [`tree`] that an entry is in the tree, and
//! that no later tree forgot, changed or inserted anything.
//!
//! **Invariant:** the tree has one leaf for each commit of its tenant, in the order of commits; only those
//! that put leaves there have none.
//!
//! **Invariant:** what is signed is durable with the entries that it speaks of, and never before them.
//!
//! **Invariant:** what may name people is in a leaf as a hash, salted: it can be dropped, and every proof
//! holds. A hold keeps it nevertheless.

#![forbid(unsafe_code)]

mod api;
mod jobs;
mod model;
mod store;

pub use model::tree;

use stoa_audit_v1::{ForgetEntriesRequest, RedactErasedRequest, Settings, TellHeadRequest};
use stoa_kit::{Migration, Service};

const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_audit", include_str!("../migrations/0001_audit.sql"))];

/// Who did what, in a tree that proves it.
pub fn service() -> Service {
    Service::new(stoa_audit_v1::serve(api::Audit))
        .examples(include_str!("../examples.yaml"))
        .migrations(MIGRATIONS)
        .settings(&Settings::default())
        .records("append", jobs::append)
        .erases(store::erase)
        .due("tell_head", jobs::next_told, &TellHeadRequest::default())
        .due("forget", jobs::next_forgotten, &ForgetEntriesRequest::default())
        .due("redact_erased", store::next_erased, &RedactErasedRequest::default())
}
