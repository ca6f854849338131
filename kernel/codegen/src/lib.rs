//! Turns contracts into Rust.
//!
//! A contract is the `.proto` files of `stoa.<service>.v1`. For each one this crate writes the items
//! of a module: the messages (by `buffa`), what `stoa-contract` wants to know of them (their shape,
//! their rules as plain comparisons, the method a request belongs to), and the trait that the
//! service implements. It also is where a contract is proof-read: a method without a permission,
//! a rule nobody would enforce or an item without a comment stops the build.
//!
//! Crates of contracts reach it by `stoa_contract::contract!`; a build script may call it as well.
//! `cargo run -p stoa-codegen --example show ledger` prints what it writes.
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
#![allow(clippy::disallowed_methods, reason = "it runs while code is built, not in a node")]

mod emit;
mod forms;
mod generate;
mod http;
mod idents;
mod lint;
mod model;
mod problems;
mod references;
mod rows;
mod rules;
mod scalars;
mod service;
mod source;

pub use generate::{Generated, contract, imports, messages};
pub use problems::{Problem, Problems};
