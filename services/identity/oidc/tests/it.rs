//! Oidc, through its contract and through HTTP as clients speak it.

#![cfg(test)]

#[path = "it/world.rs"]
mod world;

#[path = "it/assertions.rs"]
mod assertions;
#[path = "it/attacks.rs"]
mod attacks;
#[path = "it/clients.rs"]
mod clients;
#[path = "it/devices.rs"]
mod devices;
#[path = "it/elsewhere.rs"]
mod elsewhere;
#[path = "it/flow.rs"]
mod flow;
#[path = "it/hijacks.rs"]
mod hijacks;
#[path = "it/keys.rs"]
mod keys;
#[path = "it/logout.rs"]
mod logout;
#[path = "it/outside.rs"]
mod outside;
#[path = "it/race.rs"]
mod race;
#[path = "it/relying.rs"]
mod relying;
#[path = "it/strange.rs"]
mod strange;

use stoa_kit::Service;

fn services() -> Vec<Service> {
    vec![
        stoa_oidc::service(),
        stoa_auth::service(),
        stoa_notify::service(),
        stoa_tokens::service(),
        stoa_users::service(),
    ]
}

stoa_testkit::compliance!(stoa_oidc::service, services);
