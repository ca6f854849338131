//! `stoa up`: a node, from configuration to the end of its drain.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use stoa_auth_v1::PrepareSetupRequest;
use stoa_console::Console;
use stoa_graphql::GraphQl;
use stoa_kit::blobs::Objects;
use stoa_kit::outbound::Http;
use stoa_kit::ports::{Mailer, Ports};
use stoa_kit::{Caller, Cause, Error, MAIN, Request, Result, World, world};
use stoa_live::Live;
use stoa_mcp::Mcp;
use stoa_node::{Body, Call, Face, Logs, Node, Parts, RootKey};
use stoa_rest::Rest;
use stoa_smtp::{Patience, Smtp};
use stoa_store::{Directory, Options};

use crate::Catalogue;
use crate::config::Config;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Starts a node and runs it until it is told to stop.
pub(crate) fn run(catalogue: &Catalogue, config: Config) -> Result<()> {
    let world: Arc<dyn World> = world::Real::new();
    let logs = Logs::new(&world);
    stoa_node::install_log(config.log_format, &config.log_filter, &logs);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Error::internal)?;
    runtime.block_on(serve(catalogue, config, world, logs))
}

async fn serve(
    catalogue: &Catalogue, config: Config, world: Arc<dyn World>, logs: Arc<Logs>,
) -> Result<()> {
    let stop = told_to_stop()?;
    outlive_limits()?;
    let http = stoa_http::Client::new(config.outbound.clone(), stoa_http::system())?;
    let objects = Directory::new(config.blobs.clone());
    let mut ports =
        Ports::default().with::<dyn Http>(Arc::new(http)).with::<dyn Objects>(Arc::new(objects));
    if !config.mail.is_empty() {
        let (from, name) = (&config.mail_from, &config.mail_name);
        let smtp = Smtp::new(&config.mail, from, name, Patience::default())?;
        ports = ports.with::<dyn Mailer>(Arc::new(smtp));
    }
    let node = Node::open(Parts {
        name: name(&config).into(),
        services: catalogue.services(&config.services)?,
        store: store(&config),
        settings: config.settings.clone(),
        root: RootKey::File(config.root_key.clone()),
        configuration: config.shown.clone(),
        world,
        logs,
        ports,
        log_kept: config.log_commits.into(),
        commits_kept: DAY * config.commit_days,
        calls_per_second: config.calls_per_second,
        anonymous_per_second: config.anonymous_per_second,
    })
    .await?;
    let code = setup_code(&node).await?;
    let broken = node.store().broken();
    let faces = faces(&node, &config);
    let server = stoa_node::serve(node, faces, config.listen).await?;
    say(&format!("listening http://{}", server.address))?;
    if let Some(code) = code {
        say(&format!("set-up code {code}"))?;
        say(&format!("create the administrator: http://{}/#{code}", server.address))?;
    }
    let ended = tokio::select! {
        () = stop => Ok(()),
        error = broken => Err(error),
    };
    tracing::info!("draining");
    server.stop().await;
    ended
}

/// The ways to call a node besides RPC.
fn faces(node: &Node, config: &Config) -> Vec<Arc<dyn Face>> {
    let registry = node.registry();
    let origins = config.listen.origins.clone();
    let mcp = stoa_mcp::Settings {
        origins,
        session_calls: config.mcp_session_calls,
        session_money: config.mcp_session_money.clone(),
        issuer: config.mcp_issuer.clone(),
    };
    vec![
        Arc::new(Rest::new(registry)),
        Arc::new(GraphQl::new(config.graphql_introspection)),
        Arc::new(Mcp::new(registry, mcp)),
        Arc::new(Live),
        Arc::new(Console::new(registry)),
    ]
}

/// How a node stores.
fn store(config: &Config) -> Options {
    Options {
        pool: config.pool as usize,
        accept_position: config.accept_position,
        ..Options::at(config.place.clone())
    }
}

/// Takes another root key, while no node runs.
pub(crate) fn rotate(catalogue: &Catalogue, config: &Config) -> Result<()> {
    let services = catalogue.services(&config.services)?;
    let runtime = tokio::runtime::Runtime::new().map_err(Error::internal)?;
    let rotated =
        stoa_node::rotate_root(services, store(config), world::Real::new(), &config.root_key);
    let count = runtime.block_on(rotated)?;
    say(&format!("wrapped {count} keys anew; keep a copy of {}", config.root_key.display()))
}

/// A one-time code to create the administrator, while there is none. Only its hash is kept, so
/// every start prints another one.
async fn setup_code(node: &Arc<Node>) -> Result<Option<String>> {
    let method = PrepareSetupRequest::METHOD.path;
    let registry = Arc::clone(node.registry());
    if registry.method(method).is_none() {
        return Ok(None);
    }
    let mut secret = [0u8; 10];
    node.world().entropy(&mut secret);
    let code: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let code_hash = blake3::hash(code.as_bytes()).as_bytes().to_vec();
    let call = Call {
        method: method.to_owned(),
        caller: Caller::system(MAIN),
        request: Box::new(PrepareSetupRequest { code_hash }),
        key: None,
        fence: None,
        trace: String::new(),
        deadline: None,
        cause: Cause::Request,
        address: String::new(),
        position: None,
        dry_run: false,
    };
    let Body::Message(reply) = node.call(call).await?.body else { return Ok(None) };
    let reply = reply.into_any().downcast::<<PrepareSetupRequest as Request>::Reply>();
    let open = reply.is_ok_and(|reply| reply.open);
    Ok(open.then_some(code))
}

/// Ends at the first `SIGTERM` or `SIGINT` since the call, so that none between a node's first
/// line and its last is missed.
fn told_to_stop() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::internal)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// A file at the limit that the process has for files is a full disk, an error of whoever writes;
/// the signal that comes with it would end the node, and does not once somebody listens to it.
fn outlive_limits() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let limit = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    signal(limit).map(drop).map_err(Error::internal)
}

/// A node is known by where it can be reached: the same after a restart, and another on every
/// machine.
fn name(config: &Config) -> String {
    let system = rustix::system::uname();
    let machine = system.nodename().to_string_lossy();
    match config.listen.address.port() {
        0 => format!("{machine}/{}", std::process::id()),
        port => format!("{machine}:{port}"),
    }
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Error::internal)
}
