//! Many processes of one program work through the same keys, and some die at it.

use std::collections::BTreeMap;

use futures::future::join_all;
use stoa_idempotence_v1::ClaimKeyResponseOutcome;
use stoa_kit::Service;
use stoa_testkit::{Node, both};

use crate::{SECOND, Worker, is_stale};

const PROCESSES: usize = 64;
const KEYS: usize = 500;
/// Processes that are asked for the same key.
const RIVALS: usize = 4;

fn services() -> Vec<Service> {
    crate::services()
}

/// What a process learns of a key.
enum Learnt {
    /// It was the holder, and died at it or did the work.
    Held {
        fence: i64,
        died: bool,
    },
    Busy,
    Told(Vec<u8>),
}

/// What a process does that is asked for a key. Of three that would hold it at first, one dies.
async fn ask(node: &Node, round: usize, process: usize, key: usize) -> Learnt {
    let worker = Worker::new(node, "svc_shop", &format!("key-{key}"));
    match worker.claim().await {
        ClaimKeyResponseOutcome::First(first) => {
            let (fence, died) =
                (first.fence, round < 2 && (process + key + round).is_multiple_of(3));
            if !died {
                let result = format!("{key} by {process} at {fence}");
                worker.complete(fence, result.as_bytes()).await.unwrap();
            }
            Learnt::Held { fence, died }
        }
        ClaimKeyResponseOutcome::InProgress(_) => Learnt::Busy,
        ClaimKeyResponseOutcome::Done(done) => Learnt::Told(done.result),
        ClaimKeyResponseOutcome::Conflict(_) => panic!("all ask for the same"),
    }
}

both! {
    async fn each_key_has_one_holder_at_a_time_and_one_result(node: Node) {
        let mut fences = BTreeMap::<usize, Vec<(i64, bool)>>::new();
        let mut told = BTreeMap::<usize, Vec<u8>>::new();
        let mut busy = 0;
        for round in 0..4 {
            let open: Vec<usize> = (0..KEYS).filter(|key| !told.contains_key(key)).collect();
            let process = async |process: usize| {
                let mut learnt = Vec::new();
                let wants = |key: &usize| (key + process) % PROCESSES < RIVALS;
                for key in open.iter().copied().filter(wants) {
                    learnt.push((key, ask(&node, round, process, key).await));
                }
                learnt
            };
            for (key, learnt) in join_all((0..PROCESSES).map(process)).await.into_iter().flatten() {
                match learnt {
                    Learnt::Held { fence, died } => fences.entry(key).or_default().push((fence, died)),
                    Learnt::Busy => busy += 1,
                    Learnt::Told(result) => {
                        let first = told.entry(key).or_insert_with(|| result.clone());
                        assert_eq!(*first, result);
                    }
                }
            }
            node.pass(31 * SECOND);
        }
        assert_eq!((told.len(), fences.len()), (KEYS, KEYS));
        assert!(busy > 0);
        let mut overtaken = 0;
        for (key, mut held) in fences {
            held.sort_unstable();
            assert!(held.windows(2).all(|two| two[0].0 < two[1].0), "{key}: {held:?}");
            let (last, dead) = held.split_last().unwrap();
            // Whoever did not die was the last one, and it is their result that all were told.
            assert!(!last.1 && dead.iter().all(|(_, died)| *died), "{key}: {held:?}");
            assert!(told[&key].ends_with(format!(" at {}", last.0).as_bytes()));
            overtaken += dead.len();
            for (fence, _) in dead {
                let worker = Worker::new(&node, "svc_shop", &format!("key-{key}"));
                is_stale(worker.complete(*fence, b"late").await);
            }
        }
        assert!(overtaken > 50, "few died: {overtaken}");
    }
}
