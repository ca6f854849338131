//! Whatever happens in whatever order, the books balance.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use stoa_money::ledger::{
    AccountKind, CreateTransferRequest, GetBalanceRequest, GetStatementRequest,
    GetTrialBalanceRequest, PostTransferRequest, ReverseTransferRequest, TransferState,
    VoidTransferRequest,
};
use stoa_testkit::{Node, both};

use crate::books::{MINUTE, hold, legs, named, open, pay, transfer};
use crate::services;

/// One thing that happens to the books. Accounts and transfers are named by their places.
#[derive(Debug, Clone)]
enum Happening {
    Pay(usize, usize, i64),
    Both([(usize, usize, i64); 2]),
    BackDate(usize, usize, i64),
    Hold(usize, usize, i64),
    Post(usize),
    Void(usize),
    Reverse(usize),
    Wait(u64),
}

/// The accounts of a case: without a floor, on either side, and with one at zero and below.
const ACCOUNTS: [(AccountKind, Option<i64>); 5] = [
    (AccountKind::ACCOUNT_KIND_ASSET, None),
    (AccountKind::ACCOUNT_KIND_INCOME, None),
    (AccountKind::ACCOUNT_KIND_LIABILITY, Some(0)),
    (AccountKind::ACCOUNT_KIND_ASSET, Some(0)),
    (AccountKind::ACCOUNT_KIND_EXPENSE, Some(-50)),
];

fn happening() -> impl Strategy<Value = Happening> {
    let leg = || (0..ACCOUNTS.len(), 0..ACCOUNTS.len(), 1..100_i64);
    prop_oneof![
        4 => leg().prop_map(|(from, to, amount)| Happening::Pay(from, to, amount)),
        2 => [leg(), leg()].prop_map(Happening::Both),
        1 => leg().prop_map(|(from, to, amount)| Happening::BackDate(from, to, amount)),
        3 => leg().prop_map(|(from, to, amount)| Happening::Hold(from, to, amount)),
        2 => (0..8_usize).prop_map(Happening::Post),
        1 => (0..8_usize).prop_map(Happening::Void),
        2 => (0..16_usize).prop_map(Happening::Reverse),
        1 => (1..40_u64).prop_map(Happening::Wait),
    ]
}

/// What a refusal may say. Anything else is a fault.
const REFUSALS: &[&str] = &[
    "ledger.insufficient_funds",
    "ledger.same_account",
    "ledger.transfer_not_pending",
    "ledger.transfer_not_posted",
    "ledger.already_reversed",
];

/// Lets everything happen, and gives what does not hold after it.
async fn play(node: &Node, happenings: &[Happening]) -> Result<(), String> {
    let mut accounts = Vec::new();
    for (kind, floor) in ACCOUNTS {
        accounts.push(open(node, kind, floor).await);
    }
    let (mut all, mut pending) = (Vec::new(), Vec::new());
    for happening in happenings {
        let done = match happening.clone() {
            Happening::Pay(from, to, amount) => pay(node, &accounts[from], &accounts[to], amount)
                .await
                .map(|done| all.push(done.id)),
            Happening::Both(both) => {
                let both = both.map(|(from, to, amount)| {
                    (accounts[from].as_str(), accounts[to].as_str(), amount)
                });
                transfer(node, legs(&both), |_| ()).await.map(|done| all.push(done.id))
            }
            Happening::BackDate(from, to, amount) => {
                let legs = legs(&[(&accounts[from], &accounts[to], amount)]);
                let back = |request: &mut CreateTransferRequest| {
                    request.effective_time = stoa_kit::Micros(1).timestamp();
                };
                transfer(node, legs, back).await.map(|done| all.push(done.id))
            }
            Happening::Hold(from, to, amount) => {
                let held = hold(node, &accounts[from], &accounts[to], amount, MINUTE).await;
                held.map(|held| pending.push(held.id))
            }
            Happening::Post(place) => match pick(&pending, place) {
                Some(id) => node.call(&node.admin(), PostTransferRequest { id }).await.map(drop),
                None => Ok(()),
            },
            Happening::Void(place) => match pick(&pending, place) {
                Some(id) => node.call(&node.admin(), VoidTransferRequest { id }).await.map(drop),
                None => Ok(()),
            },
            Happening::Reverse(place) => match pick(&all, place) {
                Some(id) => {
                    let request = ReverseTransferRequest { id, description: String::new() };
                    let reversal = node.call(&node.admin(), request).await;
                    reversal.map(|reversal| all.push(reversal.transfer.id.clone()))
                }
                None => Ok(()),
            },
            Happening::Wait(seconds) => {
                node.advance(Duration::from_secs(seconds)).await;
                Ok(())
            }
        };
        match done {
            Err(error) if !REFUSALS.contains(&error.reason()) => return Err(format!("{error:?}")),
            _ => balanced(node, &accounts, &pending).await?,
        }
    }
    Ok(())
}

fn pick(ids: &[String], place: usize) -> Option<String> {
    (!ids.is_empty()).then(|| ids[place % ids.len()].clone())
}

/// Checks every invariant that the ledger states.
async fn balanced(node: &Node, accounts: &[String], pending: &[String]) -> Result<(), String> {
    let trial = node.call(&node.admin(), GetTrialBalanceRequest::default()).await.unwrap();
    for balance in &trial.balances {
        if balance.debit != balance.credit {
            return Err(format!("debits {} credits {}", balance.debit, balance.credit));
        }
    }
    let held = held(node, pending).await;
    for (name, (_, floor)) in accounts.iter().zip(ACCOUNTS) {
        let account = named(node, name).await;
        let statement = GetStatementRequest {
            account: name.clone(),
            page_size: 1_000,
            ..GetStatementRequest::default()
        };
        let statement = node.call(&node.admin(), statement).await.unwrap();
        let as_of = GetBalanceRequest { account: name.clone(), ..GetBalanceRequest::default() };
        let as_of = node.call(&node.admin(), as_of).await.unwrap().balance.amount;
        if statement.closing_balance != account.balance || as_of != account.balance {
            return Err(format!("{account:?}: entries give {}", statement.closing_balance));
        }
        let expected: i64 = held.iter().filter(|(id, _)| id == name).map(|(_, held)| held).sum();
        if account.held != if floor.is_some() { expected } else { 0 } {
            return Err(format!("{account:?}: {expected} should be held"));
        }
        if floor.is_some_and(|floor| account.available < floor) {
            return Err(format!("{account:?}: below its floor"));
        }
    }
    Ok(())
}

/// What pending transfers would take, by account.
async fn held(node: &Node, pending: &[String]) -> Vec<(String, i64)> {
    let mut held = Vec::new();
    for id in pending {
        let request = stoa_money::ledger::GetTransferRequest { id: id.clone() };
        let transfer = node.call(&node.admin(), request).await.unwrap().transfer;
        if transfer.state != TransferState::TRANSFER_STATE_PENDING {
            continue;
        }
        for leg in &transfer.legs {
            let account = named(node, &leg.credit_account).await;
            // Credits take from what grows by debits, and the other way round.
            let grows_by_debit = account.kind == AccountKind::ACCOUNT_KIND_ASSET
                || account.kind == AccountKind::ACCOUNT_KIND_EXPENSE;
            if grows_by_debit {
                held.push((account.id, leg.amount));
            }
            let account = named(node, &leg.debit_account).await;
            if account.kind == AccountKind::ACCOUNT_KIND_LIABILITY {
                held.push((account.id, leg.amount));
            }
        }
    }
    held
}

both! {
    async fn whatever_happens_the_books_balance(node: Node) {
        let mut runner = TestRunner::new_with_rng(Config::default(), TestRunner::deterministic().new_rng());
        let strategy = prop::collection::vec(happening(), 1..40);
        for _ in 0..6 {
            let mut tree = strategy.new_tree(&mut runner).unwrap();
            let Err(mut wrong) = play(&node, &tree.current()).await else { continue };
            let mut smallest = tree.current();
            while tree.simplify() {
                match play(&node, &tree.current()).await {
                    Err(still) => (wrong, smallest) = (still, tree.current()),
                    Ok(()) => {
                        if !tree.complicate() {
                            break;
                        }
                    }
                }
            }
            panic!("{wrong}\nafter {smallest:#?}");
        }
    }
}
