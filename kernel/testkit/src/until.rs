//! Waiting for what has to come.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use stoa_kit::MAIN;
use stoa_store::{Read, kernel};

/// How long a test waits for it: long for a test, and short for a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until a fact is one.
pub async fn until(fact: impl Fn() -> bool) {
    let waiting = async {
        while !fact() {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it has to come");
}

/// Waits until everybody may read every commit there is: while a transaction that began earlier still
/// runs, one of another test perhaps, nobody may read what was committed since.
pub async fn settled(node: &stoa_node::Node) {
    let last = last(node).await;
    let waiting = async {
        while node.store().settled().await.unwrap() < last {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("transactions end");
}

/// The position of the last commit.
pub(crate) async fn last(node: &stoa_node::Node) -> i64 {
    const LAST: &str =
        "SELECT position FROM stoa_commit WHERE tenant = :tenant ORDER BY position DESC LIMIT 1";
    let last = Arc::new(AtomicI64::new(0));
    let found = Arc::clone(&last);
    let read: Read<()> = Box::new(move |session, _| {
        let rows = kernel::rows::<(i64,)>(session, MAIN, LAST, ())?;
        found.store(rows.first().map_or(0, |(last,)| *last), SeqCst);
        Ok(())
    });
    node.store().read(None, read).await.unwrap();
    last.load(SeqCst)
}
