//! The composition root: the one place that names services, in the list `stoa/services`, and drivers.
//!
//! Stoa is also a library. A program of your own puts its services into the same commits and
//! behind the same faces:
//!
//! ```no_run
//! # fn my_service() -> stoa_kit::Service { todo!() }
//! stoa::Catalogue::standard().with(my_service).main();
//! ```

#![forbid(unsafe_code)]

mod ask;
mod bench;
mod child;
pub mod client;
pub mod config;
mod demo;
mod setup;
mod up;
mod wire;

use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};
use stoa_kit::{Error, Result, Service};

use config::{Config, SETTINGS, Setting};

/// The services a program offers.
pub struct Catalogue {
    services: Vec<(String, fn() -> Service)>,
}

impl Catalogue {
    /// No service but the node's own.
    pub fn empty() -> Self {
        Self { services: Vec::new() }
    }

    /// Every service that comes with Stoa.
    pub fn standard() -> Self {
        stoa_services::ALL.iter().copied().fold(Self::empty(), Self::with)
    }

    /// Adds a service.
    #[must_use]
    pub fn with(mut self, service: fn() -> Service) -> Self {
        self.services.push((service().name.to_owned(), service));
        self
    }

    /// The services by these names and all that they need; every one if no name is given.
    ///
    /// # Errors
    /// `config.invalid` for a name that is not in the catalogue.
    pub fn services(&self, names: &[String]) -> Result<Vec<Service>> {
        let mut wanted: Vec<String> = if names.is_empty() {
            self.services.iter().map(|(name, _)| name.clone()).collect()
        } else {
            names.to_vec()
        };
        let mut made: Vec<Service> = Vec::new();
        while let Some(name) = wanted.pop() {
            if made.iter().any(|service| service.name == name) {
                continue;
            }
            let found = self.services.iter().find(|(known, _)| *known == name);
            let (_, make) = found.ok_or_else(|| {
                let known: Vec<&str> =
                    self.services.iter().map(|(name, _)| name.as_str()).collect();
                config::invalid(format!(
                    "there is no service `{name}`; there are {}",
                    known.join(", ")
                ))
            })?;
            let service = make();
            wanted.extend(service.needs.iter().map(|need| (*need).to_owned()));
            made.push(service);
        }
        Ok(made)
    }

    /// Runs the program: reads the command line, does what it says.
    pub fn main(self) -> ExitCode {
        let matches = command().get_matches();
        let outcome = match matches.subcommand() {
            Some(("up", matches)) => settings(matches).and_then(|config| up::run(&self, config)),
            Some(("backup", matches)) => {
                settings(matches).and_then(|config| back_up(&config, matches))
            }
            Some(("keys", matches)) => match matches.subcommand() {
                Some(("rotate", matches)) => {
                    settings(matches).and_then(|config| up::rotate(&self, &config))
                }
                _ => Ok(()),
            },
            Some(("demo", matches)) => demo::run(matches),
            Some(("bench", matches)) => bench::run(matches),
            Some(("call", matches)) => ask::call(matches),
            Some(("services", matches)) => ask::services(matches),
            Some(("commit", matches)) => match matches.subcommand() {
                Some(("show", matches)) => ask::commit(matches),
                _ => Ok(()),
            },
            _ => Ok(()),
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tell(&error);
                ExitCode::FAILURE
            }
        }
    }
}

/// Settings that only a copy of the database needs.
fn backup() -> Command {
    let place = SETTINGS.iter().filter(|setting| ["data", "database"].contains(&setting.key));
    let backup = Command::new("backup")
        .about("Copies the database, also of a node that runs, and looks through the copy")
        .arg(Arg::new("to").value_name("DIR").required(true).help("A directory of its own"));
    backup.args(place.map(flag))
}

fn flag(setting: &Setting) -> Arg {
    Arg::new(setting.key).long(setting.flag()).value_name("VALUE").help(setting.help)
}

#[allow(clippy::print_stdout, reason = "a command line speaks to people here")]
fn back_up(config: &Config, matches: &ArgMatches) -> Result<()> {
    let to = matches.get_one::<String>("to").map_or("", String::as_str);
    let copied = stoa_store::back_up(&config.place, Path::new(to))?;
    println!(
        "{to}/stoa.db holds commit {} and all before, {} bytes",
        copied.position, copied.bytes
    );
    Ok(())
}

#[allow(clippy::print_stderr, reason = "a command line speaks to people here")]
fn tell(error: &Error) {
    eprintln!("error: {} [{}]", error.message(), error.reason());
    for violation in error.violations() {
        eprintln!("  {}: {}", violation.path, violation.message);
    }
    if let Some(cause) = error.internal_cause() {
        eprintln!("  cause: {cause}");
    }
    if !error.next().is_empty() {
        eprintln!("  next: {}", error.next());
    }
}

/// A configuration, with what a command line says of it.
fn settings(matches: &ArgMatches) -> Result<Config> {
    let flags = SETTINGS.iter().filter_map(|setting| {
        let value = matches.try_get_one::<String>(setting.key).ok()??;
        Some((setting.key.to_owned(), value.clone()))
    });
    Config::load(flags.collect())
}

fn command() -> Command {
    let node = [
        Arg::new("url")
            .long("url")
            .value_name("URL")
            .default_value("http://127.0.0.1:8080")
            .help("The node to ask"),
        Arg::new("token")
            .long("token")
            .value_name("TOKEN")
            .help("A session's or a key's token; STOA_TOKEN if absent"),
        Arg::new("tenant")
            .long("tenant")
            .value_name("NAME")
            .help("The tenant to ask without a token; a token names its own"),
    ];
    let up = Command::new("up").about("Starts a node").args(SETTINGS.iter().map(flag));
    Command::new("stoa")
        .about("A backend in one binary")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(up)
        .subcommand(backup())
        .subcommand(
            Command::new("keys")
                .about("Looks after the root key")
                .subcommand_required(true)
                .subcommand(
                Command::new("rotate")
                    .about(
                        "Takes another root key, and wraps anew what the old one wrapped; stop the \
                         node before",
                    )
                    .args(SETTINGS.iter().map(flag)),
            ),
        )
        .subcommand(demo::command())
        .subcommand(bench::command())
        .subcommand(
            Command::new("call")
                .about("Calls a method: stoa call ledger GetAccount '{\"id\":\"acc_…\"}'")
                .args(&node)
                .arg(Arg::new("key").long("key").value_name("KEY").help("An idempotency key"))
                .arg(Arg::new("service").required(true))
                .arg(Arg::new("method").required(true))
                .arg(Arg::new("request").default_value("{}")),
        )
        .subcommand(Command::new("services").about("Lists the services of a node").args(&node))
        .subcommand(
            Command::new("commit").about("Looks at commits").subcommand_required(true).subcommand(
                Command::new("show")
                    .about("Tells the whole story of one commit")
                    .args(&node)
                    .arg(Arg::new("position").required(true)),
            ),
        )
}
