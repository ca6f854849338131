//! What organizations promises: the Rust of `proto/stoa/organizations/v1`.

stoa_contract::contract!("organizations");
