//! What tests stand on. No part of a running node.
//!
//! [`both!`] runs a test on both engines, on a [`Node`] in this process with a clock of its own;
//! [`compliance!`] is the test that every service runs: what `docs/spec/service.md` demands of it.
//! Besides calling, a test can ask a node which events were emitted ([`Node::events`]), what it
//! keeps ([`Node::kept`]), and for every page of a list ([`Node::pages`]).
//!
//! A file of tests begins with `#![cfg(test)]`: then its helpers, too, may fail by panicking.
//!
//! **Invariant:** a test finds nothing that another test left, and leaves nothing behind: what
//! it starts here ends with it, also when it is killed.

#![forbid(unsafe_code)]
// What fails here fails a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
#![allow(clippy::missing_panics_doc)]
#![allow(
    clippy::disallowed_methods,
    reason = "no part of a node: clusters start and clocks tick here"
)]

mod bench;
pub mod compliance;
pub mod fuzz;
mod home;
mod inside;
mod many;
mod node;
pub mod postgres;
mod streams;
mod until;
mod watched;
mod web;
mod world;

pub use bench::{run, run_at_most, run_forgetful, run_with_faults, run_with_ports};
pub use home::{Kept, objects};
pub use many::{Cost, Meter, made_up};
pub use node::{Engine, Node};
pub use stoa_node::Background;
pub use stoa_store::{Directory, Fault, Faults};
pub use until::{settled, until};
pub use watched::Watched;
pub use web::{answer, open_socket};
pub use world::TestWorld;

#[doc(hidden)]
pub use stoa_contract::buffa;

/// Makes of one test two, `name::sqlite` and `name::postgres`: neither can be forgotten. The
/// module it stands in has a function `services` that gives what the node is made of.
#[macro_export]
macro_rules! both {
    ($($(#[$meta:meta])* async fn $name:ident($node:ident: Node) $body:block)+) => {
        $($(#[$meta])*
        #[allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "it is a test")]
        mod $name {
            use super::*;

            async fn body($node: $crate::Node) $body

            #[test]
            fn sqlite() {
                $crate::run($crate::Engine::Sqlite, services(), body);
            }

            #[test]
            fn postgres() {
                $crate::run($crate::Engine::Postgres, services(), body);
            }
        })+
    };
}

/// Lets a message of a contract that only tests know travel as the one it wraps: `wraps!(Said)` for
/// `struct Said(Money)`, `wraps!([const N: usize] Put<N>)` for one with parameters.
#[macro_export]
macro_rules! wraps {
    ($name:ident) => {
        $crate::wraps!([] $name);
    };
    ([$($parameters:tt)*] $name:ty) => {
        impl<$($parameters)*> $crate::buffa::DefaultInstance for $name {
            fn default_instance() -> &'static Self {
                Box::leak(Box::default())
            }
        }

        impl<$($parameters)*> $crate::buffa::Message for $name {
            fn compute_size(&self, cache: &mut $crate::buffa::SizeCache) -> u32 {
                self.0.compute_size(cache)
            }

            fn write_to(
                &self,
                cache: &mut $crate::buffa::SizeCache,
                buffer: &mut impl $crate::buffa::EncodeSink,
            ) {
                self.0.write_to(cache, buffer);
            }

            fn merge_field(
                &mut self,
                tag: $crate::buffa::encoding::Tag,
                buffer: &mut impl $crate::buffa::bytes::Buf,
                context: $crate::buffa::DecodeContext<'_>,
            ) -> ::std::result::Result<(), $crate::buffa::DecodeError> {
                self.0.merge_field(tag, buffer, context)
            }

            fn clear(&mut self) {
                self.0.clear();
            }
        }
    };
}

/// The test that every service runs, on both engines: `compliance!(stoa_users::service, services)`.
#[macro_export]
macro_rules! compliance {
    ($service:path, $services:path) => {
        mod compliance {
            #[allow(unused_imports, reason = "the service may be named by its full path")]
            use super::*;

            #[test]
            fn sqlite() {
                let folder = env!("CARGO_MANIFEST_DIR");
                $crate::compliance::check($crate::Engine::Sqlite, $service(), $services, folder);
            }

            #[test]
            fn postgres() {
                let folder = env!("CARGO_MANIFEST_DIR");
                $crate::compliance::check($crate::Engine::Postgres, $service(), $services, folder);
            }
        }
    };
}
