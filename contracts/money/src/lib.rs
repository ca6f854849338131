//! What the services of money promise: catalog, inventory, ledger, orders. Generated from `proto/stoa`.

include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
