//! Ledger: double-entry books.
//!
//! An account keeps one currency. A transfer takes from some accounts what it gives to others,
//! at once or after it was pending, and leaves one entry on each. The balance of an account is
//! the sum of its entries, kept beside them so that nobody has to add them up.
//!
//! An account with a *floor* must not fall below it, so its balance is a row that every transfer
//! updates, guarded in the same statement; what pending transfers would take is held on it. An
//! account without one is moved by inserts, so that any number of transfers can share it: all
//! sales of a shop end in one income account.
//!
//! **Invariant:** over all accounts of a currency, debits equal credits.
//!
//! **Invariant:** the balance of an account is the sum of its entries.
//!
//! **Invariant:** no transfer takes an account below its floor, whoever else is transferring.
//!
//! **Invariant:** an entry is never changed or deleted; a transfer is undone by another one.

mod api;
mod jobs;
mod model;
mod store;

use stoa_kit::{Migration, Service};
use stoa_ledger_v1::{ExpireTransfersRequest, FoldTotalsRequest};

const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_ledger", include_str!("../migrations/0001_ledger.sql"))];

/// Ledger: double-entry books.
pub fn service() -> Service {
    Service::new(stoa_ledger_v1::serve(api::Ledger))
        .examples(include_str!("../examples.yaml"))
        .migrations(MIGRATIONS)
        .due("expire", store::next_expiry, &ExpireTransfersRequest::default())
        .due("fold", jobs::next_fold, &FoldTotalsRequest::default())
}
