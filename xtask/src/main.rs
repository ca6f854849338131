//! What people and the build do to this repository: check it, extend it, break it on purpose.
//!
//! `cargo xtask` lists the commands. Nothing here is part of a node, and it is built quickly:
//! it knows the repository by its files and by what `cargo metadata` says, never by linking it.
//!
//! **Invariant:** a check that passes says nothing but its headline; one that fails says where.
//!
//! **Invariant:** a list of exceptions only shrinks: one that is no longer needed fails the check.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks to people")]
#![allow(clippy::disallowed_methods, reason = "a program of one thread for people, not a node")]

mod catalogue;
mod checks;
mod dependencies;
mod documents;
mod growth;
mod layers;
mod metadata;
mod mutants;
mod scaffold;
mod shell;

use std::process::ExitCode;

/// What went wrong, in the words shown.
type Result<T, E = String> = std::result::Result<T, E>;

const USAGE: &str = "\
cargo xtask test                     every check a change has to pass
cargo xtask layers                   the arrows between crates point down
cargo xtask dependencies             none unused, none in two versions
cargo xtask documents                what documents name is there
cargo xtask services                 writes the list of services anew
cargo xtask new <context> <service>  a service that compiles and complies
cargo xtask breaking <ref>           does a contract break its callers since <ref>?
cargo xtask mutants [name]           do the tests notice faults put in on purpose?
cargo xtask growth [services]        what everything costs with so many services; 91";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test"] => checks::run(),
        ["layers"] => layers::run(),
        ["dependencies"] => dependencies::run(),
        ["documents"] => documents::run(),
        ["services"] => shell::root().and_then(|root| catalogue::run(&root)),
        ["new", context, service] => {
            shell::root().and_then(|root| scaffold::run(&root, context, service))
        }
        ["breaking", reference] => checks::breaking(reference),
        ["mutants"] => mutants::run(""),
        ["mutants", name] => mutants::run(name),
        ["growth"] => growth::run(91),
        ["growth", services] => match services.parse() {
            Ok(services) => growth::run(services),
            Err(_) => Err(format!("`{services}` is no number of services")),
        },
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
