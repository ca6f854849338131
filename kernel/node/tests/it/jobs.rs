//! Jobs end, whatever becomes of the attempts; none holds up another that it has nothing to do
//! with; and no job is at work twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures::task::AtomicWaker;
use serde_json::{Value, json};
use stoa_kit::{Code, Error};
use stoa_node::Background;
use stoa_testkit::{Engine, Node, run};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::chores::{self, Hands, assign_to, enqueue_foreign, hands, heard};
use crate::echo::{rows, system};

crate::on_both!(
    a_job_that_takes_its_process_with_it_ends_dead,
    a_panic_in_an_effect_ends_nothing,
    what_follows_may_fail_and_the_job_is_dead,
    jobs_of_methods_elsewhere_hold_up_nobody,
    one_that_hangs_holds_up_no_other_method,
    a_lane_that_hangs_holds_up_nobody_else,
    two_workers_are_never_at_one_job,
    a_job_is_held_for_as_long_as_it_runs,
    an_attempt_that_was_held_up_goes_no_step_further,
    a_node_that_stops_lets_attempts_come_to_an_end,
    a_command_with_more_to_do_goes_on_at_once,
    a_clock_that_is_set_back_delays_no_job,
    dead_jobs_of_a_method_are_tried_again_together,
);

/// Counts what has begun, and lets it go on when the test says so.
#[derive(Clone)]
struct Gate {
    begun: watch::Sender<usize>,
    open: watch::Sender<bool>,
}

impl Gate {
    fn new() -> Self {
        Self { begun: watch::Sender::new(0), open: watch::Sender::new(false) }
    }

    async fn pass(&self) {
        self.begun.send_modify(|begun| *begun += 1);
        self.open.subscribe().wait_for(|open| *open).await.unwrap();
    }

    async fn reached(&self, count: usize) {
        let mut begun = self.begun.subscribe();
        let reached = begun.wait_for(|begun| *begun >= count);
        tokio::time::timeout(Duration::from_secs(60), reached).await.expect("it begins").unwrap();
    }

    fn begun(&self) -> usize {
        *self.begun.borrow()
    }
}

/// Hands that wait at a gate where their words say `slow`.
fn slow(gate: &Gate) -> Hands {
    let gate = gate.clone();
    hands(move |words| {
        let gate = gate.clone();
        async move {
            if words.starts_with("slow") {
                gate.pass().await;
            }
            Ok(())
        }
    })
}

/// Another node's background, at a step. A statement that time is skipped under has taken too long.
async fn worker(node: &Node) -> JoinHandle<()> {
    let mut background = Background::new(node.inner()).await.unwrap();
    tokio::spawn(async move {
        while let Err(error) = background.step().await {
            assert_eq!(error.reason(), "store.too_slow");
        }
    })
}

async fn jobs(node: &Node, state: &str) -> Vec<Value> {
    let list = system(node, "ListJobs", json!({"state": state})).await.unwrap();
    list["jobs"].as_array().cloned().unwrap_or_default()
}

/// Waits until as much was heard.
async fn hears(node: &Node, count: usize) -> Vec<String> {
    for _ in 0..10_000 {
        let heard = heard(node).await;
        if heard.len() >= count {
            return heard;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("only {:?} was heard", heard(node).await);
}

/// Lets time pass until a job has had every attempt it gets.
async fn wear_out(node: &Node) {
    for _ in 0..4 {
        node.advance(Duration::from_secs(60)).await;
    }
}

fn a_job_that_takes_its_process_with_it_ends_dead(engine: Engine) {
    let gate = Gate::new();
    run(engine, vec![chores::service(slow(&gate))], |node| async move {
        assign_to(&node, "wash slow").await;
        for attempt in 1..=3 {
            node.pass(Duration::from_secs(60));
            let process = worker(&node).await;
            gate.reached(attempt).await;
            process.abort();
            assert!(process.await.unwrap_err().is_cancelled());
            node.pass(Duration::from_secs(60));
            worker(&node).await.await.unwrap();
        }
        wear_out(&node).await;
        assert_eq!(gate.begun(), 3, "no attempt follows the last");
        let dead = jobs(&node, "dead").await;
        assert_eq!((dead.len(), &dead[0]["attempts"]), (1, &json!("3")), "{dead:?}");
        assert!(dead[0]["error"].as_str().unwrap().contains("did not come to an end"), "{dead:?}");
        assert_eq!(heard(&node).await, ["given up slow"]);
    });
}

fn a_panic_in_an_effect_ends_nothing(engine: Engine) {
    let explode = |words: String| async move {
        assert_ne!(words, "bomb", "it explodes");
        Ok(())
    };
    run(engine, vec![chores::service(hands(explode))], |node| async move {
        for words in ["wash bomb", "wash plate"] {
            assign_to(&node, words).await;
        }
        wear_out(&node).await;
        assert_eq!(heard(&node).await, ["given up bomb", "washed plate"]);
        assert_eq!(jobs(&node, "dead").await[0]["attempts"], "3");
    });
}

fn what_follows_may_fail_and_the_job_is_dead(engine: Engine) {
    let done = Arc::new(AtomicI64::new(0));
    let counted = Arc::clone(&done);
    let work = move |words: String| {
        counted.fetch_add(1, SeqCst);
        async move {
            match words.as_str() {
                "deaf-bad" => Err(Error::new(Code::Unknown, "chores.bad", "it is bad")),
                _ => Ok(()),
            }
        }
    };
    run(engine, vec![chores::service(hands(work))], |node| async move {
        assign_to(&node, "wash deaf-good").await;
        wear_out(&node).await;
        assert_eq!(done.swap(0, SeqCst), 1, "what has happened is not repeated");
        assign_to(&node, "wash deaf-bad").await;
        wear_out(&node).await;
        assert_eq!(done.load(SeqCst), 3);
        let dead = jobs(&node, "dead").await;
        let error = |number: usize| dead[number]["error"].as_str().unwrap().to_owned();
        assert!(error(0).contains("it is bad") && error(0).contains("nobody hears"), "{dead:?}");
        assert!(error(1).contains("happened") && error(1).contains("nobody hears"), "{dead:?}");
        assert_eq!((dead.len(), jobs(&node, "leased").await.len()), (2, 0));
    });
}

fn jobs_of_methods_elsewhere_hold_up_nobody(engine: Engine) {
    run(engine, vec![chores::service(hands(|_| async { Ok(()) }))], |node| async move {
        enqueue_foreign(&node, 300).await;
        assign_to(&node, "wash plate").await;
        let mut background = Background::new(node.inner()).await.unwrap();
        background.step().await.unwrap();
        assert_eq!(heard(&node).await, ["washed plate"]);
        let commits = || node.inner().store().metrics().commits.load(SeqCst);
        let before = commits();
        assert!(!background.step().await.unwrap(), "what is elsewhere is no work");
        assert_eq!(commits(), before, "and nothing is written about it");
    });
}

fn one_that_hangs_holds_up_no_other_method(engine: Engine) {
    let gate = Gate::new();
    run(engine, vec![chores::service(slow(&gate))], |node| async move {
        for _ in 0..5 {
            assign_to(&node, "wash slow").await;
        }
        for number in 0..20 {
            assign_to(&node, &format!("sweep room-{number}")).await;
        }
        let stuck = worker(&node).await;
        assert_eq!(hears(&node, 20).await.len(), 20);
        assert_eq!(gate.begun(), 2, "as many of a method as may be at work");
        assert_eq!(jobs(&node, "leased").await.len(), 2, "no lease without an attempt");
        gate.open.send_replace(true);
        stuck.await.unwrap();
        assert_eq!((gate.begun(), heard(&node).await.len()), (5, 25));
    });
}

fn a_lane_that_hangs_holds_up_nobody_else(engine: Engine) {
    let gate = Gate::new();
    run(engine, vec![chores::service(slow(&gate))], |node| async move {
        for _ in 0..30 {
            assign_to(&node, "wash slow kitchen").await;
        }
        assign_to(&node, "sweep floor kitchen").await;
        for number in 0..5 {
            assign_to(&node, &format!("wash plate-{number}")).await;
        }
        let stuck = worker(&node).await;
        assert_eq!(hears(&node, 5).await.len(), 5);
        let other = worker(&node).await;
        other.await.unwrap();
        assert_eq!((gate.begun(), heard(&node).await.len()), (1, 5), "one of a lane at a time");
        gate.open.send_replace(true);
        stuck.await.unwrap();
        assert_eq!((gate.begun(), heard(&node).await.len()), (30, 36));
    });
}

fn two_workers_are_never_at_one_job(engine: Engine) {
    let runs: Arc<Mutex<BTreeMap<String, u32>>> = Arc::default();
    let counted = Arc::clone(&runs);
    let work = move |words: String| {
        *counted.lock().unwrap().entry(words).or_default() += 1;
        async {
            tokio::task::yield_now().await;
            Ok(())
        }
    };
    run(engine, vec![chores::service(hands(work))], |node| async move {
        for number in 0..40 {
            assign_to(&node, &format!("wash plate-{number}")).await;
        }
        let workers = [worker(&node).await, worker(&node).await, worker(&node).await];
        for worker in workers {
            worker.await.unwrap();
        }
        node.settle().await;
        assert_eq!(heard(&node).await.len(), 40);
        let runs = runs.lock().unwrap();
        assert!(runs.len() == 40 && runs.values().all(|count| *count == 1), "{runs:?}");
    });
}

/// When the lease of the one job that is leased ends.
async fn lease(node: &Node) -> i64 {
    const LEASE: &str = "SELECT run_at FROM stoa_job WHERE tenant = :tenant AND state = 'leased' \
         /* whole: a test reads what it wrote */";
    rows::<(i64,)>(node.inner(), LEASE).await[0].0
}

fn a_job_is_held_for_as_long_as_it_runs(engine: Engine) {
    let gate = Gate::new();
    run(engine, vec![chores::service(slow(&gate))], |node| async move {
        assign_to(&node, "sweep slow").await;
        let busy = worker(&node).await;
        gate.reached(1).await;
        for _ in 0..6 {
            let before = lease(&node).await;
            node.skip(Duration::from_secs(11));
            while lease(&node).await == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            worker(&node).await.await.unwrap();
        }
        gate.open.send_replace(true);
        busy.await.unwrap();
        assert_eq!((gate.begun(), heard(&node).await), (1, vec!["swept slow".to_owned()]));
    });
}

fn an_attempt_that_was_held_up_goes_no_step_further(engine: Engine) {
    let (steps, waker) = (watch::Sender::new(0), Arc::new(AtomicWaker::new()));
    let (counted, wakes) = (steps.clone(), Arc::clone(&waker));
    let work = move |_: String| {
        let (counted, wakes) = (counted.clone(), Arc::clone(&wakes));
        std::future::poll_fn(move |context| {
            wakes.register(context.waker());
            counted.send_modify(|steps| *steps += 1);
            if *counted.borrow() == 1 { Poll::Pending } else { Poll::Ready(Ok(())) }
        })
    };
    run(engine, vec![chores::service(hands(work))], |node| async move {
        assign_to(&node, "wash plate").await;
        let frozen = worker(&node).await;
        steps.subscribe().wait_for(|steps| *steps == 1).await.unwrap();
        // It wakes, and its time is over.
        node.skip(Duration::from_secs(31));
        waker.wake();
        frozen.await.unwrap();
        assert_eq!(*steps.borrow(), 1);
        assert!(jobs(&node, "ready").await[0]["error"].as_str().unwrap().contains("too long"));
        node.advance(Duration::from_secs(2)).await;
        assert_eq!((*steps.borrow(), heard(&node).await.len()), (2, 1));
    });
}

fn a_node_that_stops_lets_attempts_come_to_an_end(engine: Engine) {
    let gate = Gate::new();
    run(engine, vec![chores::service(slow(&gate))], |node| async move {
        let (stop, stopped) = watch::channel(false);
        let loops = Background::new(node.inner()).await.unwrap().run(stopped);
        let loops: Vec<_> = loops.into_iter().map(tokio::spawn).collect();
        assign_to(&node, "wash slow").await;
        gate.reached(1).await;
        stop.send_replace(true);
        assign_to(&node, "wash plate").await;
        gate.open.send_replace(true);
        for work in loops {
            work.await.unwrap();
        }
        assert_eq!(heard(&node).await, ["washed slow"], "and begins no other");
    });
}

fn a_command_with_more_to_do_goes_on_at_once(engine: Engine) {
    run(engine, vec![chores::service(hands(|_| async { Ok(()) }))], |node| async move {
        assign_to(&node, "count sheep").await;
        node.settle().await;
        assert_eq!(heard(&node).await, ["counted sheep"; 3]);
        assert_eq!((jobs(&node, "done").await.len(), jobs(&node, "ready").await.len()), (1, 0));
    });
}

fn a_clock_that_is_set_back_delays_no_job(engine: Engine) {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let failures = Arc::new(AtomicI64::new(1));
    let left = Arc::clone(&failures);
    let work = move |words: String| {
        let fails = words == "weak" && left.fetch_sub(1, SeqCst) > 0;
        async move { if fails { Err(Error::unavailable("chores.weak", "not now")) } else { Ok(()) } }
    };
    let services = move || vec![chores::service(hands(work.clone()))];
    let more = services.clone();
    run(engine, services(), |node| async move {
        node.pass(DAY);
        assign_to(&node, "wash weak").await;
        node.settle().await;
        assign_to(&node, "wash plate").await;
        // In this process, and once more over a restart.
        node.set_back(DAY);
        assign_to(&node, "wash cup").await;
        node.settle().await;
        node.advance(Duration::from_secs(2)).await;
        assert_eq!(heard(&node).await, ["washed cup", "washed plate", "washed weak"]);
        node.pass(DAY);
        assign_to(&node, "wash bowl").await;
        node.set_back(DAY);
        let next = node.crash(more()).await;
        next.advance(Duration::from_secs(2)).await;
        assert_eq!(heard(&next).await.len(), 4);
        next.inner().close().await;
    });
}

fn dead_jobs_of_a_method_are_tried_again_together(engine: Engine) {
    let away = Arc::new(AtomicI64::new(1));
    let is_away = Arc::clone(&away);
    let work = move |_: String| {
        let is_away = is_away.load(SeqCst) > 0;
        async move { if is_away { Err(Error::unavailable("chores.away", "not now")) } else { Ok(()) } }
    };
    run(engine, vec![chores::service(hands(work))], |node| async move {
        for words in ["wash plate", "wash cup", "sweep floor"] {
            assign_to(&node, words).await;
        }
        wear_out(&node).await;
        assert_eq!(jobs(&node, "dead").await.len(), 3);
        away.store(0, SeqCst);
        let wash = json!({"method": "stoa.chores.v1.ChoresService/Wash"});
        let reply = system(&node, "RetryJobs", wash.clone()).await.unwrap();
        assert_eq!(reply["retried"], "2", "{reply}");
        node.advance(Duration::from_secs(1)).await;
        assert_eq!(heard(&node).await.len(), 5);
        assert_eq!((jobs(&node, "dead").await.len(), jobs(&node, "done").await.len()), (1, 2));
        let reply = system(&node, "RetryJobs", wash).await.unwrap();
        assert_eq!(reply.get("retried"), None, "{reply}");
    });
}
