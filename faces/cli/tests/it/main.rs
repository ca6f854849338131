//! The command line, on a contract that only tests know.

#![cfg(test)]

mod output;
mod words;

use clap::{Arg, Command};
use jiff::Timestamp;
use serde_json::Value;
use stoa_cli::{Ask, Contracts, Format, Method, Page, commands};
use stoa_contract::IMPORTS;

mod errand {
    stoa_contract::contract!("errand", "tests/proto");
}

const EXAMPLES: &str = "methods:
  RunErrand:
    success:
      with:
        street: main
        id: '${errand}'
        currency: EUR
        purchases: [{what: bread, cost: '350'}]
        note: it's new
";

fn contracts() -> Contracts {
    let mut contracts = Contracts::new([IMPORTS, errand::CONTRACT.descriptors]).unwrap();
    contracts.show("errand", EXAMPLES);
    contracts
}

fn now() -> Timestamp {
    "2026-11-29T12:00:00Z".parse().unwrap()
}

/// The options of a program: one of them is called like a field.
fn common(_: &Method) -> Vec<Arg> {
    let option = |name: &'static str| Arg::new(format!("@{name}")).long(name);
    vec![option("token"), option("timeout")]
}

/// What words are refused with by clap, or what they matched.
fn matched(words: &[&str]) -> Result<clap::ArgMatches, String> {
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    let commands = commands(&contracts(), &words, common, now());
    let root = Command::new("stoa").no_binary_name(true).subcommands(commands);
    root.try_get_matches_from(&words).map_err(|error| error.to_string())
}

fn asked(words: &[&str]) -> stoa_kit::Result<Ask> {
    let matches = matched(words).unwrap_or_else(|error| panic!("{words:?}: {error}"));
    let (service, matches) = matches.subcommand().unwrap();
    Ask::read(&contracts(), service, matches).unwrap()
}

/// The request that words say.
fn request(words: &[&str]) -> Value {
    let words = [&["errand", "run-errand"], words].concat();
    asked(&words).unwrap_or_else(|error| panic!("{words:?}: {error}")).request
}

/// What words are refused with: by clap, or because together they say nothing.
fn refused(words: &[&str]) -> String {
    let words = [&["errand", "run-errand"], words].concat();
    match matched(&words) {
        Err(said) => said,
        Ok(_) => asked(&words).err().unwrap_or_else(|| panic!("{words:?}")).message().to_owned(),
    }
}

fn method(command: &str) -> Method {
    contracts().service("errand").unwrap().method(command).unwrap().clone()
}

/// A reply, as it is written.
fn written(command: &str, format: Format, width: Option<usize>, reply: &Value) -> String {
    Page { format, width, colour: false }.write(&method(command), reply).unwrap()
}
