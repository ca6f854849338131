//! What a node counts, in the text format of Prometheus.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry as Prometheus;
use stoa_contract::Method;
use stoa_kit::{Error, Registry, Result};

use crate::Node;
use crate::load::Whole;
use crate::system::Own;

/// Upper bounds of latency buckets, in seconds: few, for every method has its own.
const BUCKETS: [f64; 6] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5];
/// How long counts of rows are shown again: to count for everybody who looks would be work that they
/// cause.
const COUNTED_FOR: Duration = Duration::from_secs(10);

/// Those that are done are not counted: they are many, and nobody waits for them.
const JOBS: &str = "SELECT tenant, 'ready', COUNT(*) FROM stoa_job WHERE state = 'ready' \
     GROUP BY tenant \
     UNION ALL SELECT tenant, 'leased', COUNT(*) FROM stoa_job WHERE state = 'leased' \
     GROUP BY tenant \
     UNION ALL SELECT tenant, 'dead', COUNT(*) FROM stoa_job WHERE state = 'dead' GROUP BY tenant";
const PARKED: &str = "SELECT tenant, subscription, COUNT(*) FROM stoa_parked \
     GROUP BY tenant, subscription";

type Labels = [(&'static str, String); 2];

/// The counters of a node. Those of a method are made when it is called first, found without a
/// lock and only counted up from then on: most of very many methods are never called.
pub(crate) struct Metrics {
    registry: Prometheus,
    latencies: Latencies,
    methods: HashMap<&'static str, (usize, OnceLock<Histogram>)>,
    own: Arc<Own>,
    errors: Family<Labels, Counter>,
    fetched: Family<Labels, Counter>,
    pub(crate) connections: AtomicU64,
    counts: tokio::sync::Mutex<Option<Counts>>,
}

/// Rows by tenant and name, as they were counted at some uptime.
#[derive(Clone, Default)]
struct Counts {
    at: Duration,
    parked: Vec<Count>,
    jobs: Vec<Count>,
}

/// How many of a tenant's rows have a name.
type Count = (String, String, i64);

type Latencies = Family<[(&'static str, &'static str); 1], Histogram, fn() -> Histogram>;

impl Metrics {
    pub(crate) fn new(services: &Registry, own: Arc<Own>) -> Self {
        let mut registry = Prometheus::default();
        let latencies = Latencies::new_with_constructor(|| Histogram::new(BUCKETS));
        let (errors, fetched) = (Family::default(), Family::<Labels, Counter>::default());
        registry.register("stoa_call_seconds", "Time of calls, by method", latencies.clone());
        registry.register("stoa_call_errors", "Failed calls, by method and code", errors.clone());
        let asked = "Requests to the outside, by service and what they came to";
        registry.register("stoa_fetches", asked, fetched.clone());
        let methods = services.methods().filter_map(|bound| {
            let path = bound.method.path;
            Some((path, (own.load.place(path)?, OnceLock::new())))
        });
        let methods = methods.collect();
        let (connections, counts) = (AtomicU64::new(0), tokio::sync::Mutex::default());
        Self { registry, latencies, methods, own, errors, fetched, connections, counts }
    }

    /// Counts a request to the outside.
    pub(crate) fn fetched(&self, service: &str, outcome: String) {
        let labels = [("service", service.to_owned()), ("outcome", outcome)];
        self.fetched.get_or_create(&labels).inc();
    }

    /// Counts a call.
    pub(crate) fn called(&self, method: &Method, error: Option<&Error>, spent: Duration) {
        if let Some((place, latency)) = self.methods.get(method.path) {
            self.own.load.called(*place, error.is_some(), spent);
            let labels = [("method", method.path)];
            let latency = latency.get_or_init(|| self.latencies.get_or_create(&labels).clone());
            latency.observe(spent.as_secs_f64());
        }
        if let Some(error) = error {
            let labels =
                [("method", method.path.to_owned()), ("code", format!("{:?}", error.code()))];
            self.errors.get_or_create(&labels).inc();
        }
    }
}

impl Node {
    /// Has the load see what the node has done so far, and what it holds.
    pub(crate) fn measure(&self) {
        let store = self.store.metrics();
        let of = |count: &AtomicU64| count.load(Relaxed);
        let seen = Whole {
            commits: of(&store.commits),
            batches: of(&store.batches),
            batch_us: of(&store.batch_us),
            retries: of(&store.retries),
            reads: of(&store.reads),
            queue: store.queue.load(Relaxed).unsigned_abs(),
            wal_bytes: of(&store.wal_bytes),
            memory_bytes: self.world.memory(),
            connections: of(&self.metrics.connections),
        };
        self.metrics.own.load.look(self.world.now(), seen);
    }

    /// Everything the node counts. Rows are left out while the store does not answer: that is when
    /// the rest is looked at.
    ///
    /// # Errors
    /// `internal`; what was counted can always be written.
    pub(crate) async fn metrics_text(&self) -> Result<String> {
        let Counts { parked, jobs, .. } = self.counts().await.unwrap_or_default();
        let mut text = String::new();
        encode(&mut text, &self.metrics.registry).map_err(Error::internal)?;
        let mut text = text.trim_end_matches("# EOF\n").to_owned();
        let store = self.store.metrics();
        let mut one = |name: &str, kind: &str, help: &str, value: f64| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        };
        let load = |value: &AtomicU64| value.load(Relaxed) as f64;
        one("stoa_commits_total", "counter", "Durable commands.", load(&store.commits));
        one(
            "stoa_batches_total",
            "counter",
            "Transactions that made them durable.",
            load(&store.batches),
        );
        one("stoa_batch_seconds_total", "counter", "Time in those.", load(&store.batch_us) / 1e6);
        one("stoa_batch_size", "gauge", "Commands in the latest batch.", load(&store.batch_last));
        one("stoa_batches_void_total", "counter", "Batches run again.", load(&store.void_batches));
        one(
            "stoa_retries_total",
            "counter",
            "Commands run again after a conflict.",
            load(&store.retries),
        );
        one("stoa_queue_commands", "gauge", "Commands waiting.", store.queue.load(Relaxed) as f64);
        one("stoa_wal_bytes", "gauge", "Bytes of the write-ahead log.", load(&store.wal_bytes));
        let ahead = store.clock_ahead_us.load(Relaxed) as f64 / 1e6;
        one("stoa_clock_ahead_seconds", "gauge", "This node's clock before the store's.", ahead);
        one("stoa_reads_total", "counter", "Queries.", load(&store.reads));
        one("stoa_scans_total", "counter", "Queries in the scan lane.", load(&store.scans));
        one("stoa_connections", "gauge", "Open connections.", load(&self.metrics.connections));
        let mut each = |name: &str, help: &str, label: &str, values: &[Count]| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
            for (tenant, of, value) in values {
                let _ = writeln!(text, "{name}{{tenant=\"{tenant}\",{label}=\"{of}\"}} {value}");
            }
        };
        let lag = self.gauges().lag.clone().into_iter();
        let lag: Vec<_> = lag.map(|((tenant, of), lag)| (tenant.to_string(), of, lag)).collect();
        let behind = "Commits that a subscription has not seen.";
        each("stoa_subscription_lag_commits", behind, "subscription", &lag);
        each("stoa_parked_events", "Events that stand aside, by tenant.", "subscription", &parked);
        each("stoa_jobs", "Jobs, by tenant and state.", "state", &jobs);
        text.push_str("# EOF\n");
        Ok(text)
    }

    /// What queries count, as of the last seconds.
    async fn counts(&self) -> Result<Counts> {
        let mut counts = self.metrics.counts.lock().await;
        let now = self.world.uptime();
        if let Some(counts) = counts.as_ref().filter(|it| now.saturating_sub(it.at) < COUNTED_FOR) {
            return Ok(counts.clone());
        }
        let (parked, jobs) = (self.count(PARKED).await?, self.count(JOBS).await?);
        Ok(counts.insert(Counts { at: now, parked, jobs }).clone())
    }

    /// What a query counts over all tenants.
    async fn count(&self, sql: &'static str) -> Result<Vec<Count>> {
        self.read(None, move |session, _| stoa_store::kernel::rows::<Count>(session, "", sql, ()))
            .await
    }
}
