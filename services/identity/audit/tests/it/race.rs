//! Many write, and the node dies while they do.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use futures::future::{join, join_all};
use stoa_kit::Service;
use stoa_ledger_v1::{AccountKind, CreateAccountRequest};
use stoa_testkit::{Background, Node, both};

use crate::{export, head, holds, recorded};

const WRITERS: usize = 16;
const DEATHS: usize = 20;

fn services() -> Vec<Service> {
    crate::services()
}

/// Opens accounts until the node dies.
async fn write(node: &Node, written: &AtomicUsize) {
    loop {
        let account = CreateAccountRequest {
            currency: "EUR".into(),
            kind: AccountKind::Asset.into(),
            ..CreateAccountRequest::default()
        };
        match node.call(&node.admin(), account).await {
            Ok(_) => written.fetch_add(1, SeqCst),
            Err(_) => return,
        };
    }
}

both! {
    async fn every_commit_is_one_leaf_whoever_writes_and_whatever_dies(node: Node) {
        let (mut node, written) = (node, AtomicUsize::new(0));
        for death in 1..=DEATHS {
            let mut background = Background::new(node.inner()).await.unwrap();
            let dies = async {
                while written.load(SeqCst) < death * WRITERS {
                    background.step().await.unwrap();
                }
                node.crash(services()).await
            };
            let writers = (0..WRITERS).map(|_| write(&node, &written));
            let (_, next) = join(join_all(writers), dies).await;
            let held = match death {
                1 => None,
                _ => Some(head(&next).await),
            };
            next.settle().await;
            holds(&next, held.as_ref()).await;
            node = next;
        }
        let commits = recorded(&node).await;
        assert!(commits.len() >= DEATHS * WRITERS);
        let entries = export(&node, &node.admin(), 0).await;
        let entries: Vec<_> = entries.iter().map(|entry| {
            let time = stoa_kit::Micros::of(&entry.commit_time);
            (entry.method.clone(), time.0)
        }).collect();
        assert_eq!(entries, commits, "in the order of commits, and none twice");
    }
}
