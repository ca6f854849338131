//! What idempotence promises: the Rust of `proto/stoa/idempotence/v1`.

stoa_contract::contract!("idempotence");
