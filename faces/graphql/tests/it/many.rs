//! A catalogue of ninety services: what its schema costs.

use std::time::Duration;

use stoa_contract::{Contract, Method, Shape};
use stoa_graphql::{GraphQl, Introspection};

use crate::lending::contract::CONTRACT;

/// What a schema of ninety services may cost: processor time, and memory.
const TIME_MAX: Duration = Duration::from_secs(1);
const MEMORY_MAX: usize = 40 << 20;

/// The contract under another name of the same length, so that its descriptors stay what they are.
fn lending(nth: usize) -> &'static Contract {
    let (small, large) = (format!("lendi{nth:02}"), format!("Lendi{nth:02}"));
    let named = |text: &str| &*text.replace("lending", &small).replace("Lending", &large).leak();
    let methods = CONTRACT.methods.iter().map(|method| {
        let Method { path, doc, name, request, reply, .. } = **method;
        let renamed = |shape: &Shape| {
            &*Box::leak(Box::new(Shape { name: named(shape.name), fields: shape.fields }))
        };
        &*Box::leak(Box::new(Method {
            path: named(path),
            service: named(CONTRACT.name),
            name,
            doc,
            kind: method.kind,
            streams: method.streams,
            takes_stream: method.takes_stream,
            batch_gets: method.batch_gets.map(named),
            permission: method.permission,
            job: None,
            prompt: false,
            price: None,
            http: method.http,
            request: renamed(request),
            reply: renamed(reply),
        }))
    });
    let mut descriptors = CONTRACT.descriptors.to_vec();
    for (from, to) in [("lending", &small), ("Lending", &large)] {
        for at in 0..descriptors.len() - from.len() {
            if descriptors[at..].starts_with(from.as_bytes()) {
                descriptors[at..at + to.len()].copy_from_slice(to.as_bytes());
            }
        }
    }
    Box::leak(Box::new(Contract {
        name: named(CONTRACT.name),
        full_name: named(CONTRACT.full_name),
        doc: CONTRACT.doc,
        methods: methods.collect::<Vec<_>>().leak(),
        events: &[],
        descriptors: descriptors.leak(),
    }))
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// How long this thread had a processor.
fn worked() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

#[test]
fn ninety_services_have_a_schema_within_a_second() {
    let contracts: Vec<&'static Contract> = (0..90).map(lending).collect();
    let (memory, work) = (resident(), worked());
    let graphql = GraphQl::new(Introspection::Off);
    graphql.prepare(&contracts).unwrap();
    let (memory, work) = (resident() - memory, worked() - work);
    println!("90 services, 810 methods: {work:?} of work, {} MiB", memory >> 20);
    assert!(work < TIME_MAX, "{work:?}");
    assert!(memory < MEMORY_MAX, "{} MiB", memory >> 20);
    drop(graphql);
}
