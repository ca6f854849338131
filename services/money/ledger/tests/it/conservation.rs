//! Whatever happens in whatever order, the books balance.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use stoa_kit::{Error, Micros, View};
use stoa_ledger_v1::{
    AccountKind, CreateTransferRequest, GetBalanceRequest, GetStatementRequest, GetTransferRequest,
    GetTrialBalanceRequest, PostTransferRequest, ReverseTransferRequest, Transfer, TransferState,
    VoidTransferRequest,
};
use stoa_testkit::{Node, both};

use crate::books::{MINUTE, hold, legs, named, open, pay, transfer};
use crate::{ASSET, INCOME, services};

/// One thing that happens to the books. Accounts and transfers are named by their places.
#[derive(Debug, Clone)]
enum Happening {
    Pay(usize, usize, i64),
    PayTwice([(usize, usize, i64); 2]),
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
    (AccountKind::ACCOUNT_KIND_EXPENSE, Some(-150)),
];

fn happening() -> impl Strategy<Value = Happening> {
    let leg = || {
        (0..ACCOUNTS.len(), 1..ACCOUNTS.len(), 1..100_i64)
            .prop_map(|(from, step, amount)| (from, (from + step) % ACCOUNTS.len(), amount))
    };
    prop_oneof![
        4 => leg().prop_map(|(from, to, amount)| Happening::Pay(from, to, amount)),
        2 => [leg(), leg()].prop_map(Happening::PayTwice),
        1 => leg().prop_map(|(from, to, amount)| Happening::BackDate(from, to, amount)),
        4 => leg().prop_map(|(from, to, amount)| Happening::Hold(from, to, amount)),
        2 => (0..3_usize).prop_map(Happening::Post),
        2 => (0..3_usize).prop_map(Happening::Void),
        2 => (0..5_usize).prop_map(Happening::Reverse),
        2 => (1..50_u64).prop_map(Happening::Wait),
    ]
}

/// The books of a case.
struct Books<'a> {
    node: &'a Node,
    accounts: Vec<String>,
    posted: Vec<String>,
    pending: Vec<String>,
}

impl<'a> Books<'a> {
    async fn open(node: &'a Node) -> Self {
        let mut accounts = Vec::new();
        for (kind, floor) in ACCOUNTS {
            accounts.push(open(node, kind, floor).await);
        }
        pay(node, &accounts[0], &accounts[2], 150).await.unwrap();
        pay(node, &accounts[3], &accounts[1], 150).await.unwrap();
        Self { node, accounts, posted: Vec::new(), pending: Vec::new() }
    }

    /// Lets something happen.
    async fn happen(&mut self, happening: Happening) -> Result<(), Error> {
        let Self { node, accounts, .. } = self;
        let name = |place: usize| accounts[place].as_str();
        match happening {
            Happening::Pay(from, to, amount) => {
                self.posted.push(pay(node, name(from), name(to), amount).await?.id);
            }
            Happening::PayTwice(both) => {
                let both = both.map(|(from, to, amount)| (name(from), name(to), amount));
                self.posted.push(transfer(node, legs(&both), |_| ()).await?.id);
            }
            Happening::BackDate(from, to, amount) => {
                let back = |request: &mut CreateTransferRequest| {
                    request.effective_time = Micros(1).timestamp();
                };
                let legs = legs(&[(name(from), name(to), amount)]);
                self.posted.push(transfer(node, legs, back).await?.id);
            }
            Happening::Hold(from, to, amount) => {
                self.pending.push(hold(node, name(from), name(to), amount, MINUTE).await?.id);
            }
            Happening::Post(place) => {
                let Some(id) = latest(&self.pending, place) else { return Ok(()) };
                node.call(&node.admin(), PostTransferRequest { id: id.clone() }).await?;
                self.posted.push(id);
            }
            Happening::Void(place) => {
                let Some(id) = latest(&self.pending, place) else { return Ok(()) };
                node.call(&node.admin(), VoidTransferRequest { id }).await?;
            }
            Happening::Reverse(place) => {
                let Some(id) = latest(&self.posted, place) else { return Ok(()) };
                let request = ReverseTransferRequest { id, description: String::new() };
                let reversal = node.call(&node.admin(), request).await?.transfer;
                self.posted.push(reversal.id.clone());
            }
            Happening::Wait(seconds) => node.advance(Duration::from_secs(seconds)).await,
        }
        Ok(())
    }

    /// Checks every invariant that the ledger states.
    async fn check(&self) -> Result<(), String> {
        let node = self.node;
        let trial = node.call(&node.admin(), GetTrialBalanceRequest::default()).await.unwrap();
        for balance in &trial.balances {
            if balance.debit != balance.credit {
                return Err(format!("debits {} credits {}", balance.debit, balance.credit));
            }
        }
        let pending = self.transfers(&self.pending).await;
        for (name, (_, floor)) in self.accounts.iter().zip(ACCOUNTS) {
            let account = named(node, name).await;
            let statement = GetStatementRequest {
                account: name.clone(),
                page_size: 1_000,
                ..GetStatementRequest::default()
            };
            let statement = node.call(&node.admin(), statement).await.unwrap();
            // Commits that share an instant of the clock are given later ones.
            let now = node.now().after(MINUTE);
            let as_of = GetBalanceRequest { account: name.clone(), time: now.timestamp() };
            let as_of = node.call(&node.admin(), as_of).await.unwrap().balance.amount;
            if statement.closing_balance != account.balance || as_of != account.balance {
                return Err(format!("{account:?}: entries give {}", statement.closing_balance));
            }
            let held = floor.map_or(0, |_| held(&pending, name, account.kind.as_known()));
            if account.held != held {
                return Err(format!("{account:?}: {held} should be held"));
            }
            if floor.is_some_and(|floor| account.available < floor) {
                return Err(format!("{account:?}: below its floor"));
            }
        }
        Ok(())
    }

    async fn transfers(&self, ids: &[String]) -> Vec<Transfer> {
        let mut transfers = Vec::new();
        for id in ids {
            let request = GetTransferRequest { id: id.clone() };
            let found = self.node.call(&self.node.admin(), request).await.unwrap();
            transfers.push((*found.transfer).clone());
        }
        transfers
    }
}

/// Counted from the last one: the younger a transfer, the more can still become of it.
fn latest(ids: &[String], place: usize) -> Option<String> {
    ids.iter().rev().nth(place).cloned()
}

/// What pending transfers would take from an account: credits from what grows by debits, debits
/// from what grows by credits.
fn held(transfers: &[Transfer], account: &str, kind: Option<AccountKind>) -> i64 {
    let grows_by_credit = kind == Some(AccountKind::ACCOUNT_KIND_LIABILITY);
    transfers
        .iter()
        .filter(|transfer| transfer.state == TransferState::TRANSFER_STATE_PENDING)
        .flat_map(|transfer| &transfer.legs)
        .filter(|leg| account == if grows_by_credit { &leg.debit } else { &leg.credit })
        .map(|leg| leg.amount)
        .sum()
}

/// What a refusal may say. Anything else is a fault.
const REFUSALS: [&str; 3] =
    ["ledger.insufficient_funds", "ledger.transfer_not_pending", "ledger.already_reversed"];

/// Lets everything happen, and gives what does not hold after it. Notes what came about.
async fn play(
    node: &Node, happenings: &[Happening], seen: &mut BTreeSet<String>,
) -> Result<(), String> {
    let mut books = Books::open(node).await;
    for happening in happenings {
        match books.happen(happening.clone()).await {
            Err(error) if !REFUSALS.contains(&error.reason()) => return Err(format!("{error:?}")),
            Err(error) => _ = seen.insert(error.reason().to_owned()),
            Ok(()) => {}
        }
        books.check().await?;
    }
    for transfer in books.transfers(&[books.posted.clone(), books.pending.clone()].concat()).await {
        seen.insert(format!("{:?} {}", transfer.state, transfer.legs.len()));
        if !transfer.reversed_by.is_empty() {
            seen.insert("reversed".to_owned());
        }
    }
    Ok(())
}

both! {
    async fn movements_are_folded_into_totals(node: Node) {
        const TAIL: &str = "SELECT value FROM ledger_total_tail WHERE tenant = :tenant \
             /* whole: a test reads what it wrote */";
        let (cash, sales) = (open(&node, ASSET, None).await, open(&node, INCOME, None).await);
        for amount in 1..=5 {
            pay(&node, &cash, &sales, amount).await.unwrap();
        }
        node.settle().await;
        let ask = |view: &View| view.rows::<(i64,)>(TAIL, ());
        assert_eq!(node.view("ledger", &node.system(), ask).await.unwrap(), []);
        assert_eq!(named(&node, &sales).await.balance, 15);
        // No answer is another one for it, and nobody who watches looks again.
        let folds = "SELECT tables FROM stoa_commit \
             WHERE method = 'stoa.ledger.v1.LedgerService/FoldTotals'";
        for (tables,) in node.rows::<(String,)>(folds).await {
            assert!(tables.split(' ').all(|table| table.ends_with('@')), "{tables}");
        }
    }
}

both! {
    async fn whatever_happens_the_books_balance(node: Node) {
        let rng = TestRunner::deterministic().new_rng();
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let strategy = prop::collection::vec(happening(), 20..40);
        let mut seen = BTreeSet::new();
        for _ in 0..6 {
            let mut tree = strategy.new_tree(&mut runner).unwrap();
            let Err(mut wrong) = play(&node, &tree.current(), &mut seen).await else { continue };
            let mut smallest = tree.current();
            // Towards the shortest story that goes wrong; one that goes right takes a step back.
            while tree.simplify() {
                match play(&node, &tree.current(), &mut seen).await {
                    Err(still) => (wrong, smallest) = (still, tree.current()),
                    Ok(()) if tree.complicate() => {}
                    Ok(()) => break,
                }
            }
            panic!("{wrong}\nafter {smallest:#?}");
        }
        // Stories in which nothing comes about would prove nothing.
        for what in ["POSTED 1", "POSTED 2", "VOIDED 1", "EXPIRED 1", "PENDING 1", "reversed", "funds"] {
            assert!(seen.iter().any(|seen| seen.ends_with(what)), "{what} is not in {seen:?}");
        }
    }
}
