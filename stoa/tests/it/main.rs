//! The binary as its users meet it: processes, signals, what they print, and what they answer.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, and stand outside the world"
)]

mod backup;
mod bank;
mod batch;
mod blobs;
mod cli;
mod clients;
mod console;
mod demo;
mod disk;
mod door;
mod duplicates;
mod durable;
mod erase;
mod examples;
mod follow;
mod generated;
mod gone;
mod grants;
mod graphql;
mod h2;
mod http;
mod idle;
mod judged;
mod keys;
mod live;
mod openid;
mod pages;
mod process;
mod queries;
mod readme;
mod relay;
mod requests;
mod rest;
mod sample;
mod settings;
mod shop;
mod strangers;
mod systems;
mod tenants;
mod up;
mod watch_rpc;
mod watches;
