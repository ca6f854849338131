//! What inventory promises: the Rust of `proto/stoa/inventory/v1`.

stoa_contract::contract!("inventory");
