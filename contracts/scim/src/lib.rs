//! What scim promises: the Rust of `proto/stoa/scim/v1`.

stoa_contract::contract!("scim");
