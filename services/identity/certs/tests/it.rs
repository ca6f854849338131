//! Certs, through its contract and through HTTP as clients speak it.

#![cfg(test)]

#[path = "it/client.rs"]
mod client;
#[path = "it/world.rs"]
mod world;

#[path = "it/acme.rs"]
mod acme;
#[path = "it/authorities.rs"]
mod authorities;
#[path = "it/certificates.rs"]
mod certificates;
#[path = "it/crl.rs"]
mod crl;
#[path = "it/outside.rs"]
mod outside;
#[path = "it/race.rs"]
mod race;
#[path = "it/strange.rs"]
mod strange;
#[path = "it/tls.rs"]
mod tls;

use stoa_kit::Service;

fn services() -> Vec<Service> {
    vec![stoa_certs::service()]
}

stoa_testkit::compliance!(stoa_certs::service, services);
