//! The node: what stands between a face and the services.
//!
//! A face knows contracts; services know the kit; the node brings them together. A call passes
//! through one pipeline, whatever face it came by: authenticate ▸ rate ▸ deadline ▸ authorize ▸
//! validate ▸ idempotency ▸ run. What happens without a caller — reactions to events, jobs,
//! timers — passes through the same commit.
//!
//! **Invariant:** a face gets an error or a reply that is durable, never both and never half.
//!
//! **Invariant:** nothing here names a service: the node iterates over manifests.

#![forbid(unsafe_code)]

mod auth;
mod background;
mod bearers;
mod blobs;
mod browser;
mod budget;
mod call;
mod door;
mod dry;
mod effect;
mod face;
mod fence;
mod guest;
mod health;
mod incoming;
mod invoke;
mod keys;
mod limit;
mod load;
mod log;
mod metrics;
mod outbound;
mod outgoing;
mod position;
mod quota;
mod raw;
mod reflection;
mod refusal;
mod ring;
mod rpc;
mod runner;
mod serve;
pub mod socket;
mod spoken;
mod stopping;
mod streams;
mod system;
mod tenants;
mod topics;
mod total;
mod unwound;
mod watch;
mod whence;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stoa_kit::ports::{self, Ports};
use stoa_kit::settings::Initial;
use stoa_kit::topic::Topics;
use stoa_kit::{Error, Registry, Result, Service, World};
use stoa_store::{Options, Store};

pub use auth::Visitor;
pub use background::Background;
pub use browser::{Origins, authority, cookie, is_own_page};
pub use call::{Answer, Asking, Body, Call, Conversation};
pub use contract::CONTRACT as SYSTEM;
pub use dry::DryRun;
pub use face::{Asked, Content, Face, Visit};
pub use guest::Guest;
pub use limit::Allowance;
pub use log::{Format as LogFormat, Keeping, Logs, install as install_log};
pub use position::Position;
pub use refusal::{shown, status};
pub use ring::{RootKey, rotate_root};
pub use rpc::tell;
pub use serve::{Listen, Port, Server, serve};
pub use stopping::until_stopped;
pub use watch::{Reply, Watch};
pub use whence::Proxies;

use bearers::Bearers;
use keys::Keys;
use limit::Limits;
use metrics::Metrics;
use outbound::Reach;
use quota::Quotas;
use runner::Runner;
use tenants::Directory;

mod contract {
    stoa_contract::contract!("system");
}

/// What a node is made of.
pub struct Parts {
    /// What it is called among the nodes of its cell. Whoever comes back under the same name goes
    /// on at once with what it was at.
    pub name: Arc<str>,
    /// The services.
    pub services: Vec<Service>,
    /// What services are told when it starts.
    pub settings: Vec<Initial>,
    /// Where and how it stores.
    pub store: Options,
    /// Where its root key is.
    pub root: RootKey,
    /// The world it lives in.
    pub world: Arc<dyn World>,
    /// What it was started with, to be shown.
    pub configuration: Vec<Configured>,
    /// Where what it logs is kept.
    pub logs: Arc<Logs>,
    /// What drivers provide.
    pub ports: Ports,
    /// Commits whose events the log keeps although every subscription has seen them: how far
    /// behind a follower may fall.
    pub log_kept: i64,
    /// How long the record of a commit is kept at least: who asked for what, and why. Records of
    /// what the log still holds are kept in any case.
    pub commits_kept: Duration,
    /// Calls a second that one caller may make; 0 for no limit.
    pub calls_per_second: u32,
    /// Calls a second that nobody in particular may make from one address; 0 for no limit.
    pub anonymous_per_second: u32,
}

/// One thing that a node was started with, and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    /// What it is called.
    pub name: String,
    /// What it is; without what is secret in it.
    pub value: String,
    /// `default`, a file, a variable or a flag.
    pub source: String,
}

/// A node that is open: it takes calls and works in the background when told to.
pub struct Node {
    name: Arc<str>,
    registry: Arc<Registry>,
    store: Store,
    world: Arc<dyn World>,
    ports: Ports,
    reach: Reach,
    keys: Keys,
    directory: Directory,
    bearers: Bearers,
    limits: Limits,
    quotas: Quotas,
    hub: watch::Hub,
    topics: Arc<dyn Topics>,
    metrics: Metrics,
    pool: runner::Pool,
    in_flight: call::InFlight,
    gauges: Mutex<background::Gauges>,
    log_kept: i64,
    commits_kept: Duration,
    /// Whether it was told to stop.
    stopping: tokio::sync::watch::Sender<bool>,
}

/// Whether there is a driver for every port that a service uses. What one can do without is told.
fn check_ports(registry: &Registry, ports: &Ports) -> Result<()> {
    for service in registry.services() {
        for used in service.uses.iter().filter(|used| !used.is_met(ports)) {
            let absent = ports::absent(service.name, used.name, used.provide);
            if !used.optional {
                return Err(absent);
            }
            tracing::info!(next = used.provide, "{}", absent.message());
        }
    }
    Ok(())
}

/// The paths of all methods that a node will have.
fn methods(services: &[Service]) -> impl Iterator<Item = &'static str> {
    let contracts = services.iter().filter_map(|service| service.contract).chain([&SYSTEM]);
    contracts.flat_map(|contract| contract.methods.iter().map(|method| method.path))
}

/// Opens the store beside the runtime: to open one waits for disks and servers, and no thread
/// that serves others may wait.
async fn open_store(
    options: Options, registry: &Arc<Registry>, world: &Arc<dyn World>,
) -> Result<Store> {
    let (registry, world) = (Arc::clone(registry), Arc::clone(world));
    let open = move || stoa_store::open(options, registry.services(), world);
    tokio::task::spawn_blocking(open).await.map_err(Error::internal)?
}

impl Node {
    /// Checks the services against one another, opens the store, and is ready to be called.
    ///
    /// # Errors
    /// `node.catalogue` for services that do not fit, `node.no_port` where no driver provides what
    /// one of them cannot do without, `blobs.elsewhere` for objects of another cell, and those of [`stoa_store::open`].
    pub async fn open(parts: Parts) -> Result<Arc<Self>> {
        let load = load::Load::new(methods(&parts.services));
        let own = system::Own::new(&parts, load);
        let mut registry = Registry::new(system::service(&own), parts.services)?;
        registry.start_with(&parts.settings)?;
        let registry = Arc::new(registry);
        check_ports(&registry, &parts.ports)?;
        let reach = Reach::new(&registry)?;
        let store = open_store(parts.store, &registry, &parts.world).await?;
        own.stores_in(&store);
        let ring = ring::load(&store, &parts.world, &parts.root).await?;
        let keys = Keys(ring.cell().clone());
        registry.hand_over(ring);
        let node = Arc::new(Self {
            directory: Directory::new(&store),
            bearers: Bearers::new(&store),
            limits: Limits::new(parts.calls_per_second, parts.anonymous_per_second),
            quotas: Quotas::new(),
            hub: watch::Hub::new(),
            topics: topics::of(&parts.ports, &parts.world),
            metrics: Metrics::new(&registry, Arc::clone(&own)),
            pool: runner::Pool::start(&parts.world)?,
            in_flight: call::InFlight::default(),
            gauges: Mutex::default(),
            log_kept: parts.log_kept,
            commits_kept: parts.commits_kept,
            stopping: tokio::sync::watch::Sender::new(false),
            name: parts.name,
            ports: parts.ports,
            reach,
            world: parts.world,
            registry,
            store,
            keys,
        });
        if node.objects().is_ok() {
            node.check_objects(false).await?;
        }
        Ok(node)
    }

    /// What it is called among the nodes of its cell.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The services, bound to one another.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The world.
    pub fn world(&self) -> &Arc<dyn World> {
        &self.world
    }

    /// What is in topics.
    pub fn topics(&self) -> &dyn Topics {
        &*self.topics
    }

    /// Whether it can take calls: what is wrong, if not.
    ///
    /// # Errors
    /// `unavailable`, saying what is in trouble.
    pub fn health(&self) -> Result<()> {
        self.store.health()
    }

    /// Finishes what was accepted and closes the store; later calls are refused.
    pub async fn close(&self) {
        self.store.close().await;
    }

    pub(crate) fn runner(self: &Arc<Self>) -> Arc<Runner> {
        Arc::new(Runner(Arc::clone(self)))
    }

    pub(crate) fn gauges(&self) -> std::sync::MutexGuard<'_, background::Gauges> {
        self.gauges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
