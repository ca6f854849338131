//! What generated contracts stand on.
//!
//! A contract is a `.proto` file; `stoa-codegen` turns it into messages and, beside them,
//! implementations of the traits of this crate: what a message is called and whether it obeys
//! its rules ([`Message`]), which method a request belongs to ([`Request`]), what an event is
//! about ([`Event`]), who owns a row ([`Resource`]), what a failure means ([`Reason`]).
//! Everything a face needs to know about a service is a value of this crate, a [`Contract`].
//!
//! **Invariant:** nothing here knows of a store, a service or a transport.
//!
//! **Invariant:** JSON is read strictly: a field that the contract does not name is refused
//! with its path, as is a value of the wrong type. Binary protobuf keeps protobuf's own rule.

#![forbid(unsafe_code)]

mod any;
pub mod check;
mod error;
pub mod json;
mod message;
mod method;

pub use any::{AnyMessage, Format, decode, validate};
pub use check::Check;
pub use error::{Code, Error, Reason, Result, Violation};
pub use message::{Event, Field, Message, Paged, Resource, Shape, Value, Words};
pub use method::{Command, Contract, Effect, Job, Kind, Method, Permission, Query, Request};

#[doc(hidden)]
pub use {buffa, buffa_types, serde};

#[allow(missing_docs, clippy::all)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
}

/// The messages of `stoa.v1` that every contract may use.
pub use generated::v1;

/// The typed details of errors on RPC, by Google's published shapes.
pub use generated::google_rpc as rpc;

/// The descriptors of [`rpc`]: what a client by reflection needs to read an error's details.
pub const ERROR_DETAILS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/google.rpc.all.binpb"));
