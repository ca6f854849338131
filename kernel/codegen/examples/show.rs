//! Prints the Rust that stands for a contract: `cargo run -p stoa-codegen --example show ledger`.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program for people")]

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let service = std::env::args().nth(1).ok_or("say which service: `ledger`")?;
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto"));
    println!("{}", stoa_codegen::contract(root, &service)?.text);
    Ok(())
}
