//! Access: who may do what with which object, by relations.
//!
//! A model says which relations objects of a type have, to whom each can be given, and what follows from
//! others: `define viewer: [user] or editor or viewer from folder`. Relations are rows. A decision walks
//! from the object towards the user; a list of objects walks from the user towards objects, and asks
//! about each where a rule takes something away again.
//!
//! **Invariant:** nothing is allowed that does not follow from the model and the relations: what is
//! not known, leads in a circle or takes too long is never a yes.
//!
//! **Invariant:** a list shows what a check allows, and all of it: where that is too much to look at, it
//! is an error and not a part.

#![forbid(unsafe_code)]

mod api;
mod fga;
mod judge;
mod language;
mod model;
mod reach;
mod store;

use stoa_access_v1::ServeFgaRequest;
use stoa_kit::{Migration, Service};

const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_access", include_str!("../migrations/0001_access.sql"))];

/// Says who may do what with which object, by relations.
pub fn service() -> Service {
    Service::new(stoa_access_v1::serve(api::Api))
        .examples(include_str!("../examples.yaml"))
        .migrations(MIGRATIONS)
        .raw_as::<ServeFgaRequest>(fga::PREFIX, fga::BODY_MAX, fga::MANNERS)
}
