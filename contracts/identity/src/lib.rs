//! The contracts of identity, generated from `proto/stoa/{users,auth}/v1`.
#![allow(missing_docs, unreachable_pub, clippy::all)]
include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
