//! Where nodes of tests run, and what may be different about one.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stoa_kit::Service;
use stoa_kit::ports::Ports;
use stoa_store::{Faults, Options};
use tokio::runtime::Runtime;

use crate::home::Home;
use crate::{Engine, Node};

/// Runs a test on a node with a mailer.
pub fn run<F: Future<Output = ()>>(
    engine: Engine, services: Vec<Service>, test: impl FnOnce(Node) -> F,
) {
    run_with(engine, services, Setup::default(), test);
}

/// Runs a test on a node with ports of the test's own, and no others.
pub fn run_with_ports<F: Future<Output = ()>>(
    engine: Engine, services: Vec<Service>, ports: Ports, test: impl FnOnce(Node) -> F,
) {
    run_with(engine, services, Setup { ports: Some(ports), ..Setup::default() }, test);
}

/// Runs a test on a node whose log keeps the events of few commits, and their records a day.
pub fn run_forgetful<F: Future<Output = ()>>(
    engine: Engine, services: Vec<Service>, log_kept: i64, test: impl FnOnce(Node) -> F,
) {
    let commits_kept = Duration::from_secs(24 * 60 * 60);
    run_with(engine, services, Setup { log_kept, commits_kept, ..Setup::default() }, test);
}

/// Runs a test on a node whose engine fails when it is told to.
pub fn run_with_faults<F: Future<Output = ()>>(
    engine: Engine, services: Vec<Service>, faults: Faults, test: impl FnOnce(Node) -> F,
) {
    run_with(engine, services, Setup { faults, ..Setup::default() }, test);
}

/// Runs a test on a node that lets each caller, known or not, make so many calls a second.
pub fn run_at_most<F: Future<Output = ()>>(
    engine: Engine, services: Vec<Service>, calls_per_second: u32, test: impl FnOnce(Node) -> F,
) {
    run_with(engine, services, Setup { calls_per_second, ..Setup::default() }, test);
}

/// What may be different about a node.
pub(crate) struct Setup {
    pub(crate) name: &'static str,
    /// What drivers provide, where it is not what the testkit does.
    pub(crate) ports: Option<Ports>,
    pub(crate) log_kept: i64,
    pub(crate) commits_kept: Duration,
    pub(crate) faults: Faults,
    /// Connections for commands, on PostgreSQL.
    pub(crate) pool: usize,
    pub(crate) calls_per_second: u32,
    /// Where blobs lie, beside the home of the node.
    pub(crate) objects: Arc<PathBuf>,
}

impl Setup {
    /// For one caller after another: each connection prepares its statements anew.
    pub(crate) fn in_turn() -> Self {
        Self { pool: 1, ..Self::default() }
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            name: "test",
            ports: None,
            log_kept: 100_000,
            commits_kept: Duration::from_secs(90 * 24 * 60 * 60),
            faults: Faults::default(),
            pool: 12,
            calls_per_second: 0,
            objects: Arc::default(),
        }
    }
}

fn run_with<F: Future<Output = ()>>(
    engine: Engine, services: Vec<Service>, setup: Setup, test: impl FnOnce(Node) -> F,
) {
    Bench::new(engine, &services).run(services, setup, test);
}

/// A place where nodes run, one after another.
pub(crate) struct Bench {
    engine: Engine,
    runtime: Arc<Runtime>,
    home: Home,
}

impl Bench {
    /// One with the tables of these services.
    pub(crate) fn new(engine: Engine, services: &[Service]) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = Arc::new(builder.worker_threads(2).enable_all().build().unwrap());
        let home = Home::new(engine, services, &runtime);
        Self { engine, runtime, home }
    }

    /// Another one, where everything is as the last node left it here.
    pub(crate) fn copy(&self) -> Self {
        let (engine, runtime) = (self.engine, Arc::clone(&self.runtime));
        Self { engine, runtime, home: self.home.copy() }
    }

    /// Runs a test on a node.
    pub(crate) fn run<T, F: Future<Output = T>>(
        &self, services: Vec<Service>, setup: Setup, test: impl FnOnce(Node) -> F,
    ) -> T {
        self.runtime.block_on(async {
            let mut options = Options::at(self.home.place());
            options.database_clock = false;
            options.rehearse = self.engine == Engine::Sqlite;
            options.faults = setup.faults.clone();
            options.pool = setup.pool;
            let setup = Setup { objects: Arc::new(self.home.objects()), ..setup };
            let node = Node::open(self.engine, services, options, setup).await;
            let outcome = test(node.clone()).await;
            node.inner().close().await;
            outcome
        })
    }
}
