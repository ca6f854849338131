//! Two accounts, and transfers of one unit between them: whatever is lost or doubled shows in
//! the balance.

use serde_json::json;

use crate::http::{Answer, Request};
use crate::process::Node;

/// Callers at once, and the transfers of each.
const CALLERS: usize = 4;
const TRANSFERS: usize = 25;

pub(crate) struct Bank {
    pub(crate) token: String,
    from: String,
    to: String,
}

/// Transfers by their keys: those that were acknowledged, and those that were not.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) done: Vec<String>,
    pub(crate) failed: Vec<String>,
}

impl Bank {
    pub(crate) fn open(node: &mut Node) -> Self {
        let token = node.set_up();
        let open = || {
            let account = json!({"currency": "EUR", "kind": "ACCOUNT_KIND_ASSET"});
            let reply = node.call(&token, "ledger", "CreateAccount", &account).ok();
            reply["account"]["id"].as_str().unwrap().to_owned()
        };
        let (from, to) = (open(), open());
        Self { token, from, to }
    }

    /// What has arrived.
    pub(crate) fn balance(&self, node: &Node) -> usize {
        let account = json!({"account": self.from});
        let reply = node.call(&self.token, "ledger", "GetAccount", &account).ok();
        reply["account"]["balance"].as_str().map_or(0, |balance| balance.parse().unwrap())
    }

    /// Transfers one unit.
    pub(crate) fn transfer(&self, node: &Node, key: &str) -> Answer {
        let legs = json!([{"debit": self.from, "credit": self.to, "amount": "1"}]);
        let transfer = json!({"currency": "EUR", "legs": legs});
        Request::call(&self.token, "ledger", "CreateTransfer", &transfer)
            .with("idempotency-key", key)
            .send(node.address)
    }

    /// Transfers by several callers at once, under keys that begin with a name. What fails must
    /// say that it is unavailable, and why.
    pub(crate) fn rush(&self, node: &Node, name: &str) -> Outcome {
        let calls = |caller: usize| {
            let mut outcome = Outcome::default();
            for call in 0..TRANSFERS {
                let key = format!("{name}-{caller}-{call}");
                let kept = match is_done(&self.transfer(node, &key)) {
                    true => &mut outcome.done,
                    false => &mut outcome.failed,
                };
                kept.push(key);
            }
            outcome
        };
        std::thread::scope(|scope| {
            let callers: Vec<_> =
                (0..CALLERS).map(|caller| scope.spawn(move || calls(caller))).collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).fold(
                Outcome::default(),
                |mut all, one| {
                    all.done.extend(one.done);
                    all.failed.extend(one.failed);
                    all
                },
            )
        })
    }

    /// Tries what failed again under the same keys until all of it is done.
    pub(crate) fn retry(&self, node: &Node, failed: Vec<String>) {
        let give_up = std::time::Instant::now() + std::time::Duration::from_secs(60);
        for key in failed {
            while !is_done(&self.transfer(node, &key)) {
                assert!(std::time::Instant::now() < give_up, "the node does not recover");
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
    }
}

/// Whether a call succeeded; one that did not must have been told that nothing is wrong with it.
fn is_done(answer: &Answer) -> bool {
    if answer.status == 200 {
        return true;
    }
    let error = answer.json();
    assert_eq!((answer.status, error["code"].as_str()), (503, Some("unavailable")), "{error}");
    let reason = error["details"][0]["debug"]["reason"].as_str();
    assert!(reason.is_some_and(|reason| reason.starts_with("store.")), "{error}");
    false
}
