//! Many processes at once, some of which die.

use std::collections::BTreeMap;

use futures::future::join_all;
use stoa_kit::Service;
use stoa_sync_v1::*;
use stoa_testkit::both;

use crate::{SECOND, Worker, in_line, permits};

const PROCESSES: usize = 24;

fn services() -> Vec<Service> {
    crate::services()
}

both! {
    async fn a_lock_goes_from_one_to_the_next_in_the_order_in_which_they_came(node: Node) {
        let worker = Worker::new(&node, "svc_a");
        let asked = join_all((0..PROCESSES).map(|_| worker.acquire(in_line()))).await;
        let mut waiting: BTreeMap<i64, Lease> =
            asked.into_iter().map(|lease| lease.unwrap()).map(|lease| (lease.place, lease)).collect();
        assert_eq!(waiting.len(), PROCESSES, "two have one place");
        let mut last = 0;
        for turn in 0.. {
            let Some((_, next)) = waiting.pop_first() else { break };
            let next = worker.lease(&next).await.unwrap();
            assert_eq!(next.state, LeaseState::Held);
            assert!(next.fence > last);
            last = next.fence;
            let (lock, holders) = worker.lock("printer").await;
            assert_eq!((lock.held, holders.len()), (1, 1));
            assert_eq!(usize::try_from(lock.waiting).unwrap(), waiting.len());
            // Every third dies with it.
            match turn % 3 {
                0 => node.advance(31 * SECOND).await,
                _ => worker.release(&next).await.unwrap(),
            }
            // The rest is still there.
            join_all(waiting.values().map(|lease| worker.renew(lease))).await;
        }
        assert_eq!(worker.lock("printer").await.0.held, 0);
    }

    async fn permits_are_never_more_than_there_are(node: Node) {
        let worker = Worker::new(&node, "svc_a");
        // Whoever gives back what they hold lets in others, while more come.
        let process = async |number: usize| {
            for round in 0..3 {
                let wanted = i32::try_from((number + round) % 4).unwrap() + 1;
                let lease = worker.acquire(permits(wanted)).await.unwrap();
                let (lock, holders) = worker.lock("printer").await;
                let held: i32 = holders.iter().map(|holder| holder.permits).sum();
                assert!(held == lock.held && (1..=4).contains(&held), "{lock:?} {holders:?}");
                worker.release(&lease).await.unwrap();
            }
        };
        join_all((0..PROCESSES).map(process)).await;
        let (lock, holders) = worker.lock("printer").await;
        assert_eq!((lock.held, lock.waiting, holders.len()), (0, 0, 0));
    }

    async fn a_barrier_of_many_opens_once(node: Node) {
        let worker = Worker::new(&node, "svc_a");
        let parties = i32::try_from(PROCESSES).unwrap();
        let names: Vec<String> = (0..PROCESSES).map(|number| format!("p{number}")).collect();
        let came = join_all(names.iter().map(|name| worker.enter(name, parties))).await;
        let came: Vec<(i64, Barrier)> = came.into_iter().map(|came| came.unwrap()).collect();
        assert!(came.iter().all(|(round, _)| *round == came[0].0));
        assert_eq!(came.iter().filter(|(round, barrier)| barrier.round > *round).count(), 1);
    }
}
