//! Turns contracts into Rust, from a contract crate's build script.
//!
//! A contract is the `.proto` files of `stoa.<service>.v1`. For each one this crate writes a
//! module: the messages (by `buffa`), what `stoa-contract` wants to know of them (their shape,
//! their rules as plain comparisons, the method a request belongs to), and the trait that the
//! service implements. It also is where a contract is proof-read: a method without a permission,
//! a rule nobody would enforce or an item without a comment stops the build.
//!
//! It is not a compiler of protobuf (`protox` is) and knows no single service.
//!
//! **Invariant:** a rule that a contract states is a rule that generated code checks; what
//! cannot be checked is refused here.
//!
//! **Invariant:** everything wrong with a contract is reported at once, as `path:line: message`.
//!
//! **Invariant:** the same contract gives the same bytes.

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a build script is told by the environment")]

mod build;
mod emit;
mod idents;
mod lint;
mod model;
mod problems;
mod rows;
mod rules;
mod scalars;
mod service;
mod source;

pub use build::Build;
pub use problems::{Problem, Problems};

/// What a contract crate's build script calls: generates the contracts of `services`, written
/// in `proto/` two directories above the crate. Prints what is wrong and exits with 1 if
/// anything is.
pub fn contracts(services: &[&str]) {
    if let Err(error) = Build::new("../../proto").services(services) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
