//! What ledger promises: the Rust of `proto/stoa/ledger/v1`.

stoa_contract::contract!("ledger");
