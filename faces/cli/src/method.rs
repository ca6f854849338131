//! The commands: one for each service, and below it one for each of its methods.

use clap::{Arg, Command};
use jiff::Timestamp;
use stoa_contract::Kind;

use crate::contracts::{Contracts, Method, Service};
use crate::flags::{self, Flag};
use crate::{example, kebab};

/// The option for a whole message.
pub(crate) const JSON: &str = "@json";

/// The commands of all services. Options are made for the services alone that some words name, for
/// there are many: the words of the command line that will be read.
///
/// `common` gives the options that a method has besides its own. A field that is called like one of
/// them takes its place: whoever wants the other gives it before the service.
pub fn commands(
    contracts: &Contracts, words: &[String], common: fn(&Method) -> Vec<Arg>, now: Timestamp,
) -> Vec<Command> {
    let commands = contracts.services().iter().map(|service| {
        let wanted = words.contains(&service.name);
        let methods = service.methods.iter().map(|method| match wanted {
            true => command_of(service, method, common(method), now),
            false => head(method),
        });
        Command::new(service.name.clone())
            .about(sentence(&service.doc))
            .long_about(service.doc.clone())
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommand_value_name("METHOD")
            .subcommand_help_heading("Methods")
            .disable_help_subcommand(true)
            .subcommands(methods)
    });
    commands.collect()
}

fn head(method: &Method) -> Command {
    Command::new(method.command.clone()).about(sentence(&method.doc))
}

/// The command of a method, whole.
fn command_of(service: &Service, method: &Method, common: Vec<Arg>, now: Timestamp) -> Command {
    let flags = flags::of(&method.descriptor.input());
    let positional = positional(method, &flags);
    let own = flags.iter().map(|flag| {
        let arg = flag.arg(&flags, now);
        match positional.iter().any(|place| place.id() == flag.id()) {
            true => arg.hide(true).conflicts_with(place(flag)),
            false if flag.of_item => arg.help_heading(heading(flag)),
            false => arg,
        }
    });
    let places = positional.iter().map(|flag| {
        let arg = flag.arg(&flags, now);
        Arg::new(place(flag))
            .value_name(kebab(flag.field().name()).to_ascii_uppercase())
            .help(flag.help())
            .value_parser(arg.get_value_parser().clone())
    });
    let json = Arg::new(JSON).long("json").value_name("JSON").help(
        "The request as JSON; @FILE reads a file, - what is piped in. Options are put on top",
    );
    let taken = |arg: &Arg| flags.iter().any(|flag| arg.get_long() == Some(&flag.name));
    let common = [json].into_iter().chain(common).filter(|arg| !taken(arg));
    let common = common.map(|arg| arg.help_heading("Request"));
    head(method)
        .long_about(long_about(method))
        .after_long_help(example::section(service, method))
        .args(own)
        .args(places)
        .args(common)
}

/// The fields that the method's path of REST names: they are given without their options' names.
pub(crate) fn positional<'a>(method: &Method, flags: &'a [Flag]) -> Vec<&'a Flag> {
    let named = method.in_path.iter();
    named.filter_map(|name| flags.iter().find(|flag| flag.id() == *name)).collect()
}

/// The argument that a field is where its path of REST names it.
pub(crate) fn place(flag: &Flag) -> String {
    format!("@{}", flag.id())
}

fn heading(flag: &Flag) -> String {
    format!("Options, for one of --{}", kebab(flag.path[0].name()))
}

fn long_about(method: &Method) -> String {
    let who = match method.permission.as_str() {
        "public" => "Anybody may.".to_owned(),
        "authenticated" => "Anybody who signed in may.".to_owned(),
        name => format!("It needs the permission `{name}`."),
    };
    let what = match method.kind {
        Kind::Query => "It reads, and changes nothing.",
        Kind::Command => "It is one commit: all of it happens, or nothing.",
        Kind::Effect => "It reaches outside of the store.",
    };
    format!("{}\n\n{what} {who}", method.doc)
}

/// The first sentence, on one line.
fn sentence(doc: &str) -> String {
    let paragraph = doc.split("\n\n").next().unwrap_or("").replace('\n', " ");
    paragraph.split(". ").next().unwrap_or("").trim_end_matches('.').to_owned()
}
