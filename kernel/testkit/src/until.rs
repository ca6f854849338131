//! Waiting for what has to come.

use std::time::Duration;

/// How long a test waits for it: long for a test, and short for a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until a fact is one.
pub async fn until(fact: impl Fn() -> bool) {
    let waiting = async {
        while !fact() {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it has to come");
}
