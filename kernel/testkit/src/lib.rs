//! What tests stand on. No part of a running node.
//!
//! **Invariant:** a test finds nothing that another test left, and leaves nothing behind: what
//! it starts here ends with it, also when it is killed.

#![forbid(unsafe_code)]

pub mod postgres;
