//! Commands that ask a node: `call`, `services`, `commit show`.

use std::io::Write;

use clap::ArgMatches;
use serde_json::{Value, json};
use stoa_kit::{Error, Result};

use crate::client::{Client, Reply};
use crate::config::invalid;

/// `stoa call SERVICE METHOD REQUEST`.
pub(crate) fn call(matches: &ArgMatches) -> Result<()> {
    let text = argument(matches, "request");
    let request: Value =
        serde_json::from_str(text).map_err(|error| invalid(format!("not JSON: {error}")))?;
    let key = matches.get_one::<String>("key").map(String::as_str);
    let (service, method) = (argument(matches, "service"), argument(matches, "method"));
    let reply = ask(matches, service, method, &request, key)?;
    say(&serde_json::to_string_pretty(&reply.body).map_err(Error::internal)?)?;
    match reply.position {
        Some(position) if reply.replayed => say(&format!("position {position} (replayed)")),
        Some(position) => say(&format!("position {position}")),
        None => Ok(()),
    }
}

/// `stoa services`.
pub(crate) fn services(matches: &ArgMatches) -> Result<()> {
    let reply = ask(matches, "system", "ListServices", &json!({}), None)?;
    for service in reply.body["services"].as_array().into_iter().flatten() {
        say(&format!("{}: {}", text(&service["name"]), first_line(text(&service["doc"]))))?;
        for method in service["methods"].as_array().into_iter().flatten() {
            let (name, kind) = (text(&method["name"]), text(&method["kind"]));
            say(&format!("  {kind:<8}{name:<28}{}", text(&method["permission"])))?;
        }
    }
    Ok(())
}

/// `stoa commit show POSITION`.
pub(crate) fn commit(matches: &ArgMatches) -> Result<()> {
    let request = json!({"position": argument(matches, "position")});
    let reply = ask(matches, "system", "GetCommit", &request, None)?;
    let commit = &reply.body["commit"];
    for name in ["position", "time", "cause", "caller", "method", "trace"] {
        say(&format!("{name:<10}{}", text(&commit[name])))?;
    }
    say(&format!("{:<10}{} µs", "took", text(&commit["durationUs"])))?;
    let names: Vec<&str> = list(&commit["services"]).map(text).collect();
    say(&format!("{:<10}{}", "services", names.join(", ")))?;
    for table in list(&commit["tables"]) {
        say(&format!("{:<10}{} × {}", "rows", text(&table["rows"]), text(&table["table"])))?;
    }
    for key in list(&commit["touched"]) {
        say(&format!("{:<10}{}", "touched", text(key)))?;
    }
    for event in list(&commit["events"]) {
        say(&format!(
            "{:<10}{} about {}",
            "event",
            text(&event["topic"]),
            text(&event["subject"])
        ))?;
    }
    for job in list(&commit["jobs"]) {
        let (method, state) = (text(&job["method"]), text(&job["state"]));
        say(&format!("{:<10}{} {method} ({state})", "job", text(&job["id"])))?;
    }
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "a token may come from the environment")]
fn ask(
    matches: &ArgMatches, service: &str, method: &str, request: &Value, key: Option<&str>,
) -> Result<Reply> {
    let token = matches.get_one::<String>("token").cloned();
    let token = token.or_else(|| std::env::var("STOA_TOKEN").ok());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::internal)?;
    runtime.block_on(async {
        let tenant = matches.get_one::<String>("tenant").cloned();
        let mut client = Client::new(argument(matches, "url"), token)?.of_tenant(tenant);
        client.call(service, method, request, key).await
    })
}

fn argument<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches.get_one::<String>(name).map_or("", String::as_str)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("")
}

fn say(line: &str) -> Result<()> {
    match writeln!(std::io::stdout().lock(), "{line}") {
        // Who reads has seen enough, as in `stoa services | head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Error::internal),
    }
}
