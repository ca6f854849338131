//! What scheduler promises: the Rust of `proto/stoa/scheduler/v1`.

stoa_contract::contract!("scheduler");
