//! Who takes the records of commits is handed all of them, whatever happens.

use std::time::Duration;

use futures::future::join_all;
use stoa_kit::{Recorded, Result, Service, Tx};
use stoa_node::{Background, Position};
use stoa_testkit::{Engine, Node, run, run_forgetful};

use crate::echo::{self, Gate, heard, rows};
use crate::messages::Say;

crate::on_both!(records_are_handed_on_once_each_in_their_order, records_stay_until_they_were_taken,);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Records that are taken of those that are handed on.
const TAKEN: usize = 100;
const COMMITS: &str = "SELECT position FROM stoa_commit WHERE tenant = :tenant \
     AND cause <> 'records:echo.take' ORDER BY position /* whole: a test reads what it wrote */";

/// A service that keeps the positions of records.
fn taking() -> Service {
    echo::deaf(Gate::new(i64::MAX)).records("take", take)
}

fn take(tx: &mut Tx, records: &[Recorded]) -> Result<usize> {
    let records = &records[..records.len().min(TAKEN)];
    for record in records {
        echo::hear(tx, "records", Position::parse(&record.position)?.0)?;
    }
    Ok(records.len())
}

async fn commits(node: &Node) -> Vec<i64> {
    let rows = rows::<(i64,)>(node.inner(), COMMITS).await;
    rows.into_iter().map(|(position,)| position).collect()
}

fn records_are_handed_on_once_each_in_their_order(engine: Engine) {
    run(engine, vec![taking()], |node| async move {
        let admin = node.admin();
        let mut one = Background::new(node.inner()).await.unwrap();
        let mut other = Background::new(node.inner()).await.unwrap();
        for round in 0..6 {
            let says = (0..100).map(|n| node.call(&admin, Say::new("it", round * 100 + n)));
            let (said, one, other) = futures::join!(join_all(says), one.step(), other.step());
            assert!(said.iter().all(Result::is_ok));
            one.and(other).unwrap();
        }
        node.settle().await;
        let commits = commits(&node).await;
        assert_eq!((commits.len(), heard(&node, "records").await), (600, commits));
    });
}

fn records_stay_until_they_were_taken(engine: Engine) {
    run_forgetful(engine, vec![taking()], 0, |node| async move {
        let say = async |node: &Node, number| {
            node.call(&node.admin(), Say::new("it", number)).await.unwrap();
        };
        for number in 0..3 {
            say(&node, number).await;
        }
        node.settle().await;
        let node = node.replace("other", vec![echo::deaf(Gate::new(i64::MAX))]).await;
        for number in 3..8 {
            say(&node, number).await;
        }
        // So that the last one is not what keeps them.
        node.advance(200 * DAY).await;
        say(&node, 8).await;
        node.advance(200 * DAY).await;
        let left = commits(&node).await;
        assert!(left.len() < 9, "what was taken went: {left:?}");
        let node = node.replace("test", vec![taking()]).await;
        node.settle().await;
        assert_eq!(heard(&node, "records").await.len(), 9);
    });
}
