//! What tokens promises: the Rust of `proto/stoa/tokens/v1`.

stoa_contract::contract!("tokens");
