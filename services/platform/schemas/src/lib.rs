//! Schemas: what data may be, in versions, and whether what was written stays readable.
//!
//! A text is a JSON Schema of draft 2020-12 or 7. It has one identifier, whichever subjects have it, and
//! each subject numbers its versions. A subject promises how its versions go on from each other, and a
//! version that breaks the promise is refused with every difference that there is.
//!
//! **Invariant:** what is accepted as compatible is: no value is valid under the one schema and not under
//! the other, whichever the promise is about. What cannot be shown to be so is refused.
//!
//! **Invariant:** one text has one identifier, also where many register it at once; no identifier and no
//! number of a version comes again.
//!
//! **Invariant:** nothing is fetched. A reference leads to a part of the same text, or of a metaschema.
//!
//! **Invariant:** what is done for one request is bounded, whatever the schema and the data are.
//!
//! **Invariant:** what is told of data is where it is wrong, and never what stands there.

#![forbid(unsafe_code)]

mod api;
mod face;
mod json;
mod model;
mod store;

use stoa_kit::{Migration, Service};
use stoa_schemas_v1::ServeRegistryRequest;

const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_schemas", include_str!("../migrations/0001_schemas.sql"))];

/// Keeps schemas in versions that go on from each other, and checks data.
pub fn service() -> Service {
    Service::new(api::methods())
        .examples(include_str!("../examples.yaml"))
        .migrations(MIGRATIONS)
        .raw_as::<ServeRegistryRequest>(face::PREFIX, face::BODY_MAX, face::MANNERS)
}
