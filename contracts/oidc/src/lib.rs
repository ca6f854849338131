//! What oidc promises: the Rust of `proto/stoa/oidc/v1`.

stoa_contract::contract!("oidc");
