//! What idcheck promises: the Rust of `proto/stoa/idcheck/v1`.

stoa_contract::contract!("idcheck");
