//! Orders: a cart becomes a purchase in one commit of four services.
//!
//! To place an order takes the goods out of stock, charges the customer's account, keeps the
//! order and tells the customer; to cancel it undoes all four. Each is one commit, so no goods
//! leave for an order that is not there, and nobody is charged for goods that did not leave.
//!
//! **Invariant:** stock, books, orders and inboxes agree at every commit: an order with an amount
//! has one transfer, a cancelled one also its reversal, and each change of an order one
//! notification.
//!
//! **Invariant:** an order is cancelled once.
//!
//! **Invariant:** an order is shown to the customer who placed it, and to staff with
//! `orders.orders.read_all`; to everybody else it looks like none.

#![forbid(unsafe_code)]

mod api;
mod model;
mod store;

use stoa_kit::{Migration, Service};

const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_orders", include_str!("../migrations/0001_orders.sql"))];

/// The service, for a node's catalogue.
pub fn service() -> Service {
    Service::new(stoa_orders_v1::serve(api::Orders))
        .examples(include_str!("../examples.yaml"))
        .needs(&["catalog", "inventory", "ledger", "notify"])
        .migrations(MIGRATIONS)
}
