//! `stoa bench`: what a node does in a second, and what the same database does without it.
//!
//! The node is a process of its own, and every call is authenticated, authorized and validated;
//! every write carries an idempotency key. The load comes from this process, on the same machine.

mod access;
mod certs;
mod cluster;
mod events;
mod grpc;
mod load;
mod oidc;
mod raw;
mod watch;
mod work;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};
use stoa_kit::{Error, Result};
use stoa_store::Place;

use crate::child::{Child, Site};
use crate::config::invalid;
use crate::setup::Secrets;
use crate::wire::{Prefix, Wire};
use cluster::Cluster;
use load::Outcome;
use work::Work;

/// The command line.
pub(crate) fn command() -> Command {
    let text = |name: &'static str, value: &'static str, default: &'static str| {
        Arg::new(name).long(name).value_name(value).default_value(default)
    };
    Command::new("bench")
        .about("Measures a node, and the database without it")
        .arg(text("engine", "NAME", "both").help("sqlite, postgres or both"))
        .arg(
            text("seconds", "N", "3")
                .value_parser(value_parser!(u32).range(1..))
                .help("How long each measurement takes"),
        )
        .arg(text("names", "NAMES", "").help("What to measure, with commas; all if empty"))
        .arg(
            text("data", "DIR", "data/bench")
                .help("Where the embedded database is while it is measured"),
        )
        .arg(text("database", "URL", "").help(
            "An empty PostgreSQL database; STOA_BENCH_DATABASE, or a server of its own, if absent",
        ))
}

/// What a run was asked for.
struct Wanted {
    seconds: Duration,
    names: Vec<String>,
    directory: PathBuf,
}

impl Wanted {
    fn name(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == name)
    }
}

/// Runs the bench.
#[allow(clippy::disallowed_methods, reason = "the database may come from the environment")]
pub(crate) fn run(matches: &ArgMatches) -> Result<()> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let engines: &[&str] = match text("engine").as_str() {
        "sqlite" => &["sqlite"],
        "postgres" => &["postgres"],
        "both" => &["sqlite", "postgres"],
        other => return Err(invalid(format!("engine: there is no `{other}`"))),
    };
    let names = text("names");
    let names: Vec<String> =
        names.split(',').map(str::trim).filter(|n| !n.is_empty()).map(str::to_owned).collect();
    if let Some(name) = names.iter().find(|name| !work::NAMES.contains(&name.as_str())) {
        return Err(invalid(format!("names: there is no `{name}`; {}", work::NAMES.join(", "))));
    }
    let seconds = matches.get_one::<u32>("seconds").copied().unwrap_or(3);
    let directory = PathBuf::from(text("data")).join(std::process::id().to_string());
    let wanted = Wanted { seconds: Duration::from_secs(seconds.into()), names, directory };
    let mut url = text("database");
    if url.is_empty() {
        url = std::env::var("STOA_BENCH_DATABASE").unwrap_or_default();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::internal)?;
    let outcome = engines.iter().try_for_each(|engine| measure(&runtime, engine, &url, &wanted));
    // What was measured is of no use to anybody.
    let _ = std::fs::remove_dir_all(&wanted.directory);
    outcome
}

/// Measures one engine: the node, and before and after it the database alone, since a machine is
/// not equally fast all the time.
fn measure(
    runtime: &tokio::runtime::Runtime, engine: &'static str, url: &str, wanted: &Wanted,
) -> Result<()> {
    let cluster = match (engine, url) {
        ("postgres", "") => Some(runtime.block_on(Cluster::start())?),
        _ => None,
    };
    let database = match engine {
        "postgres" => cluster.as_ref().map_or_else(|| url.to_owned(), Cluster::url),
        _ => String::new(),
    };
    let site = Site { directory: wanted.directory.join(engine), database: database.clone() };
    let alone = |round: u32| -> Result<Option<Outcome>> {
        if !wanted.name("transfer") {
            return Ok(None);
        }
        let outcome = match engine {
            "postgres" => runtime.block_on(raw::postgres(&database, wanted.seconds, round)),
            _ => raw::sqlite(&wanted.directory, wanted.seconds, round),
        };
        outcome.map(Some)
    };
    let before = alone(1)?;
    let measured = match wanted.names.as_slice() {
        [only] if only == "events" => Vec::new(),
        _ => on_a_node(runtime, engine, &site, wanted)?,
    };
    if wanted.name("events") {
        let place = match database.as_str() {
            "" => Place::Directory(site.directory.join("events")),
            url => Place::Url(url.to_owned()),
        };
        say(&runtime.block_on(events::run(engine, place, wanted.seconds))?)?;
    }
    let mut rounds = Vec::new();
    for (round, alone) in [before, alone(2)?].into_iter().flatten().enumerate() {
        say(&format!(
            "bench raw_transfer engine={engine} callers={} round={} per_s={:.0} p50_ms={:.2} p99_ms={:.2}",
            raw::callers(engine),
            round + 1,
            alone.per_s,
            alone.p50_ms,
            alone.p99_ms
        ))?;
        rounds.push(alone.per_s);
    }
    let alone = rounds.iter().sum::<f64>() / (rounds.len() as f64).max(1.0);
    measured.iter().try_for_each(|(callers, per_s)| {
        let ratio = per_s / alone.max(1.0);
        say(&format!("ratio transfer engine={engine} callers={callers} stoa/raw={ratio:.2}"))
    })
}

/// Measures a node in a process of its own; gives how many transfers a second so many callers made.
fn on_a_node(
    runtime: &tokio::runtime::Runtime, engine: &'static str, site: &Site, wanted: &Wanted,
) -> Result<Vec<(usize, f64)>> {
    let start = |name: &str, child: &Child| {
        let ms = child.state().borrow().ready.as_secs_f64() * 1e3;
        say(&format!("bench {name} engine={engine} ready_ms={ms:.0}"))
    };
    let child = Child::start(site)?;
    if wanted.name("start") {
        start("start_empty", &child)?;
    }
    let mut secrets = Secrets::open(&site.directory.join("bench.json"))?;
    let work = runtime.block_on(Work::prepare(engine, &child, site, &mut secrets))?;
    if wanted.name("check_access") {
        runtime.block_on(access::relate(&child, work.token()))?;
    }
    let measured = runtime.block_on(cases(&work, wanted))?;
    if wanted.name("watch") {
        runtime.block_on(watch::run(&work, &child, wanted.seconds))?;
    }
    child.stop();
    if wanted.name("start") {
        let again = Child::start(site)?;
        start("start_with_data", &again)?;
        again.stop();
    }
    Ok(measured)
}

/// Runs every case that was asked for; gives how many transfers a second so many callers made.
async fn cases(work: &Work, wanted: &Wanted) -> Result<Vec<(usize, f64)>> {
    let (mut transfers, mut measured) = (Vec::new(), BTreeMap::new());
    for case in work.cases().iter().filter(|case| wanted.name(case.name)) {
        let before = work.counters().await?;
        let salt = format!("{}-{}", case.name, case.callers);
        let address = work.address()?;
        let outcome = if case.name == "get_account_busy" {
            let busy = work.transfers(64);
            let (outcome, other) = tokio::join!(
                load::run(case, address, wanted.seconds, &salt),
                load::run(&busy, address, wanted.seconds, "busy"),
            );
            other?;
            outcome?
        } else {
            load::run(case, address, wanted.seconds, &salt).await?
        };
        let after = work.counters().await?;
        say(&format!(
            "bench {} engine={} callers={} per_s={:.0} p50_ms={:.2} p99_ms={:.2} rss_mb={:.0} wal_mb={:.1} retries={:.0} per_commit={:.1}",
            case.name,
            work.engine,
            case.callers,
            outcome.per_s,
            outcome.p50_ms,
            outcome.p99_ms,
            work.resident_mb(),
            work.log_mb(),
            after.retries - before.retries,
            (after.commits - before.commits) / (after.batches - before.batches).max(1.0),
        ))?;
        if case.name == "transfer" {
            transfers.push((case.callers, outcome.per_s));
        }
        if case.callers == 64 {
            measured.insert(case.name, outcome.per_s);
        }
    }
    for what in ["transfer", "get_account"] {
        let faces = faces(what, &measured);
        if let (Some(before), false) = (measured.get(what), faces.is_empty()) {
            // Once more, behind them: a node is not as fast when it has more rows.
            let cases = work.cases();
            let case = cases.iter().find(|case| case.name == what && case.callers == 64);
            let case = case.ok_or_else(|| Error::internal("no such case"))?;
            let after = load::run(case, work.address()?, wanted.seconds, "after").await?;
            let connect = f64::midpoint(*before, after.per_s).max(1.0);
            let ratios =
                faces.iter().map(|(face, per_s)| format!(" {face}={:.2}", per_s / connect));
            let ratios: String = ratios.collect();
            say(&format!("ratio {what} engine={} connect=1.00{ratios}", work.engine))?;
        }
    }
    Ok(transfers)
}

/// What faces made of a call that was measured on Connect too.
fn faces(what: &str, measured: &BTreeMap<&str, f64>) -> Vec<(&'static str, f64)> {
    let of = |face| Some((face, *measured.get(format!("{what}_{face}").as_str())?));
    ["rest", "grpc", "graphql", "mcp"].into_iter().filter_map(of).collect()
}

/// What a node counts.
struct Counters {
    commits: f64,
    batches: f64,
    retries: f64,
}

impl Counters {
    async fn read(address: std::net::SocketAddr) -> Result<Self> {
        let lost = |error| Error::unavailable("bench.node", format!("no metrics: {error}"));
        let mut wire = Wire::connect(address).await.map_err(lost)?;
        let answer = wire.ask(&Prefix::get("/metrics"), None, b"").await.map_err(lost)?;
        let text = String::from_utf8_lossy(answer.body).into_owned();
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.trim().parse().ok()).unwrap_or(0.0)
        };
        Ok(Self {
            commits: value("stoa_commits_total"),
            batches: value("stoa_batches_total"),
            retries: value("stoa_retries_total"),
        })
    }
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Error::internal)
}
