//! Access: who may do what with which object, by relations and by rules.
//!
//! A model says which relations objects of a type have, to whom each can be given, and what follows from
//! others: `define viewer: [user] or editor or viewer from folder`. Relations are rows. A decision walks
//! from the object towards the user; a list of objects walks from the user towards objects, and asks
//! about each where a rule takes something away again.
//!
//! Access rules stand beside relations: they allow or deny by priority, and by what comes with a question.
//! Whichever applies first decides, and relations where none does; lists, explanations and comparisons ask
//! the same function, [`answer::allows`], about each object or user.
//!
//! **Invariant:** nothing is allowed that does not follow from the model and the relations: what is
//! not known, leads in a circle or takes too long is never a yes.
//!
//! **Invariant:** a list shows what a check allows, and all of it: where that is too much to look at, it
//! is an error and not a part.
//!
//! **Invariant:** nobody gives what they lack, but whoever was granted that.

#![forbid(unsafe_code)]

mod answer;
mod api;
mod compare;
mod condition;
mod fga;
mod giving;
mod judge;
mod kept;
mod language;
mod model;
mod reach;
mod rules;
mod store;

use stoa_access_v1::ServeFgaRequest;
use stoa_kit::{Migration, Service};

const MIGRATIONS: &[Migration] = &[
    Migration::expand("0001_access", include_str!("../migrations/0001_access.sql")),
    Migration::expand("0002_rules", include_str!("../migrations/0002_rules.sql")),
];

/// Says who may do what with which object, by relations and by rules.
pub fn service() -> Service {
    Service::new(stoa_access_v1::serve(api::Api::default()))
        .examples(include_str!("../examples.yaml"))
        .needs(&["auth"])
        .migrations(MIGRATIONS)
        .raw_as::<ServeFgaRequest>(fga::PREFIX, fga::BODY_MAX, fga::MANNERS)
}
