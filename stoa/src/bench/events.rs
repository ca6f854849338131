//! Events on their way to many subscriptions, few of which want them: the log that ninety
//! services share, without the services.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use stoa_contract::Contract;
use stoa_kit::ports::Ports;
use stoa_kit::tx::{Emitted, Gathered};
use stoa_kit::{MAIN, Methods, Result, Root, Service, Start, World, world};
use stoa_node::{Background, Logs, Node, Parts, RootKey};
use stoa_store::{Commit, Header, Options, Outcome, Place};

use crate::demo::now;

/// Topics that somebody subscribes to, each in two partitions: as many as ninety services have.
const TOPICS: usize = 70;
/// One in so many events is of such a topic.
const WANTED: usize = 10;
/// Events in one commit.
const COMMIT: usize = 256;
/// Events for each second that the measurement may take.
const EVENTS_PER_S: usize = 50_000;

const CONTRACT: &Contract = &Contract {
    name: "bench",
    full_name: "stoa.bench.v1.BenchService",
    doc: "Counts events.",
    methods: &[],
    events: &[],
    descriptors: &[],
};

/// Fills the log at a place, lets a node deliver it, and says how it went.
pub(crate) async fn run(engine: &str, place: Place, time: Duration) -> Result<String> {
    let (topics, handled) = (topics(), Arc::new(AtomicU64::new(0)));
    let node = open(place, service(&topics, &handled)).await?;
    // Whoever subscribes from now on subscribes before there is anything to deliver.
    let mut background = Background::new(&node).await?;
    let events = EVENTS_PER_S * time.as_secs() as usize;
    let wanted = fill(&node, &topics, events).await?;
    let begin = now();
    while handled.load(Relaxed) < wanted {
        background.step().await?;
    }
    let spent = begin.elapsed().as_secs_f64();
    node.close().await;
    Ok(format!(
        "bench events engine={engine} partitions={} per_s={:.0} handled_per_s={:.0}",
        TOPICS * 2,
        events as f64 / spent,
        wanted as f64 / spent,
    ))
}

async fn open(place: Place, service: Service) -> Result<Arc<Node>> {
    let world: Arc<dyn World> = world::Real::new();
    let parts = Parts {
        name: "bench".into(),
        services: vec![service],
        store: Options::at(place),
        settings: Vec::new(),
        root: RootKey::Given(Root::new([7; 32])),
        configuration: Vec::new(),
        logs: Logs::new(&world),
        world,
        ports: Ports::default(),
        log_kept: i64::MAX / 2,
        commits_kept: Duration::MAX,
        calls_per_second: 0,
        anonymous_per_second: 0,
    };
    Node::open(parts).await
}

/// A manifest, and what is emitted, is made of what lives as long as the program.
fn topics() -> Vec<&'static str> {
    (0..TOPICS).map(|number| &*format!("bench.t{number:02}").leak()).collect()
}

/// A service that counts what it hears of each topic.
fn service(topics: &[&'static str], handled: &Arc<AtomicU64>) -> Service {
    topics.iter().fold(Service::new(Methods::new(CONTRACT)), |service, topic| {
        let handled = Arc::clone(handled);
        service.on_any(topic, Some(topic), Start::Now, 2, move |_, _| {
            handled.fetch_add(1, Relaxed);
            Ok(())
        })
    })
}

/// Appends so many events; gives how many of them somebody wants.
async fn fill(node: &Node, topics: &[&'static str], events: usize) -> Result<u64> {
    let event = |number: usize| Emitted {
        topic: match number % WANTED {
            0 => topics[number / WANTED % TOPICS],
            _ => "bench.foreign",
        },
        message: "stoa.bench.v1.Happened",
        subject: format!("subject-{}", number % 1_000),
        payload: vec![0; 200],
        depth: 0,
    };
    for first in (0..events).step_by(COMMIT) {
        let numbers = first..(first + COMMIT).min(events);
        let gathered = Gathered { events: numbers.map(event).collect(), ..Gathered::default() };
        let header = Header {
            tenant: MAIN.into(),
            cause: "request".to_owned(),
            caller: "system".into(),
            method: "stoa.bench.v1.BenchService/Fill",
            trace: String::new(),
            key: None,
            asked: None,
            deadline: None,
            bytes: 0,
        };
        let run = Box::new(move |_: &mut dyn stoa_kit::session::Session, _| {
            Ok(Outcome { reply: None, gathered: gathered.clone() })
        });
        node.store().commit(Commit { header, run }).await?;
    }
    Ok(events.div_ceil(WANTED) as u64)
}
