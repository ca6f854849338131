//! What audit promises: the Rust of `proto/stoa/audit/v1`.

stoa_contract::contract!("audit");
