//! What is in topics: it ends when it has to, is found by nobody else, and has bounds.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use stoa_kit::topic::{Entry, Place, Topics};
use stoa_kit::{Caller, Result};
use stoa_testkit::{Engine, Node, run};

use crate::echo;

type States = BoxStream<'static, Arc<[Bytes]>>;

fn place(tenant: &str, service: &'static str, name: &str) -> Place {
    Place { tenant: tenant.into(), service, name: name.into() }
}

fn hall() -> Place {
    place("main", "echo", "hall")
}

/// Puts a message into the hall, for some seconds or until it is taken away.
fn put(topics: &dyn Topics, caller: &Caller, key: &str, message: &str, lease: u64) -> Result<()> {
    let lease = (lease > 0).then(|| Duration::from_secs(lease));
    let message = Bytes::copy_from_slice(message.as_bytes());
    topics.put(&hall(), Entry { caller, address: "192.0.2.1", key, message, lease })
}

async fn next(states: &mut States) -> String {
    let state = states.next().await.unwrap();
    state.iter().map(|entry| str::from_utf8(entry).unwrap()).collect::<Vec<_>>().join(" ")
}

fn on_a_node<F: Future<Output = ()>>(test: impl FnOnce(Node) -> F) {
    run(Engine::Sqlite, vec![echo::service()], test);
}

#[test]
fn what_is_in_a_topic_ends_when_it_has_to() {
    on_a_node(async |node| {
        let (topics, ada) = (node.inner().topics(), node.user("ada"));
        let mut states = topics.watch(&hall());
        assert_eq!(next(&mut states).await, "");
        put(topics, &ada, "a", "one", 0).unwrap();
        put(topics, &ada, "b", "two", 10).unwrap();
        put(topics, &ada, "c", "three", 20).unwrap();
        assert_eq!(next(&mut states).await, "one two three", "what is slow sees the newest");
        put(topics, &ada, "a", "first", 0).unwrap();
        assert_eq!(next(&mut states).await, "first two three", "in its place");
        node.skip(Duration::from_secs(9));
        put(topics, &ada, "b", "two", 10).unwrap();
        node.skip(Duration::from_secs(9));
        let now = next(&mut topics.watch(&hall())).await;
        assert_eq!(now, "first two three", "it was put again");
        node.skip(Duration::from_secs(1));
        assert_eq!(next(&mut states).await, "first three");
        node.skip(Duration::from_secs(1));
        assert_eq!(next(&mut states).await, "first", "each in its time");
        topics.take(&hall(), "a");
        topics.take(&hall(), "a");
        assert_eq!(next(&mut states).await, "");
    });
}

#[test]
fn a_topic_is_of_one_service_and_one_tenant() {
    on_a_node(async |node| {
        let topics = node.inner().topics();
        put(topics, &node.user("ada"), "a", "one", 0).unwrap();
        for other in [
            place("acme", "echo", "hall"),
            place("main", "other", "hall"),
            place("main", "echo", "a"),
        ] {
            assert_eq!(next(&mut topics.watch(&other)).await, "", "{other:?}");
        }
        assert_eq!(next(&mut topics.watch(&hall())).await, "one");
    });
}

#[test]
fn nobody_fills_a_topic_for_ever() {
    on_a_node(async |node| {
        let (topics, ada) = (node.inner().topics(), node.user("ada"));
        let large = "x".repeat((4 << 10) + 1);
        assert_eq!(put(topics, &ada, "a", &large, 0).unwrap_err().reason(), "topic.too_large");
        put(topics, &ada, "a", &large[1..], 0).unwrap();
        for number in 1..1_000 {
            put(topics, &ada, &number.to_string(), "", 60).unwrap();
        }
        assert_eq!(put(topics, &ada, "b", "", 0).unwrap_err().reason(), "topic.full");
        put(topics, &ada, "a", "another", 0).unwrap();
        node.skip(Duration::from_secs(60));
        put(topics, &ada, "b", "", 0).unwrap();
        assert_eq!(next(&mut topics.watch(&hall())).await, "another ");
        // Strangers have a tenth, and one network a quarter of that.
        let nobody = node.nobody();
        let all = (0..2_501).map(|number| {
            let name = place("main", "echo", &format!("{}", number / 1_000));
            let key = number.to_string();
            let message = Bytes::new();
            let entry =
                Entry { caller: &nobody, address: "192.0.2.1", key: &key, message, lease: None };
            topics.put(&name, entry)
        });
        let refused: Vec<_> = all.filter_map(Result::err).collect();
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].reason(), "node.crowded");
    });
}
