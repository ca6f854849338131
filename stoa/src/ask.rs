//! A method of a node, asked by the command line.

use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use clap::{Arg, ArgAction};
use serde_json::{Value, json};
use stoa_cli::{Ask, Contracts, Format, Method, Page};
use stoa_contract::Kind;
use stoa_kit::{Code, Error, Result, Violation};
use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;

use crate::client::{Call, Client, TIMEOUT};
use crate::profile::{self, Options, Profile};
use crate::setup::entropy;
use crate::watch;

/// Why it ends where who reads has seen enough, as in `stoa system list-services | head`.
pub(crate) const ENOUGH: &str = "cli.enough";

/// The options that every method has besides its fields.
pub(crate) fn options(method: &Method) -> Vec<Arg> {
    let mut all = common();
    if method.is_paged() {
        let all_pages = Arg::new("@all").long("all").action(ArgAction::SetTrue);
        all.push(all_pages.help("Every page, as one list"));
    }
    if method.kind == Kind::Command {
        let dry_run = Arg::new("@dry-run").long("dry-run").action(ArgAction::SetTrue);
        all.push(dry_run.help("Run it, show what it would write, and undo it"));
    }
    if method.kind == Kind::Query && !method.streams() {
        let watch = Arg::new("@watch").long("watch").action(ArgAction::SetTrue);
        all.push(watch.help("What it says now, and again whenever that changes, until Ctrl-C"));
    }
    let explain = Arg::new("@explain").long("explain").action(ArgAction::SetTrue);
    all.push(explain.help("Who may, and whether you may; it is not done"));
    if method.kind != Kind::Query && !method.streams() {
        let key = Arg::new("@key").long("key").value_name("KEY");
        all.push(
            key.help("An idempotency key, to ask again without doing it again [one of its own]"),
        );
    }
    all
}

/// Those that may stand before a service as well.
pub(crate) fn common() -> Vec<Arg> {
    let output = Arg::new("@output").long("output").short('o').value_name("FORMAT");
    let words = Format::WORDS.iter().map(|(word, _)| *word);
    let mut all = vec![
        output
            .value_parser(words.collect::<Vec<_>>())
            .help("How the reply is written [table on a terminal, else json]"),
        Arg::new("@timeout")
            .long("timeout")
            .value_name("DURATION")
            .value_parser(|text: &str| stoa_cli::duration(text).map(|_| text.to_owned()))
            .help("How long it may take [60s]"),
    ];
    all.extend(profile::options());
    all
}

/// Asks, and writes what is replied.
///
/// # Errors
/// What the node answers, with the options that say the fields at fault.
pub(crate) fn run(contracts: &Contracts, mut ask: Ask, options: &Options<'_>) -> Result<()> {
    if options.has("@all") && options.has("@watch") {
        let message = "--all asks for pages one after another, and --watch watches one";
        return Err(Error::new(Code::InvalidArgument, "cli.usage", message)
            .help("Say --page-size to watch a longer page."));
    }
    if options.has("@all") {
        ask.widen();
    }
    let ask = &ask;
    let target = profile::target(options)?;
    let mut client = target.client()?;
    let page = page(options);
    if options.has("@explain") {
        return explain(contracts, ask, &mut client, &page);
    }
    let call = call(ask, options, &target)?;
    if options.has("@watch") {
        let outcome = watch::run(contracts, ask, &target, page);
        return outcome.map_err(|error| in_words_of_options(ask, &call, error));
    }
    let outcome = block_on(async {
        if ask.method.streams() {
            return while_somebody_reads(follow(ask, &mut client, &call, &page)).await;
        }
        if options.has("@all") {
            return all_pages(ask, &mut client, &call, &page).await;
        }
        let reply = client.insist(&call).await?;
        if call.dry_run {
            let told = reply.dry_run.ok_or_else(it_was_done)?;
            return say(&page.dry_run(&ask.method, &reply.body, &told)?);
        }
        say(&page.write(&ask.method, &reply.body)?)?;
        let is_told = !call.is_query && std::io::stderr().is_terminal();
        if let Some(position) = reply.position.filter(|_| is_told) {
            let again = if reply.replayed { ", as before: it was not done again" } else { "" };
            note(&format!("committed at {position}{again}"))?;
        }
        if ask.method.next_page(&reply.body).is_some() {
            note("there is more: --all shows every page")?;
        }
        Ok(())
    });
    outcome.map_err(|error| in_words_of_options(ask, &call, error))
}

/// The call that asks it.
///
/// # Errors
/// Where a request cannot be written.
pub(crate) fn call(ask: &Ask, options: &Options<'_>, target: &Profile) -> Result<Call> {
    let body = serde_json::to_vec(&ask.request).map_err(Error::internal)?;
    let is_query = ask.method.kind == Kind::Query;
    let dry_run = options.has("@dry-run");
    let key = match options.text("@key") {
        // Nothing happens under it.
        _ if dry_run => None,
        Some(key) => Some(key),
        // Nobody has no key: there is nobody to remember it for.
        None if is_query || ask.method.streams() || target.token.is_none() => None,
        None => Some(random_key()?),
    };
    let timeout = options.text("@timeout").and_then(|text| stoa_cli::duration(&text).ok());
    let timeout = timeout.filter(|timeout| *timeout > Duration::ZERO).unwrap_or(TIMEOUT);
    Ok(Call { key, timeout, is_query, dry_run, ..Call::new(ask.method.path(), body) })
}

/// Writes replies as they come.
async fn follow(ask: &Ask, client: &mut Client, call: &Call, page: &Page) -> Result<()> {
    let mut replies = client.follow(call).await?;
    while let Some(reply) = replies.next().await? {
        say(&page.write(&ask.method, &reply)?)?;
    }
    Ok(())
}

/// What the node says about who may call a method.
fn explain(contracts: &Contracts, ask: &Ask, client: &mut Client, page: &Page) -> Result<()> {
    let system = contracts.service("system");
    let method = system.and_then(|system| system.method("explain-access"));
    let method = method.ok_or_else(|| Error::internal("a node explains access"))?;
    let request = json!({"method": ask.method.path()}).to_string();
    let call = Call { is_query: true, ..Call::new(method.path(), request) };
    let reply = block_on(client.insist(&call))?;
    say(&page.write(method, &reply.body)?)
}

/// A node of an earlier version does not know the word, and does what it is asked.
fn it_was_done() -> Error {
    Error::new(
        Code::FailedPrecondition,
        "client.dry_run",
        "the node knows no dry runs: it was done",
    )
    .help("Run a node of this version, and look at what was written.")
}

fn random_key() -> Result<String> {
    let mut bytes = [0u8; 16];
    entropy(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn all_pages(ask: &Ask, client: &mut Client, call: &Call, page: &Page) -> Result<()> {
    let mut all: Option<Value> = None;
    let mut call = call.clone();
    loop {
        let reply = client.insist(&call).await?.body;
        let next = ask.method.next_page(&reply);
        match &mut all {
            Some(all) => ask.method.append(all, reply),
            None => all = Some(reply),
        }
        let Some(next) = next else { break };
        let request = ask.page(&next);
        call.body = serde_json::to_vec(&request).map_err(Error::internal)?.into();
    }
    let mut all = all.unwrap_or_default();
    if let Some(fields) = all.as_object_mut() {
        fields.remove("nextPageToken");
    }
    say(&page.write(&ask.method, &all)?)
}

/// Where and how replies are written.
fn page(options: &Options<'_>) -> Page {
    let terminal = std::io::stdout().is_terminal();
    let said = options.text("@output").and_then(|word| Format::of_word(&word));
    let width = terminal_size::terminal_size().filter(|_| terminal);
    Page {
        format: said.unwrap_or(if terminal { Format::Table } else { Format::Json }),
        width: width.map(|(width, _)| usize::from(width.0)),
        colour: terminal && !no_colour(),
    }
}

#[allow(clippy::disallowed_methods, reason = "NO_COLOR is how people say that they want none")]
fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// A refusal, in the words of whoever wrote the command line: fields by their options, and the key
/// under which it can be asked again.
fn in_words_of_options(ask: &Ask, call: &Call, error: Error) -> Error {
    if !error.violations().is_empty() {
        let violations = error.violations().iter().map(|violation| Violation {
            path: ask.option(&violation.path).unwrap_or_else(|| violation.path.clone()),
            ..violation.clone()
        });
        return Error::invalid(violations.collect())
            .help("Correct these options; `--help` behind the method tells about each.");
    }
    match (&call.key, error.code()) {
        (Some(key), Code::Unavailable | Code::DeadlineExceeded | Code::Internal) => {
            let help = format!("{} The key was {key}: --key {key}.", error.next());
            error.help(help)
        }
        _ => error,
    }
}

/// Runs what asks a node.
pub(crate) fn block_on<T>(asks: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Error::internal)?.block_on(asks)
}

/// Writes to whoever reads.
///
/// # Errors
/// [`ENOUGH`] where nobody reads any more.
pub(crate) fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Error::new(Code::Canceled, ENOUGH, "nobody reads"),
        _ => Error::internal(error),
    })
}

/// Does what writes from time to time, until nobody reads any more, as far as that is told before
/// something is written.
///
/// # Errors
/// [`ENOUGH`] then, or what it fails with.
pub(crate) async fn while_somebody_reads(writing: impl Future<Output = Result<()>>) -> Result<()> {
    let unread = async {
        let out = std::io::stdout().as_fd().try_clone_to_owned();
        let gone = match out.and_then(Sender::from_owned_fd_unchecked) {
            Ok(out) => out.ready(Interest::ERROR).await.is_ok(),
            Err(_) => false,
        };
        match gone {
            true => Err(Error::new(Code::Canceled, ENOUGH, "nobody reads")),
            // A file is always there.
            false => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        outcome = writing => outcome,
        outcome = unread => outcome,
    }
}

pub(crate) fn note(line: &str) -> Result<()> {
    writeln!(std::io::stderr().lock(), "{line}").map_err(Error::internal)
}
