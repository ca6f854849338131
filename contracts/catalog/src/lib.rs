//! What catalog promises: the Rust of `proto/stoa/catalog/v1`.

stoa_contract::contract!("catalog");
