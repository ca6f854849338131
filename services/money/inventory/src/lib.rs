//! Inventory: what is there — stock by SKU and location, and what of it is promised.
//!
//! What is there is either *available* or *reserved*. To reserve moves from one to the other for
//! a while; to commit a reservation, or to issue, takes out for good.
//!
//! **Invariant:** neither number is ever below zero, and nothing is promised twice, whoever else
//! is asking: whoever takes from a row guards it in the statement that takes.
//!
//! **Invariant:** several lines are taken together or not at all.
//!
//! **Invariant:** a reservation ends once: committed, released or expired. What it held leaves or
//! comes back in the commit that ends it.
//!
//! **Invariant:** rows of stock are changed in the order of their SKUs, so that two callers never
//! wait for each other.

#![forbid(unsafe_code)]

mod api;
mod model;
mod store;

use stoa_inventory_v1::ReleaseExpiredRequest;
use stoa_kit::{Migration, Service};

const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_stock", include_str!("../migrations/0001_stock.sql"))];

/// The service, for a node's catalogue.
pub fn service() -> Service {
    Service::new(stoa_inventory_v1::serve(api::Inventory))
        .examples(include_str!("../examples.yaml"))
        .migrations(MIGRATIONS)
        .due("release_expired", store::next_expiry, &ReleaseExpiredRequest::default())
}
