//! An effect with an idempotency key is at work once at a time, on one node and on many, and its
//! key is free again when it fails or its node dies.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use stoa_kit::{Code, Result};
use stoa_testkit::{Engine, Node, run};

use crate::echo::{self, BITTER, CURED, Gate};
use crate::messages::{Poison, Work};

crate::on_both!(
    of_callers_with_one_key_one_begins,
    an_effect_that_fails_frees_its_key,
    an_effect_that_nobody_waits_for_frees_its_key,
    a_key_at_work_is_not_for_another_request,
    the_claim_of_a_dead_node_runs_out,
);

async fn work(node: &Node, subject: &str) -> Result<i64> {
    let done = node.call_with_key(&node.system(), "k", Work::new(subject, 0)).await?;
    Ok(done.about().1)
}

fn of_callers_with_one_key_one_begins(engine: Engine) {
    let gate = Gate::new(0);
    run(engine, vec![echo::gated(Arc::clone(&gate))], |node| async move {
        let callers = (0..8).map(|_| {
            let node = node.clone();
            tokio::spawn(async move { work(&node, "it").await })
        });
        let callers: Vec<_> = callers.collect();
        gate.reached(1).await;
        gate.open(8);
        for replied in join_all(callers).await {
            assert_eq!(replied.unwrap().unwrap(), 1, "the first attempt is the only one");
        }
    });
}

fn an_effect_that_fails_frees_its_key(engine: Engine) {
    run(engine, vec![echo::service()], |node| async move {
        let poison = async |kind| node.call(&node.admin(), Poison::new("it", kind)).await;
        poison(BITTER).await.unwrap();
        for _ in 0..2 {
            assert_eq!(work(&node, "it").await.unwrap_err().reason(), "echo.bitter");
        }
        poison(CURED).await.unwrap();
        assert_eq!(work(&node, "it").await.unwrap(), 3);
        assert_eq!(work(&node, "it").await.unwrap(), 3, "and is remembered once it succeeds");
    });
}

fn an_effect_that_nobody_waits_for_frees_its_key(engine: Engine) {
    let gate = Gate::new(0);
    run(engine, vec![echo::gated(Arc::clone(&gate))], |node| async move {
        let gone = node.clone();
        let gone = tokio::spawn(async move { work(&gone, "it").await });
        gate.reached(1).await;
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        gate.open(2);
        let again = async {
            loop {
                match work(&node, "it").await {
                    // The key is on its way back.
                    Err(error) if error.code() == Code::Aborted => {}
                    outcome => return outcome,
                }
            }
        };
        let again = tokio::time::timeout(Duration::from_secs(30), again).await;
        assert_eq!(again.expect("the key comes back").unwrap(), 2);
    });
}

/// Runs a test on a node that came after one that died in the middle of an effect.
fn after_a_crash<F: Future<Output = ()>>(engine: Engine, test: impl FnOnce(Node) -> F) {
    let gate = Gate::new(0);
    run(engine, vec![echo::gated(Arc::clone(&gate))], |node| async move {
        let dying = node.clone();
        let dying = tokio::spawn(async move { work(&dying, "it").await });
        gate.reached(1).await;
        let next = node.crash(vec![echo::gated(Arc::clone(&gate))]).await;
        // Neither a reply nor the key on its way back has reached the store.
        dying.abort();
        assert!(dying.await.unwrap_err().is_cancelled());
        gate.open(9);
        test(next.clone()).await;
        next.inner().close().await;
    });
}

fn a_key_at_work_is_not_for_another_request(engine: Engine) {
    after_a_crash(engine, |node| async move {
        let error = work(&node, "another").await.unwrap_err();
        assert_eq!(error.reason(), "idempotency.key_reused");
    });
}

fn the_claim_of_a_dead_node_runs_out(engine: Engine) {
    after_a_crash(engine, |node| async move {
        for _ in 0..2 {
            let error = work(&node, "it").await.unwrap_err();
            assert_eq!((error.code(), error.reason()), (Code::Aborted, "idempotency.in_progress"));
            assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
        }
        node.pass(Duration::from_secs(60));
        assert_eq!(work(&node, "it").await.unwrap(), 2, "nobody began in between");
        assert_eq!(work(&node, "it").await.unwrap(), 2, "and it is remembered");
    });
}
