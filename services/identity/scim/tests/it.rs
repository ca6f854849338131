//! Scim, through HTTP as directories speak it.

#![cfg(test)]

#[path = "it/world.rs"]
mod world;

#[path = "it/entra.rs"]
mod entra;
#[path = "it/resources.rs"]
mod resources;
#[path = "it/tester.rs"]
mod tester;

use stoa_kit::Service;

fn services() -> Vec<Service> {
    vec![
        stoa_scim::service(),
        stoa_auth::service(),
        stoa_notify::service(),
        stoa_organizations::service(),
        stoa_tokens::service(),
        stoa_users::service(),
    ]
}

stoa_testkit::compliance!(stoa_scim::service, services);
