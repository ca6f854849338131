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
pub mod described;
mod error;
pub mod json;
mod message;
mod method;
mod money;
pub mod open;
pub mod schema;

pub use any::{AnyMessage, Format, decode, validate};
pub use check::Check;
pub use error::{Code, Error, Reason, Result, Violation};
pub use message::{Event, Field, Form, Leaf, Message, Paged, Resource, Shape, Value, Words};
pub use method::{
    Binding, Command, Contract, Effect, EventType, Job, Kind, Method, Permission, Price, Query,
    Raw, Request, Segment, Total, Variable,
};

// What generated code names, so that crates of contracts need not.
#[doc(hidden)]
pub use {buffa, buffa_types, serde, serde_json};

pub use stoa_macros::contract;

/// The messages of `stoa.v1` that every contract may use.
pub mod v1 {
    stoa_macros::messages!(
        "stoa/v1/content.proto",
        "stoa/v1/http.proto",
        "stoa/v1/money.proto",
        "stoa/v1/options.proto"
    );
}

/// The typed details of errors on RPC, by Google's published shapes.
pub mod rpc {
    stoa_macros::messages!("google/rpc/error_details.proto");
}

mod imports {
    stoa_macros::imports!();
}

/// The encoded `FileDescriptorSet` of everything that contracts may import, and of [`rpc`]: what
/// [`Contract::descriptors`] leaves out.
pub use imports::IMPORTS;
