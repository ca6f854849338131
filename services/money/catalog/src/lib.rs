//! Catalog: what is sold — products, their variants, and what those cost.
//!
//! **Invariant:** a SKU names one variant of a shop, however it is written: it is kept in upper
//! case.
//!
//! **Invariant:** a variant has at most one price in a currency, and no price is negative.
//!
//! **Invariant:** nothing off sale, unknown or without a price is quoted, and a quote is for the
//! whole cart or not given.

#![forbid(unsafe_code)]

mod api;
mod model;
mod store;

use stoa_kit::{Migration, Service};

const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_products", include_str!("../migrations/0001_products.sql"))];

/// The service, for a node's catalogue.
pub fn service() -> Service {
    Service::new(stoa_catalog_v1::serve(api::Catalog))
        .examples(include_str!("../examples.yaml"))
        .migrations(MIGRATIONS)
}
