//! What secrets promises: the Rust of `proto/stoa/secrets/v1`.

stoa_contract::contract!("secrets");
