//! Secrets, through its contract.

#![cfg(test)]

#[path = "it/load.rs"]
mod load;
#[path = "it/references.rs"]
mod references;
#[path = "it/transit.rs"]
mod transit;
#[path = "it/vault.rs"]
mod vault;

use stoa_kit::Service;

fn services() -> Vec<Service> {
    vec![stoa_secrets::service()]
}

stoa_testkit::compliance!(stoa_secrets::service, services);
