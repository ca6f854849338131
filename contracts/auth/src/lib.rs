//! What auth promises: the Rust of `proto/stoa/auth/v1`.

stoa_contract::contract!("auth");
