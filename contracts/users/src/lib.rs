//! What users promises: the Rust of `proto/stoa/users/v1`.

stoa_contract::contract!("users");
