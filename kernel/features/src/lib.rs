//! Libraries with the same features, whether one crate of the workspace is built or all are.
//!
//! There is nothing here: what counts is what the manifest asks for.

#![forbid(unsafe_code)]
