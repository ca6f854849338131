//! The command line as a whole: what this program does itself, and the methods of services.

use clap::{Arg, ArgMatches, Command};
use stoa_cli::Contracts;
use stoa_kit::Result;

use crate::config::{Config, SETTINGS, Setting};
use crate::{ask, bench, demo, login, profile};

/// What the program does itself.
fn own() -> Vec<Command> {
    let settings = || SETTINGS.iter().map(flag);
    vec![
        Command::new("up").about("Starts a node").args(settings()),
        login::command(),
        login::logout_command(),
        profile::command(),
        backup(),
        Command::new("keys")
            .about("Looks after the root key")
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommand(
                Command::new("rotate")
                    .about(
                        "Takes another root key, and wraps anew what the old one wrapped; stop the \
                         node before",
                    )
                    .args(settings()),
            ),
        demo::command(),
        bench::command(),
        completion(),
    ]
}

/// The whole command line. The options of methods are there for services that `words` name.
pub(crate) fn root(contracts: &Contracts, words: &[String]) -> Command {
    let own = own();
    let is_own = |command: &Command| own.iter().any(|own| own.get_name() == command.get_name());
    let services = stoa_cli::commands(contracts, words, ask::options, now());
    let hidden = services.iter().filter(|command| !is_own(command)).cloned().collect::<Vec<_>>();
    let call = Command::new("call")
        .about("Calls a method of a service that is called like one of these commands")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand_value_name("SERVICE")
        .subcommand_help_heading("Services")
        .disable_help_subcommand(true)
        .subcommands(services);
    let help = help(&[own.as_slice(), std::slice::from_ref(&call)].concat(), &hidden);
    Command::new("stoa")
        .about("A backend in one binary")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true)
        .args(ask::common())
        .override_help(help)
        .subcommands(own)
        .subcommand(call)
        .subcommands(hidden)
}

/// What `stoa --help` says: commands by what they are about.
fn help(own: &[Command], services: &[Command]) -> String {
    let widest = own.iter().chain(services).map(|command| command.get_name().len()).max();
    let width = widest.unwrap_or_default();
    let lines = |commands: &[Command]| -> String {
        let line = |command: &Command| {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            format!("  {:<width$} {about}\n", command.get_name())
        };
        commands.iter().map(line).collect()
    };
    format!(
        "A backend in one binary\n\n\
         Usage: stoa COMMAND\n       stoa [OPTIONS] SERVICE METHOD …\n\n\
         Commands:\n{}\nServices:\n{}\n\
         Options:\n\
         {:2}-o, --output FORMAT    json, yaml, table or wide [table on a terminal, else json]\n\
         {:2}    --profile NAME     The profile to ask as [the one in use]\n\
         {:2}    --url URL          The node to ask [that of the profile]\n\
         {:2}-h, --help             Behind a service its methods, behind a method its options\n\
         {:2}-V, --version          The version of this program\n",
        lines(own),
        lines(services),
        "",
        "",
        "",
        "",
        "",
    )
}

/// What `stoa` alone says: what to do next.
pub(crate) fn next(is_signed_in: bool) -> &'static str {
    match is_signed_in {
        false => {
            "Three commands to try next:\n\n  \
             stoa up          a node on http://127.0.0.1:8080, its data in ./data\n  \
             stoa login       signs in to it, once it has an administrator\n  \
             stoa --help      every command and every service\n"
        }
        true => {
            "Three commands to try next:\n\n  \
             stoa system list-services      what the node can do\n  \
             stoa auth who-am-i             as whom it sees you\n  \
             stoa --help                    every command and every service\n"
        }
    }
}

/// Settings that only a copy of the database needs.
fn backup() -> Command {
    let place = ["data", "database", "blobs"];
    let place = SETTINGS.iter().filter(|setting| place.contains(&setting.key));
    let backup = Command::new("backup")
        .about("Copies the database and its blobs, also of a node that runs, and looks through the copy")
        .arg(Arg::new("to").value_name("DIR").required(true).help("A directory of its own"));
    backup.args(place.map(flag))
}

fn flag(setting: &Setting) -> Arg {
    Arg::new(setting.key).long(setting.flag()).value_name("VALUE").help(setting.help)
}

fn completion() -> Command {
    let shells = ["bash", "zsh", "fish"];
    Command::new("completion")
        .about("Writes what completes command lines of a shell")
        .arg(Arg::new("shell").value_name("SHELL").required(true).value_parser(shells))
        .after_help(
            "bash: source <(stoa completion bash)\n\
             zsh:  source <(stoa completion zsh)\n\
             fish: stoa completion fish | source",
        )
}

/// `stoa completion`.
pub(crate) fn complete(contracts: &Contracts, matches: &ArgMatches) -> Result<()> {
    use clap_complete::Shell;
    let shell = match matches.get_one::<String>("shell").map(String::as_str) {
        Some("zsh") => Shell::Zsh,
        Some("fish") => Shell::Fish,
        _ => Shell::Bash,
    };
    let names = contracts.services().iter().map(|service| service.name.clone());
    let mut root = root(contracts, &names.collect::<Vec<_>>());
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut root, "stoa", &mut script);
    ask::say(&String::from_utf8_lossy(&script))
}

/// A configuration, with what a command line says of it.
pub(crate) fn settings(matches: &ArgMatches) -> Result<Config> {
    let flags = SETTINGS.iter().filter_map(|setting| {
        let value = matches.try_get_one::<String>(setting.key).ok()??;
        Some((setting.key.to_owned(), value.clone()))
    });
    Config::load(flags.collect())
}

#[allow(clippy::disallowed_methods, reason = "what is said of a time may depend on now")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
