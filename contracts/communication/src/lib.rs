//! What the services of communication promise: notify. Generated from `proto/stoa`.

include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
