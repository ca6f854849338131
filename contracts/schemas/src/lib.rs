//! What schemas promises: the Rust of `proto/stoa/schemas/v1`.

stoa_contract::contract!("schemas");
