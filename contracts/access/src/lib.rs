//! What access promises: the Rust of `proto/stoa/access/v1`.

stoa_contract::contract!("access");
