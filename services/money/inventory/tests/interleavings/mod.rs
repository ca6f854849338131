//! Whatever is done in whatever order, goods are neither made nor lost.

use std::time::Duration;

use futures::future::join_all;
use proptest::collection::vec;
use proptest::prelude::{Strategy, prop_oneof};
use proptest::test_runner::{Config, TestRunner};
use stoa_testkit::{Engine, Node};

use super::{commit, issue, receive, release, reserve, services, stock};

/// One thing that somebody does.
#[derive(Debug, Clone)]
enum Deed {
    Receive(i64),
    Issue(i64),
    Reserve(i64),
    Commit(usize),
    Release(usize),
    Wait(u64),
}

fn deeds() -> impl Strategy<Value = Vec<Vec<Deed>>> {
    let deed = prop_oneof![
        (1..5_i64).prop_map(Deed::Receive),
        (1..5_i64).prop_map(Deed::Issue),
        (1..5_i64).prop_map(Deed::Reserve),
        (0..8_usize).prop_map(Deed::Commit),
        (0..8_usize).prop_map(Deed::Release),
        (1..40_u64).prop_map(Deed::Wait),
    ];
    // Each inner list is done at once.
    vec(vec(deed, 1..5), 1..8)
}

/// What a deed took from or gave to the warehouse, and the reservation it made.
async fn act(
    node: &Node, deed: &Deed, reservations: &[(String, i64)],
) -> (i64, Option<(String, i64)>) {
    let known = |index: &usize| reservations.get(*index).cloned();
    match deed {
        Deed::Receive(count) => {
            receive(node, &[("A", *count)]).await;
            (*count, None)
        }
        Deed::Issue(count) => {
            let done = issue(node, &[("A", *count)]).await.is_ok();
            (if done { -count } else { 0 }, None)
        }
        Deed::Reserve(count) => {
            let made = reserve(node, &[("A", *count)], 30).await.ok();
            (0, made.map(|reservation| (reservation.id, *count)))
        }
        Deed::Commit(index) => match known(index) {
            Some((id, count)) if commit(node, &id).await.is_ok() => (-count, None),
            _ => (0, None),
        },
        Deed::Release(index) => {
            if let Some((id, _)) = known(index) {
                // It may have ended before; the sums below show that this changed nothing.
                let _ = release(node, &id).await;
            }
            (0, None)
        }
        Deed::Wait(seconds) => {
            node.advance(Duration::from_secs(*seconds)).await;
            (0, None)
        }
    }
}

fn check(engine: Engine, cases: u32) {
    let mut runner =
        TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&deeds(), |rounds| {
        stoa_testkit::run(engine, services(), |node| async move {
            let (mut there, mut reservations) = (0, Vec::new());
            for round in &rounds {
                let acts = round.iter().map(|deed| act(&node, deed, &reservations));
                let done = join_all(acts).await;
                there += done.iter().map(|(change, _)| change).sum::<i64>();
                reservations.extend(done.into_iter().filter_map(|(_, made)| made));
                let (available, reserved) = stock(&node, "A").await;
                assert!(available >= 0 && reserved >= 0, "{available} {reserved}");
                assert_eq!(available + reserved, there, "goods were made or lost");
            }
            node.advance(Duration::from_secs(60)).await;
            assert_eq!(stock(&node, "A").await, (there, 0), "everything held came back");
        });
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn sqlite() {
    check(Engine::Sqlite, 24);
}

#[test]
fn postgres() {
    check(Engine::Postgres, 6);
}
