//! The composition root: the one place that names services, in the list `stoa/services`, and drivers.
//!
//! Stoa is also a library. A program of your own puts its services into the same commits and
//! behind the same faces:
//!
//! ```no_run
//! # fn program(my_service: fn() -> stoa_kit::Service) {
//! stoa::Catalogue::standard().with(my_service).main();
//! # }
//! ```

#![forbid(unsafe_code)]

mod ask;
mod bench;
mod child;
pub mod client;
mod command;
pub mod config;
mod demo;
mod dial;
mod known;
mod login;
mod private;
mod profile;
pub mod sample;
mod setup;
mod up;
mod watch;
mod wire;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::ArgMatches;
use stoa_cli::{Ask, Contracts, Exit};
use stoa_kit::{Error, Result, Service};
use stoa_node::SYSTEM;

use config::Config;
use profile::Options;

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

    /// The contracts of its services and of the node itself, as the command line has them.
    ///
    /// # Errors
    /// Where descriptors cannot be read.
    pub fn contracts(&self) -> Result<Contracts> {
        self.shown(&self.descriptors()?)
    }

    /// What its services and the node itself promise.
    fn descriptors(&self) -> Result<Vec<u8>> {
        let services = self.services(&[])?;
        let own = services.iter().filter_map(|service| service.contract);
        Ok(stoa_console::descriptors(own.chain([&SYSTEM])))
    }

    /// Descriptors as the command line has them, with the examples that are known here.
    fn shown(&self, descriptors: &[u8]) -> Result<Contracts> {
        let mut contracts = Contracts::new([descriptors])?;
        for service in self.services(&[])? {
            contracts.show(service.name, service.examples);
        }
        Ok(contracts)
    }

    /// Runs the program: reads the command line, does what it says.
    pub fn main(self) -> ExitCode {
        let words: Vec<OsString> = std::env::args_os().collect();
        let outcome = match self.matched(words) {
            Ok(line) => self.run(&line),
            Err(Said::Error(error)) => Err(error),
            Err(Said::Words(error)) => {
                // Nobody is left to tell where it cannot be printed.
                let _ = error.print();
                let status = if error.use_stderr() { Exit::USAGE.status } else { 0 };
                return ExitCode::from(status);
            }
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) if error.reason() == ask::ENOUGH => ExitCode::SUCCESS,
            Err(error) => {
                tell(&error);
                ExitCode::from(Exit::of(&error).status)
            }
        }
    }

    /// Reads a command line: by the contracts of the node that it will ask, as far as they are known,
    /// and once more after the node was asked for what it has besides.
    fn matched(&self, words: Vec<OsString>) -> Result<Line, Said> {
        let own = self.descriptors().map_err(Said::Error)?;
        let kept = known::target(&words).and_then(|target| known::kept(&target));
        let kept = kept.and_then(|kept| Some((self.shown(&kept).ok()?, kept)));
        let (contracts, known) = match kept {
            Some(kept) => kept,
            None => (self.shown(&own).map_err(Said::Error)?, own.clone()),
        };
        let refused = match Line::read(&own, contracts, &words) {
            Err(refused) => refused,
            Ok(line) => return Ok(line),
        };
        let more = known::patience(&refused).and_then(|patience| {
            let told = known::renew(&known::target_anywhere(&words)?, &known, patience);
            self.shown(&told.ok()??).ok()
        });
        match more {
            Some(contracts) => Line::read(&own, contracts, &words).map_err(Said::Words),
            None => Err(Said::Words(refused)),
        }
    }

    fn run(&self, line: &Line) -> Result<()> {
        let Line { own, contracts, matches: root } = line;
        match root.subcommand() {
            Some(("up", matches)) => up::run(self, command::settings(matches)?),
            Some(("backup", matches)) => back_up(&command::settings(matches)?, matches),
            Some(("keys", matches)) => match matches.subcommand() {
                Some((_, matches)) => up::rotate(self, &command::settings(matches)?),
                None => Ok(()),
            },
            Some(("demo", matches)) => demo::run(matches),
            Some(("bench", matches)) => bench::run(matches),
            Some(("login", matches)) => login::login(own, matches),
            Some(("logout", matches)) => login::logout(matches),
            Some(("profile", matches)) => profile::run(matches),
            Some(("completion", matches)) => command::complete(contracts, matches),
            Some(("call", matches)) => match matches.subcommand() {
                Some((service, matches)) => method(contracts, root, service, matches),
                None => Ok(()),
            },
            Some((service, matches)) => method(contracts, root, service, matches),
            None => {
                let target = profile::target(&Options(vec![root]))?;
                ask::say(command::next(target.token.is_some()))
            }
        }
    }
}

/// A command line that was read.
struct Line {
    /// The descriptors that this program has.
    own: Vec<u8>,
    /// What it was read by.
    contracts: Contracts,
    matches: ArgMatches,
}

impl Line {
    fn read(own: &[u8], contracts: Contracts, words: &[OsString]) -> Result<Self, clap::Error> {
        let known: Vec<String> =
            words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let matches = command::root(&contracts, &known).try_get_matches_from(words)?;
        Ok(Self { own: own.to_vec(), contracts, matches })
    }
}

/// Why a command line is not run.
enum Said {
    Error(Error),
    /// What is to be printed: help, or what is wrong with it.
    Words(clap::Error),
}

/// Asks a method of a service.
fn method(
    contracts: &Contracts, root: &ArgMatches, service: &str, matches: &ArgMatches,
) -> Result<()> {
    let Some(ask) = Ask::read(contracts, service, matches) else { return Ok(()) };
    let of_method = matches.subcommand().map(|(_, matches)| matches);
    ask::run(contracts, ask?, &Options(of_method.into_iter().chain([root]).collect()))
}

#[allow(clippy::print_stdout, reason = "a command line speaks to people here")]
fn back_up(config: &Config, matches: &ArgMatches) -> Result<()> {
    let to = matches.get_one::<String>("to").map_or("", String::as_str);
    let copied = stoa_store::back_up(&config.place, &config.blobs, Path::new(to))?;
    println!(
        "{to}/stoa.db holds commit {} and all before, {} bytes; {to}/blobs holds {} blobs",
        copied.position, copied.bytes, copied.blobs
    );
    Ok(())
}

#[allow(clippy::print_stderr, reason = "a command line speaks to people here")]
fn tell(error: &Error) {
    eprintln!("error: {} [{}]", error.message(), error.reason());
    // One that is alone stands in the message.
    for violation in error.violations().iter().filter(|_| error.violations().len() > 1) {
        eprintln!("  {}: {}", violation.path, violation.message);
    }
    if let Some(cause) = error.internal_cause() {
        eprintln!("  cause: {cause}");
    }
    if !error.next().is_empty() {
        eprintln!("  next: {}", error.next());
    }
}
