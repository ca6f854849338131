//! A node that nobody uses writes nothing, however many services it has.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use stoa_kit::Service;
use stoa_ledger_v1::{AccountKind, CreateAccountRequest};
use stoa_node::Background;
use stoa_testkit::both;

fn services() -> Vec<Service> {
    stoa::Catalogue::standard().services(&[]).unwrap()
}

both! {
    async fn an_idle_node_commits_nothing(node: Node) {
        let account = CreateAccountRequest {
            currency: "EUR".into(),
            kind: AccountKind::Asset.into(),
            ..CreateAccountRequest::default()
        };
        node.call(&node.admin(), account).await.unwrap();
        let mut background = Background::new(node.inner()).await.unwrap();
        while background.step().await.unwrap() {}
        // Who listens to others notes once that there was nothing to hear.
        node.pass(Duration::from_secs(60));
        while background.step().await.unwrap() {}
        let commits = || node.inner().store().metrics().commits.load(SeqCst);
        let before = commits();
        for _ in 0..360 {
            node.pass(Duration::from_secs(10));
            assert!(!background.step().await.unwrap());
        }
        assert_eq!(commits(), before);
    }
}
