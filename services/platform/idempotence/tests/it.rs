//! Idempotence, through its contract.

#![cfg(test)]

#[path = "it/race.rs"]
mod race;

use std::time::Duration;

use stoa_idempotence_v1::*;
use stoa_kit::{Caller, Code, Error, Result, Service};
use stoa_testkit::{Node, both};

const SECOND: Duration = Duration::from_secs(1);

fn services() -> Vec<Service> {
    vec![stoa_idempotence::service()]
}

stoa_testkit::compliance!(stoa_idempotence::service, services);

/// A program with a key that it works under.
#[derive(Clone)]
struct Worker {
    node: Node,
    caller: Caller,
    key: String,
}

impl Worker {
    fn new(node: &Node, account: &str, key: &str) -> Self {
        let caller = node.account_with(account, &["idempotence.*"]);
        Self { node: node.clone(), caller, key: key.into() }
    }

    async fn claim_for(&self, request: &[u8]) -> ClaimKeyResponseOutcome {
        let request = ClaimKeyRequest {
            scope: "payments".into(),
            key: self.key.clone(),
            fingerprint: request.to_vec(),
            ..ClaimKeyRequest::default()
        };
        self.node.call(&self.caller, request).await.unwrap().outcome.unwrap()
    }

    async fn claim(&self) -> ClaimKeyResponseOutcome {
        self.claim_for(b"request").await
    }

    /// Claims a key that is free: its fence, and whether it was somebody else's.
    async fn take(&self) -> (i64, bool) {
        match self.claim().await {
            ClaimKeyResponseOutcome::First(first) => (first.fence, first.retaken),
            other => panic!("{other:?}"),
        }
    }

    async fn complete(&self, fence: i64, result: &[u8]) -> Result<()> {
        let (scope, key, result) = ("payments".into(), self.key.clone(), result.to_vec());
        let request = CompleteClaimRequest { scope, key, fence, result };
        self.node.call(&self.caller, request).await.map(|_| ())
    }

    async fn release(&self, fence: i64) -> Result<()> {
        let request =
            ReleaseClaimRequest { scope: "payments".into(), key: self.key.clone(), fence };
        self.node.call(&self.caller, request).await.map(|_| ())
    }

    async fn renew(&self, fence: i64) -> Result<()> {
        let (scope, key) = ("payments".into(), self.key.clone());
        let request = RenewClaimRequest { scope, key, fence, lease_seconds: 0 };
        self.node.call(&self.caller, request).await.map(|_| ())
    }
}

#[track_caller]
fn is_stale(outcome: Result<()>) {
    let error: Error = outcome.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::Aborted, "idempotence.stale_fence"));
}

fn is_busy(outcome: &ClaimKeyResponseOutcome, within_ms: std::ops::RangeInclusive<i32>) -> bool {
    matches!(outcome, ClaimKeyResponseOutcome::InProgress(it) if within_ms.contains(&it.retry_after_ms))
}

fn done(result: &[u8]) -> ClaimKeyResponseOutcome {
    ClaimKeyResponseOutcome::Done(Done { result: result.to_vec() })
}

both! {
    async fn what_a_holder_does_is_not_done_once_they_are_overtaken(node: Node) {
        let worker = Worker::new(&node, "svc_a", "one");
        let (fence, _) = worker.take().await;
        let under = async |fence: i64, key: &str| {
            let (fence, scope) = (format!("idempotence:{fence}:payments:one"), "payments".into());
            let request = ClaimKeyRequest {
                scope,
                key: key.into(),
                fingerprint: b"request".to_vec(),
                ..ClaimKeyRequest::default()
            };
            node.call_under(&fence, &worker.caller, request).await.map(|_| ())
        };
        under(fence, "two").await.unwrap();
        node.advance(31 * SECOND).await;
        under(fence, "three").await.unwrap();
        let (later, retaken) = worker.take().await;
        assert!(retaken);
        is_stale(under(fence, "four").await);
        under(later, "four").await.unwrap();
        worker.release(later).await.unwrap();
        is_stale(under(later, "five").await);
        is_stale(node.call_under("idempotence:1", &worker.caller, ClaimKeyRequest {
            key: "six".into(),
            fingerprint: b"request".to_vec(),
            ..ClaimKeyRequest::default()
        }).await.map(|_| ()));
    }

    async fn whoever_comes_later_is_given_the_result_to_the_byte(node: Node) {
        let worker = Worker::new(&node, "svc_shop", "order-1");
        let result: Vec<u8> = (0..=255).cycle().take(65_536).collect();
        let (fence, retaken) = worker.take().await;
        assert!(!retaken);
        assert!(is_busy(&worker.claim().await, 29_000..=30_001));
        worker.complete(fence, &result).await.unwrap();
        worker.complete(fence, &result).await.unwrap();
        is_stale(worker.complete(fence, b"another").await);
        is_stale(worker.release(fence).await);
        is_stale(worker.renew(fence).await);
        assert_eq!(worker.claim().await, done(&result));
        node.advance(23 * 3_600 * SECOND).await;
        assert_eq!(worker.claim().await, done(&result));
    }
}

both! {
    async fn another_request_is_a_conflict_until_the_key_was_released(node: Node) {
        let worker = Worker::new(&node, "svc_shop", "order-1");
        let conflict = ClaimKeyResponseOutcome::Conflict(Conflict {});
        let (fence, _) = worker.take().await;
        assert_eq!(worker.claim_for(b"other").await, conflict);
        node.advance(31 * SECOND).await;
        assert_eq!(worker.claim_for(b"other").await, conflict, "the holder may have done it");
        worker.release(fence).await.unwrap();
        let ClaimKeyResponseOutcome::First(first) = worker.claim_for(b"other").await else {
            panic!("a key that was released is free");
        };
        assert!(first.fence > fence && !first.retaken, "{first:?}");
        worker.complete(first.fence, b"").await.unwrap();
        assert_eq!(worker.claim().await, conflict);
    }
}

both! {
    async fn a_holder_who_was_overtaken_ends_nothing(node: Node) {
        let worker = Worker::new(&node, "svc_shop", "order-1");
        let (dead, _) = worker.take().await;
        node.advance(20 * SECOND).await;
        worker.renew(dead).await.unwrap();
        node.advance(20 * SECOND).await;
        assert!(is_busy(&worker.claim().await, 9_000..=10_001));
        node.advance(11 * SECOND).await;
        let (next, retaken) = worker.take().await;
        assert!(next > dead && retaken);
        is_stale(worker.renew(dead).await);
        is_stale(worker.release(dead).await);
        is_stale(worker.complete(dead, b"late").await);
        assert!(is_busy(&worker.claim().await, 29_000..=30_001), "the key is still the next one's");
        worker.complete(next, b"in time").await.unwrap();
        assert_eq!(worker.claim().await, done(b"in time"));
    }
}

both! {
    async fn fences_grow_also_where_a_claim_was_forgotten(node: Node) {
        let worker = Worker::new(&node, "svc_shop", "order-1");
        let mut last = 0;
        for _ in 0..3 {
            let (fence, _) = worker.take().await;
            worker.release(fence).await.unwrap();
            let (again, _) = worker.take().await;
            assert!(last < fence && fence < again);
            assert!(node.kept().await.holds(b"order-1"));
            node.advance(26 * 3_600 * SECOND).await;
            assert!(!node.kept().await.holds(b"order-1"), "what is over is forgotten");
            is_stale(worker.complete(again, b"").await);
            last = again;
        }
    }
}

both! {
    async fn keys_of_two_callers_never_meet(node: Node) {
        let (shop, bank) =
            (Worker::new(&node, "svc_shop", "one"), Worker::new(&node, "svc_bank", "one"));
        let (of_shop, _) = shop.take().await;
        node.pass(SECOND);
        let (of_bank, _) = bank.take().await;
        is_stale(bank.complete(of_shop, b"mine").await);
        shop.complete(of_shop, b"of the shop").await.unwrap();
        bank.release(of_bank).await.unwrap();
        assert_eq!(shop.claim().await, done(b"of the shop"));
        assert!(!bank.take().await.1);
        let request = ClaimKeyRequest {
            key: "one".into(),
            fingerprint: b"request".to_vec(),
            ..ClaimKeyRequest::default()
        };
        assert_eq!(node.fails(&node.system(), request).await.reason(), "auth.no_owner");
        assert!(node.first_on_disk([&b"of the shop"[..]].into_iter()).await.is_none());
    }
}
