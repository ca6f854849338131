//! The command line: every method of every contract is a command, from descriptors alone.
//!
//! Descriptors go in, those of a program's own services or those that a node shows by reflection;
//! a tree of [`clap`] comes out, and with what it matched a request as JSON. Who sends it, and where,
//! is not known here.
//!
//! **Invariant:** no service is named here, and no node is known.
//!
//! **Invariant:** whether a request is a good one the node decides. What is refused here is a command
//! line that says no request: an option that is not there, a time that is none.

#![forbid(unsafe_code)]

mod contracts;
mod example;
mod exit;
mod flags;
mod method;
mod output;
mod pages;
mod request;
mod time;
mod value;

pub use contracts::{Contracts, Method, Service};
pub use exit::{EXITS, Exit};
pub use method::commands;
pub use output::{Format, Page, Screen};
pub use request::Ask;
pub use time::length as duration;

/// `CreateTransfer` and `create_transfer` as people type them: `create-transfer`.
pub(crate) fn kebab(name: &str) -> String {
    let mut out = String::new();
    for (place, letter) in name.chars().enumerate() {
        match letter {
            'A'..='Z' => {
                if place > 0 {
                    out.push('-');
                }
                out.push(letter.to_ascii_lowercase());
            }
            '_' => out.push('-'),
            other => out.push(other),
        }
    }
    out
}
