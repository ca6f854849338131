//! An effect with an idempotency key is at work once at a time, on one node and on many, and its
//! key is free again when it fails or its node dies.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use stoa_kit::session::Session;
use stoa_kit::{Cause, Code, MAIN, Request, Result};
use stoa_node::Call;
use stoa_store::{Commit, Header, Outcome, kernel};
use stoa_testkit::{Engine, Node, run};

use crate::echo::{self, BITTER, CURED, EXPLOSIVE, Gate, all_said};
use crate::messages::{Poison, Relay, Work};

crate::on_both!(
    of_callers_with_one_key_one_begins,
    an_effect_that_fails_frees_its_key,
    an_effect_that_nobody_waits_for_frees_its_key,
    a_key_at_work_is_not_for_another_request,
    the_claim_of_a_dead_node_runs_out,
    an_effect_that_runs_again_repeats_no_step_and_makes_the_same_secret,
    steps_of_another_request_are_others,
    who_lost_a_claim_commits_nothing_more,
    what_wakes_past_its_deadline_commits_nothing,
    a_panic_of_an_effect_is_an_error,
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

async fn relay(node: &Node, subject: &str) -> Result<i64> {
    let done = node.call_with_key(&node.system(), "k", Relay::new(subject, 0)).await?;
    Ok(done.about().1)
}

/// The numbers that were said, in the order of their subjects.
async fn said(node: &Node) -> Vec<i64> {
    all_said(node.inner()).await.into_iter().map(|(_, number)| number).collect()
}

fn an_effect_that_runs_again_repeats_no_step_and_makes_the_same_secret(engine: Engine) {
    let gate = Gate::new(0);
    run(engine, vec![echo::gated(Arc::clone(&gate))], |node| async move {
        let dying = node.clone();
        let dying = tokio::spawn(async move { relay(&dying, "it").await });
        gate.reached(1).await;
        let next = node.crash(vec![echo::gated(Arc::clone(&gate))]).await;
        dying.abort();
        assert!(dying.await.unwrap_err().is_cancelled());
        gate.open(9);
        next.pass(Duration::from_secs(60));
        let number = relay(&next, "it").await.unwrap();
        assert_eq!(said(&next).await, [number, number], "once before the gate, once behind it");
        assert_eq!(relay(&next, "it").await.unwrap(), number, "and it is remembered");
        next.inner().close().await;
    });
}

fn steps_of_another_request_are_others(engine: Engine) {
    let gate = Gate::new(0);
    run(engine, vec![echo::gated(Arc::clone(&gate))], |node| async move {
        let gone = node.clone();
        let gone = tokio::spawn(async move { relay(&gone, "it").await });
        gate.reached(1).await;
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        gate.open(9);
        // The key is on its way back.
        let other = loop {
            match relay(&node, "other").await {
                Err(error) if error.code() == Code::Aborted => {}
                Err(error) if error.reason() == "idempotency.key_reused" => {}
                outcome => break outcome.unwrap(),
            }
        };
        let said = said(&node).await;
        assert_eq!(said[1..], [other, other], "nothing of the first request is taken for it");
        assert_ne!(said[0], other, "nor is its secret");
    });
}

fn who_lost_a_claim_commits_nothing_more(engine: Engine) {
    let gate = Gate::new(0);
    run(engine, vec![echo::gated(Arc::clone(&gate))], |node| async move {
        let frozen = node.clone();
        let frozen = tokio::spawn(async move { relay(&frozen, "it").await });
        gate.reached(1).await;
        take_over(&node).await;
        gate.open(9);
        let error = frozen.await.unwrap().unwrap_err();
        assert_eq!((error.code(), error.reason()), (Code::Aborted, "idempotency.overtaken"));
        assert_eq!(said(&node).await.len(), 1, "what it said before it lost the claim");
    });
}

/// Makes every claim another node's, as happens once it has run out.
async fn take_over(node: &Node) {
    const TAKE: &str = "UPDATE stoa_claim SET holder = $1 WHERE tenant = :tenant AND expires > 0";
    let header = Header {
        tenant: MAIN.into(),
        cause: String::new(),
        caller: "system".into(),
        method: "",
        trace: String::new(),
        key: None,
        asked: None,
        deadline: None,
        bytes: 64,
    };
    let run = Box::new(|session: &mut dyn Session, _| {
        assert_eq!(kernel::execute(session, MAIN, TAKE, ([7_u8; 16].as_slice(),))?, 1);
        Ok(Outcome { reply: None, gathered: Default::default() })
    });
    node.inner().store().commit(Commit { header, run }).await.unwrap();
}

fn what_wakes_past_its_deadline_commits_nothing(engine: Engine) {
    let gate = Gate::new(0);
    run(engine, vec![echo::gated(Arc::clone(&gate))], |node| async move {
        let soon = node.inner().world().uptime() + Duration::from_secs(3_600);
        let call = Call {
            method: Relay::METHOD.path.to_owned(),
            caller: node.system(),
            request: Box::new(Relay::new("it", 0)),
            key: None,
            fence: None,
            trace: "0af7651916cd43dd8448eb211c80319c".to_owned(),
            deadline: Some(soon),
            cause: Cause::Request,
            address: String::new(),
            position: None,
            dry_run: false,
        };
        let frozen = node.clone();
        let frozen = tokio::spawn(async move { frozen.inner().call(call).await.map(|_| ()) });
        gate.reached(1).await;
        // Its process does not run while time does.
        node.freeze(Duration::from_secs(3_601));
        gate.open(9);
        let error = frozen.await.unwrap().unwrap_err();
        assert_eq!(error.reason(), "request.deadline");
        assert_eq!(said(&node).await.len(), 1, "what it said in time");
        let traces = traces(&node).await;
        assert_eq!(traces, ["0af7651916cd43dd8448eb211c80319c"], "and the trace goes along");
    });
}

/// The traces of all commits.
async fn traces(node: &Node) -> Vec<String> {
    const TRACES: &str = "SELECT trace FROM stoa_commit WHERE tenant = :tenant ORDER BY position \
         /* whole: a test reads what it wrote */";
    let rows: Vec<(String,)> = echo::rows(node.inner(), TRACES).await;
    rows.into_iter().map(|(trace,)| trace).collect()
}

fn a_panic_of_an_effect_is_an_error(engine: Engine) {
    run(engine, vec![echo::service()], |node| async move {
        for key in [None, Some("k")] {
            let request = Relay::new("it", EXPLOSIVE);
            let outcome = node.send(&node.system(), "", key, request).await;
            let error = outcome.map(|(reply, _)| reply).unwrap_err();
            assert_eq!(error.code(), Code::Internal);
            assert_eq!(error.internal_cause(), Some("panic: it explodes"));
        }
        relay(&node, "it").await.unwrap();
    });
}
