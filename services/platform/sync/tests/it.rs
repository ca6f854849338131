//! Sync, through its contract.

#![cfg(test)]

#[path = "it/race.rs"]
mod race;

use std::time::Duration;

use stoa_kit::{Caller, Code, Error, Result, Service};
use stoa_sync_v1::*;
use stoa_testkit::{Node, both};

const SECOND: Duration = Duration::from_secs(1);

fn services() -> Vec<Service> {
    vec![stoa_sync::service()]
}

stoa_testkit::compliance!(stoa_sync::service, services);

/// A process of a program.
#[derive(Clone)]
struct Worker {
    node: Node,
    caller: Caller,
}

impl Worker {
    fn new(node: &Node, account: &str) -> Self {
        Self { node: node.clone(), caller: node.account_with(account, &["sync.*"]) }
    }

    async fn acquire(&self, request: AcquireLockRequest) -> Result<Lease> {
        let reply = self.node.call(&self.caller, request).await?;
        Ok(reply.lease.into_option().unwrap())
    }

    async fn lease(&self, lease: &Lease) -> Option<Lease> {
        let request = GetLeaseRequest { id: lease.id.clone() };
        match self.node.call(&self.caller, request).await {
            Ok(reply) => reply.lease.into_option(),
            Err(error) => {
                assert_eq!(error.reason(), "resource.not_found");
                None
            }
        }
    }

    async fn holds(&self, lease: &Lease) -> bool {
        self.lease(lease).await.is_some_and(|lease| lease.state == LeaseState::Held)
    }

    async fn renew(&self, lease: &Lease) -> Result<()> {
        let request = RenewLeaseRequest { id: lease.id.clone() };
        self.node.call(&self.caller, request).await.map(drop)
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        let request = ReleaseLeaseRequest { id: lease.id.clone() };
        self.node.call(&self.caller, request).await.map(drop)
    }

    /// Writes something under a fence, in another lock's name so that nobody is in its way.
    async fn write_under(&self, fence: i64, lock: &str) -> Result<()> {
        let said = format!("sync:{fence}:{lock}");
        let request = LeaveBarrierRequest { name: "written".into(), party: "one".into() };
        self.node.call_under(&said, &self.caller, request).await.map(drop)
    }

    async fn lock(&self, name: &str) -> (Lock, Vec<Holder>) {
        let reply = self.node.call(&self.caller, GetLockRequest { name: name.into() }).await;
        let reply = reply.unwrap();
        (reply.lock.into_option().unwrap(), reply.holders)
    }

    async fn enter(&self, party: &str, parties: i32) -> Result<(i64, Barrier)> {
        let (name, party) = ("start".into(), party.into());
        let request = EnterBarrierRequest { name, parties, party, wait_seconds: 0 };
        let reply = self.node.call(&self.caller, request).await?;
        Ok((reply.round, reply.barrier.into_option().unwrap()))
    }
}

/// A lock of one, without standing in line.
fn at_once() -> AcquireLockRequest {
    AcquireLockRequest { name: "printer".into(), ..AcquireLockRequest::default() }
}

/// A lock of one, however long that takes.
fn in_line() -> AcquireLockRequest {
    AcquireLockRequest { wait_seconds: 600, ..at_once() }
}

/// So many permits of four, however long that takes.
fn permits(permits: i32) -> AcquireLockRequest {
    AcquireLockRequest { limit: 4, permits, ..in_line() }
}

#[track_caller]
fn is_lost(outcome: Result<()>) {
    let error: Error = outcome.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::Aborted, "sync.lease_lost"));
}

both! {
    async fn who_came_first_is_served_first(node: Node) {
        let worker = Worker::new(&node, "svc_a");
        let first = worker.acquire(at_once()).await.unwrap();
        assert_eq!(first.state, LeaseState::Held);
        let refused = worker.acquire(at_once()).await.unwrap_err();
        assert_eq!((refused.code(), refused.reason()), (Code::Aborted, "sync.locked"));
        let mut line = Vec::new();
        for _ in 0..4 {
            line.push(worker.acquire(in_line()).await.unwrap());
        }
        // One of them goes away, and nobody notices.
        worker.release(&line.remove(1)).await.unwrap();
        let mut holder = first;
        for next in line {
            assert!(!worker.holds(&next).await);
            worker.release(&holder).await.unwrap();
            let now = worker.lease(&next).await.unwrap();
            assert_eq!(now.state, LeaseState::Held);
            assert!(now.fence > holder.fence, "{now:?} {holder:?}");
            holder = now;
        }
        worker.release(&holder).await.unwrap();
        let (lock, holders) = worker.lock("printer").await;
        assert_eq!((lock.held, lock.waiting, holders.len()), (0, 0, 0));
        worker.acquire(at_once()).await.unwrap();
    }

    async fn whoever_stops_for_longer_than_their_lease_writes_nothing_under_it(node: Node) {
        let (one, other) = (Worker::new(&node, "svc_a"), Worker::new(&node, "svc_b"));
        let held = one.acquire(at_once()).await.unwrap();
        let next = other.acquire(in_line()).await.unwrap();
        node.pass(20 * SECOND);
        one.renew(&held).await.unwrap();
        node.pass(20 * SECOND);
        one.write_under(held.fence, "printer").await.unwrap();
        // Nobody writes under what another holds, nor under what nobody does.
        is_lost(other.write_under(held.fence, "printer").await);
        is_lost(one.write_under(held.fence, "scanner").await);
        is_lost(one.write_under(held.fence + 1, "printer").await);
        // The time alone ends it, before anybody has looked.
        node.pass(11 * SECOND);
        is_lost(one.write_under(held.fence, "printer").await);
        is_lost(one.renew(&held).await);
        is_lost(one.release(&held).await);
        assert_eq!(one.lease(&held).await, None);
        // And has who is next hold the lock, though nobody asks for it.
        node.advance(SECOND).await;
        let now = other.lease(&next).await.unwrap();
        assert_eq!(now.state, LeaseState::Held);
        assert!(now.fence > held.fence);
        other.write_under(now.fence, "printer").await.unwrap();
        is_lost(one.write_under(held.fence, "printer").await);
        is_lost(other.write_under(0, "printer").await);
    }
}

both! {
    async fn who_waits_for_longer_than_they_said_is_not_served(node: Node) {
        let worker = Worker::new(&node, "svc_a");
        let held = worker.acquire(AcquireLockRequest { lease_seconds: 3_600, ..at_once() }).await.unwrap();
        let patient = AcquireLockRequest { wait_seconds: 60, ..at_once() };
        let hasty = AcquireLockRequest { wait_seconds: 10, ..at_once() };
        let (gone, stays) = (worker.acquire(hasty).await.unwrap(), worker.acquire(patient).await.unwrap());
        node.pass(50 * SECOND);
        is_lost(worker.renew(&gone).await);
        worker.renew(&stays).await.unwrap();
        node.pass(50 * SECOND);
        worker.release(&held).await.unwrap();
        assert!(worker.holds(&stays).await && !worker.holds(&gone).await);
        // Its time begins when it holds the lock.
        node.pass(29 * SECOND);
        worker.renew(&stays).await.unwrap();
    }
}

both! {
    async fn no_more_is_held_than_there_is_and_nobody_is_passed(node: Node) {
        let worker = Worker::new(&node, "svc_a");
        let three = worker.acquire(permits(3)).await.unwrap();
        let two = worker.acquire(permits(2)).await.unwrap();
        // One is left, and whoever came before needs two.
        let one = worker.acquire(permits(1)).await.unwrap();
        assert!(worker.holds(&three).await && !worker.holds(&two).await && !worker.holds(&one).await);
        let (lock, holders) = worker.lock("printer").await;
        assert_eq!((lock.permits, lock.held, lock.waiting), (4, 3, 2));
        assert_eq!(holders.iter().map(|holder| holder.permits).sum::<i32>(), 3);
        worker.release(&three).await.unwrap();
        assert!(worker.holds(&two).await && worker.holds(&one).await);
        let all = worker.acquire(permits(4)).await.unwrap();
        worker.release(&two).await.unwrap();
        assert!(!worker.holds(&all).await);
        worker.release(&one).await.unwrap();
        assert!(worker.holds(&all).await);
        let request = AcquireLockRequest { permits: 5, ..permits(5) };
        let beyond = node.fails(&worker.caller, request).await;
        assert_eq!(beyond.violations()[0].path, "permits");
    }

    async fn all_who_use_a_lock_say_the_same_limit(node: Node) {
        let worker = Worker::new(&node, "svc_a");
        let held = worker.acquire(at_once()).await.unwrap();
        let refused = worker.acquire(permits(1)).await.unwrap_err();
        assert_eq!(refused.reason(), "sync.limit_differs");
        worker.release(&held).await.unwrap();
        worker.acquire(permits(1)).await.unwrap();
        assert_eq!(worker.acquire(at_once()).await.unwrap_err().reason(), "sync.limit_differs");
    }
}

both! {
    async fn fences_grow_also_where_the_lock_was_forgotten(node: Node) {
        let (worker, mut last) = (Worker::new(&node, "svc_a"), 0);
        for _ in 0..3 {
            for _ in 0..3 {
                let lease = worker.acquire(at_once()).await.unwrap();
                assert!(lease.fence > last);
                last = lease.fence;
                worker.release(&lease).await.unwrap();
            }
            node.advance(3 * 3_600 * SECOND).await;
            let gone = node.fails(&worker.caller, GetLockRequest { name: "printer".into() }).await;
            assert_eq!(gone.code(), Code::NotFound);
        }
    }

    async fn a_lease_is_its_owners(node: Node) {
        let (one, other) = (Worker::new(&node, "svc_a"), Worker::new(&node, "svc_b"));
        let held = one.acquire(at_once()).await.unwrap();
        let eve = Worker { caller: node.account_with("svc_eve", &["sync.locks.*"]), ..one.clone() };
        for outcome in [eve.renew(&held).await, eve.release(&held).await] {
            is_lost(outcome);
        }
        assert_eq!(eve.lease(&held).await, None);
        let several = BatchGetLeasesRequest { ids: vec![held.id.clone()] };
        let shown = async |caller| node.call(caller, several.clone()).await.unwrap().leases.len();
        assert_eq!((shown(&eve.caller).await, shown(&one.caller).await), (0, 1));
        // Who operates may take it away.
        other.release(&held).await.unwrap();
        is_lost(one.renew(&held).await);
    }
}

both! {
    async fn the_leader_is_whoever_holds_the_lock_and_says_where(node: Node) {
        let candidate = |at: &str| AcquireLockRequest { note: at.into(), ..in_line() };
        let (one, other) = (Worker::new(&node, "svc_a"), Worker::new(&node, "svc_b"));
        let first = one.acquire(candidate("10.0.0.1")).await.unwrap();
        let second = other.acquire(candidate("10.0.0.2")).await.unwrap();
        let leader = async || {
            let holders = one.lock("printer").await.1;
            holders.into_iter().map(|holder| (holder.note, holder.fence)).collect::<Vec<_>>()
        };
        assert_eq!(leader().await, [("10.0.0.1".to_owned(), first.fence)]);
        // It stops: nobody leads any more, and then another one does.
        node.pass(31 * SECOND);
        assert_eq!(leader().await, []);
        node.advance(SECOND).await;
        let fence = other.lease(&second).await.unwrap().fence;
        assert_eq!(leader().await, [("10.0.0.2".to_owned(), fence)]);
    }
}

both! {
    async fn a_barrier_opens_once_for_all_who_came(node: Node) {
        let worker = Worker::new(&node, "svc_a");
        let mut last = 0;
        for _ in 0..2 {
            let (round, barrier) = worker.enter("one", 3).await.unwrap();
            assert_eq!((barrier.round, barrier.arrived), (round, 1));
            assert!(round > last);
            // One that comes again counts once; one of another program is another.
            assert_eq!(worker.enter("one", 3).await.unwrap().1.arrived, 1);
            let other = Worker::new(&node, "svc_b");
            assert_eq!(other.enter("one", 3).await.unwrap().1.arrived, 2);
            assert_eq!(worker.enter("two", 4).await.unwrap_err().reason(), "sync.limit_differs");
            let (theirs, open) = worker.enter("two", 3).await.unwrap();
            assert_eq!(theirs, round);
            assert!(open.round > round && open.arrived == 0);
            last = round;
            node.advance(3 * 3_600 * SECOND).await;
        }
    }

    async fn who_went_away_or_waited_too_long_is_not_counted(node: Node) {
        let worker = Worker::new(&node, "svc_a");
        worker.enter("one", 2).await.unwrap();
        node.pass(61 * SECOND);
        let (round, barrier) = worker.enter("two", 2).await.unwrap();
        assert_eq!((barrier.arrived, barrier.round), (1, round));
        let away = LeaveBarrierRequest { name: "start".into(), party: "two".into() };
        for _ in 0..2 {
            node.call(&worker.caller, away.clone()).await.unwrap();
        }
        assert_eq!(worker.enter("three", 2).await.unwrap().1.arrived, 1);
        // The timer sends away whom nobody comes after.
        node.advance(62 * SECOND).await;
        let barrier = node.call(&worker.caller, GetBarrierRequest { name: "start".into() }).await;
        assert_eq!(barrier.unwrap().barrier.arrived, 0);
        worker.enter("four", 2).await.unwrap();
        assert!(worker.enter("five", 2).await.unwrap().1.round > round);
    }
}
