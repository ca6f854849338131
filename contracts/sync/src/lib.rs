//! What sync promises: the Rust of `proto/stoa/sync/v1`.

stoa_contract::contract!("sync");
