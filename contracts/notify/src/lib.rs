//! What notify promises: the Rust of `proto/stoa/notify/v1`.

stoa_contract::contract!("notify");
