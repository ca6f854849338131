//! Idcheck: the numbers by which Sweden knows people and organisations.
//!
//! A number is read as people write it and given back in its one form, with what it says by itself.
//! Nothing is kept.
//!
//! **Invariant:** a number is in no log, error, event or address: it comes in the body of a request,
//! in a field that is not logged, and goes the same way.

#![forbid(unsafe_code)]

mod api;
mod number;

use stoa_kit::Service;

/// Reads the numbers by which Sweden knows people and organisations.
pub fn service() -> Service {
    Service::new(stoa_idcheck_v1::serve(api::Idcheck)).examples(include_str!("../examples.yaml"))
}
