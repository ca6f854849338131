//! What orders promises: the Rust of `proto/stoa/orders/v1`.

stoa_contract::contract!("orders");
