//! What cases promises: the Rust of `proto/stoa/cases/v1`.

stoa_contract::contract!("cases");
