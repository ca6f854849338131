//! What has served its time goes; what somebody needs stays.

use std::time::Duration;

use stoa_testkit::{Engine, run_forgetful};

use crate::chores::{self, assign_to, hands};
use crate::echo::{self, rows};
use crate::messages::Say;

crate::on_both!(
    records_of_commits_go_when_they_are_old,
    the_last_record_says_where_the_cell_stands,
);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn records_of_commits_go_when_they_are_old(engine: Engine) {
    const COMMITS: &str = "SELECT method, position FROM stoa_commit WHERE tenant = :tenant \
         AND method <> 'hear' ORDER BY position \
         /* whole: a test reads what it wrote */";
    run_forgetful(engine, vec![echo::service()], 0, |node| async move {
        let commits = async || rows::<(String, i64)>(node.inner(), COMMITS).await.len();
        for number in 0..5 {
            node.call(&node.admin(), Say::new("it", number)).await.unwrap();
        }
        node.advance(DAY / 2).await;
        assert_eq!(commits().await, 5, "they are not old");
        node.call(&node.admin(), Say::new("it", 5)).await.unwrap();
        node.advance(DAY / 2 + Duration::from_secs(61)).await;
        assert_eq!(commits().await, 1, "five are");
        node.advance(DAY).await;
        let before =
            node.inner().store().metrics().commits.load(std::sync::atomic::Ordering::SeqCst);
        node.advance(DAY).await;
        let after =
            node.inner().store().metrics().commits.load(std::sync::atomic::Ordering::SeqCst);
        assert_eq!(after, before, "where nothing is to sweep nothing is written");
        assert_eq!(echo::heard(&node, "it").await.len(), 6);
    });
}

fn the_last_record_says_where_the_cell_stands(engine: Engine) {
    const COMMITS: &str = "SELECT position FROM stoa_commit WHERE tenant = :tenant \
         ORDER BY position \
         /* whole: a test reads what it wrote */";
    let services = vec![chores::service(hands(|_| async { Ok(()) }))];
    run_forgetful(engine, services, 0, |node| async move {
        let commits = async || rows::<(i64,)>(node.inner(), COMMITS).await;
        assign_to(&node, "wash plate").await;
        node.settle().await;
        let last = commits().await.pop();
        for _ in 0..3 {
            node.advance(DAY).await;
        }
        assert_eq!(commits().await, Vec::from_iter(last));
    });
}
