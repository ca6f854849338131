//! Who subscribes hears everything once and in order, whatever becomes of partitions, of other
//! subscriptions, of the node it ran on, and of the log.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use serde_json::{Value, json};
use stoa_kit::{JobOptions, Result, Service, Start, Tx};
use stoa_node::Background;
use stoa_testkit::{Engine, Node, both, run, run_forgetful};

use crate::echo::{self, BUSY, CURED, ECHOED, Gate, all_heard, all_said, heard, hearing, system};
use crate::messages::{Poison, Said, Say, Work};

/// Longer than an event waits for the node that holds its partition.
const PATIENCE: Duration = Duration::from_secs(4);
/// Longer than idle cursors and the log are left alone.
const A_WHILE: Duration = Duration::from_secs(120);

crate::on_both!(
    partitions_that_change_lose_and_repeat_nothing_from_now,
    partitions_that_change_lose_and_repeat_nothing_from_the_oldest,
    a_subscription_that_comes_back_goes_on_where_it_stopped,
    a_subscription_that_comes_back_too_late_is_lost_until_it_is_resumed,
    a_copy_is_filled_and_follows_and_is_filled_anew_where_the_log_was_swept,
    what_is_of_no_interest_does_not_hold_up_the_log,
    what_fails_for_now_keeps_no_other_subscription_waiting,
    another_node_takes_over_what_waits,
    a_reaction_that_triggers_itself_ends,
    a_reaction_that_triggers_itself_by_a_job_ends,
);

fn services() -> Vec<Service> {
    let all = echo::deaf(Gate::new(i64::MAX)).on_any("all", None, Start::Oldest, 1, |tx, event| {
        assert!(event.id.ends_with(".0") && !event.payload.is_empty());
        let json = event.json(tx)?;
        echo::hear(tx, &format!("{} {} {json}", event.topic, event.subject), event.depth)
    });
    vec![all]
}

fn deaf() -> Vec<Service> {
    vec![echo::deaf(Gate::new(i64::MAX))]
}

async fn say(node: &Node, subject: &str, number: i64) {
    node.call(&node.admin(), Say::new(subject, number)).await.unwrap();
}

async fn poison(node: &Node, subject: &str, kind: i64) {
    node.call(&node.admin(), Poison::new(subject, kind)).await.unwrap();
}

/// Works although some of it fails for now, once everything that was said can be read.
async fn try_to_work(node: &Node) {
    let mark = Poison::new("nothing", CURED);
    let (_, answer) = node.send(&node.admin(), "127.0.0.1", None, mark).await.unwrap();
    while Some(node.inner().store().settled().await.unwrap()) < answer.position {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut background = Background::new(node.inner()).await.unwrap();
    for _ in 0..5 {
        let _ = background.step().await;
    }
}

/// The state of each partition, as the node shows it.
async fn states(node: &Node) -> Vec<String> {
    let list = system(node, "ListSubscriptions", json!({})).await.unwrap();
    let state = |one: &Value| one["state"].as_str().unwrap_or_default().to_owned();
    list["subscriptions"].as_array().map(|all| all.iter().map(state).collect()).unwrap_or_default()
}

fn partitions_that_change_lose_and_repeat_nothing_from_now(engine: Engine) {
    partitions_change(engine, Start::Now);
}

fn partitions_that_change_lose_and_repeat_nothing_from_the_oldest(engine: Engine) {
    partitions_change(engine, Start::Oldest);
}

fn partitions_change(engine: Engine, start: Start) {
    const SUBJECTS: [&str; 4] = ["a", "b", "c", "d"];
    run(engine, vec![hearing(start, 1)], |mut node| async move {
        for (number, partitions) in [(0, 2), (1, 3), (2, 1)] {
            for subject in SUBJECTS {
                say(&node, subject, number).await;
            }
            node = node.crash(vec![hearing(start, partitions)]).await;
            // One partition makes no way, while others do.
            poison(&node, SUBJECTS[number as usize], BUSY).await;
            try_to_work(&node).await;
            poison(&node, SUBJECTS[number as usize], CURED).await;
        }
        let part = all_heard(node.inner()).await;
        assert!(!part.is_empty() && part.len() < 12, "some were handled: {part:?}");
        node.settle().await;
        assert_eq!(all_heard(node.inner()).await, all_said(node.inner()).await);
        assert_eq!(states(&node).await, [""]);
        node.inner().close().await;
    });
}

fn a_subscription_that_comes_back_goes_on_where_it_stopped(engine: Engine) {
    run(engine, vec![hearing(Start::Now, 1)], |node| async move {
        say(&node, "it", 0).await;
        node.settle().await;
        let node = node.crash(deaf()).await;
        assert_eq!(states(&node).await, ["retired"]);
        say(&node, "it", 1).await;
        node.settle().await;
        let node = node.crash(vec![hearing(Start::Now, 2)]).await;
        node.settle().await;
        assert_eq!(heard(&node, "it").await, [0, 1]);
        assert_eq!(states(&node).await, ["", ""]);
        node.inner().close().await;
    });
}

fn a_subscription_that_comes_back_too_late_is_lost_until_it_is_resumed(engine: Engine) {
    run_forgetful(engine, vec![hearing(Start::Oldest, 1)], 0, |node| async move {
        let node = node.crash(deaf()).await;
        for number in 0..3 {
            say(&node, "it", number).await;
        }
        node.settle().await;
        node.advance(A_WHILE).await;
        let kept = all_said(node.inner()).await.len();
        assert!(kept < 2, "what is retired does not hold up the log: {kept}");
        let node = node.crash(vec![hearing(Start::Oldest, 1)]).await;
        say(&node, "it", 3).await;
        node.settle().await;
        assert_eq!(states(&node).await, ["lost"]);
        assert!(heard(&node, "it").await.is_empty(), "a gap is never passed over in silence");
        let name = json!({"subscription": "echo.hear"});
        let reply = system(&node, "ResumeSubscription", name.clone()).await.unwrap();
        assert_eq!(reply["resumed"], "1");
        node.settle().await;
        assert_eq!(all_heard(node.inner()).await, all_said(node.inner()).await, "what is left");
        assert_eq!(states(&node).await, [""]);
        let error = system(&node, "ResumeSubscription", name).await.unwrap_err();
        assert_eq!(error.reason(), "system.not_lost");
        node.inner().close().await;
    });
}

/// A service with a copy of its own list of poisons, in pages of two: who is in it is heard of as 0.
fn copying() -> Vec<Service> {
    const PAGE: &str = "SELECT subject FROM echo_poison WHERE tenant = :tenant AND subject > $1 \
         ORDER BY subject LIMIT 2";
    let fill = |tx: &mut Tx, token: &str| {
        let page = tx.rows::<(String,)>(PAGE, (token,))?;
        for (subject,) in &page {
            echo::hear(tx, subject, 0)?;
        }
        Ok(page.last().map(|(subject,)| subject.clone()).unwrap_or_default())
    };
    let hear = |tx: &mut Tx, said: Said| echo::hear(tx, said.about().0, said.about().1);
    vec![echo::deaf(Gate::new(i64::MAX)).mirror::<Said>("copy", 2, fill, hear)]
}

fn a_copy_is_filled_and_follows_and_is_filled_anew_where_the_log_was_swept(engine: Engine) {
    run_forgetful(engine, deaf(), 0, |node| async move {
        for subject in ["a", "b", "c", "d", "e"] {
            poison(&node, subject, CURED).await;
        }
        say(&node, "a", 1).await;
        node.settle().await;
        let node = node.crash(copying()).await;
        assert_eq!(states(&node).await, ["filling", "filling"]);
        say(&node, "a", 2).await;
        node.settle().await;
        assert_eq!(heard(&node, "a").await, [0, 2], "what came before is in the list");
        let all = all_heard(node.inner()).await;
        assert_eq!(all.iter().filter(|one| one.1 == 0).count(), 5, "{all:?}");
        let node = node.crash(deaf()).await;
        say(&node, "a", 3).await;
        say(&node, "a", 4).await;
        node.settle().await;
        node.advance(A_WHILE).await;
        let node = node.crash(copying()).await;
        say(&node, "a", 5).await;
        node.settle().await;
        assert_eq!(heard(&node, "a").await, [0, 2, 0, 5]);
        assert_eq!(states(&node).await, ["", ""]);
        node.inner().close().await;
    });
}

fn what_is_of_no_interest_does_not_hold_up_the_log(engine: Engine) {
    let service = echo::deaf(Gate::new(i64::MAX)).on_any(
        "other",
        Some("other.topic"),
        Start::Oldest,
        3,
        |_, _| Ok(()),
    );
    run_forgetful(engine, vec![service], 0, |node| async move {
        node.settle().await;
        for number in 0..10 {
            say(&node, "it", number).await;
        }
        let commits = node.inner().store().metrics().commits.load(SeqCst);
        for _ in 0..3 {
            node.settle().await;
        }
        let after = node.inner().store().metrics().commits.load(SeqCst);
        assert_eq!(after, commits, "where there is nothing to do, nothing is written");
        node.advance(A_WHILE).await;
        assert!(all_said(node.inner()).await.len() < 2, "the youngest event may be left");
    });
}

fn what_fails_for_now_keeps_no_other_subscription_waiting(engine: Engine) {
    let service = echo::deaf(Gate::new(i64::MAX))
        .on::<Said>("a", Start::Now, 1, |_, _| {
            Err(stoa_kit::Error::unavailable("store.test", "not now"))
        })
        .on::<Said>("b", Start::Now, 1, |tx, said| echo::hear(tx, "b", said.about().1));
    run(engine, vec![service], |node| async move {
        say(&node, "it", 1).await;
        try_to_work(&node).await;
        assert_eq!(heard(&node, "b").await, [1]);
    });
}

fn another_node_takes_over_what_waits(engine: Engine) {
    run(engine, vec![hearing(Start::Now, 1)], |node| async move {
        say(&node, "it", 1).await;
        node.settle().await;
        let other = node.replace("other", vec![hearing(Start::Now, 1)]).await;
        say(&other, "it", 2).await;
        other.settle().await;
        assert_eq!(heard(&other, "it").await, [1], "the first may still be at it");
        other.advance(PATIENCE).await;
        assert_eq!(heard(&other, "it").await, [1, 2], "it is not");
        say(&other, "it", 3).await;
        other.settle().await;
        assert_eq!(heard(&other, "it").await, [1, 2, 3], "who has taken over waits no more");
        other.inner().close().await;
    });
}

fn a_reaction_that_triggers_itself_ends(engine: Engine) {
    ends(engine, |tx, said| {
        let (subject, number) = said.about();
        tx.emit(&Said::new(subject, number + 1));
        Ok(())
    });
}

fn a_reaction_that_triggers_itself_by_a_job_ends(engine: Engine) {
    ends(engine, |tx, said| {
        let (subject, number) = said.about();
        tx.enqueue(&Work::new(subject, number + 1), JobOptions::default()).map(drop)
    });
}

/// Each reaction leads to the next, until one would be the last of too many.
fn ends(engine: Engine, react: fn(&mut Tx, Said) -> Result<()>) {
    let service =
        echo::deaf(Gate::new(i64::MAX)).on::<Said>("again", Start::Now, 1, move |tx, said| {
            // What does not end fails.
            assert!(said.about().1 < 100);
            react(tx, said)
        });
    run(engine, vec![service], |node| async move {
        say(&node, ECHOED, 0).await;
        node.settle().await;
        let said: Vec<i64> = all_said(node.inner()).await.into_iter().map(|one| one.1).collect();
        assert_eq!(said, (0..=17).collect::<Vec<_>>());
        let list = system(&node, "ListParked", json!({})).await.unwrap();
        let error = list["parked"][0]["error"].as_str().unwrap();
        assert!(error.contains("reactions in a row"), "{list}");
    });
}

both! {
    async fn a_subscription_to_everything_hears_what_it_does_not_know(node: Node) {
        say(&node, "it", 7).await;
        let note = json!({"subject": "release", "text": "a note"});
        system(&node, "Annotate", note).await.unwrap();
        node.settle().await;
        let said = r#"echo.said it {"amount":"7","currency":"it"}"#;
        let noted = r#"system.note release {"subject":"release","text":"a note"}"#;
        assert_eq!((heard(&node, said).await, heard(&node, noted).await), (vec![0], vec![0]));
    }
}
