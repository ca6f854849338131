//! What certs promises: the Rust of `proto/stoa/certs/v1`.

stoa_contract::contract!("certs");
