//! What the tests of the ledger do again and again.

use std::time::Duration;

use stoa_kit::{Caller, Result};
use stoa_ledger_v1::{
    Account, AccountKind, CreateAccountRequest, CreateTransferRequest, GetAccountRequest, Leg,
    Transfer,
};
use stoa_testkit::Node;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// Opens an account in dollars.
pub(crate) async fn open(node: &Node, kind: AccountKind, floor: Option<i64>) -> String {
    open_in(node, "USD", kind, floor).await
}

pub(crate) async fn open_in(
    node: &Node, currency: &str, kind: AccountKind, floor: Option<i64>,
) -> String {
    let request = CreateAccountRequest {
        currency: currency.into(),
        kind: kind.into(),
        floor,
        ..CreateAccountRequest::default()
    };
    node.call(&node.admin(), request).await.unwrap().account.id.clone()
}

/// Legs from (debited, credited, amount).
pub(crate) fn legs(of: &[(&str, &str, i64)]) -> Vec<Leg> {
    let leg = |(debit, credit, amount): &(&str, &str, i64)| Leg {
        debit: (*debit).into(),
        credit: (*credit).into(),
        amount: *amount,
    };
    of.iter().map(leg).collect()
}

pub(crate) async fn transfer(
    node: &Node, legs: Vec<Leg>, change: impl FnOnce(&mut CreateTransferRequest),
) -> Result<Transfer> {
    let mut request =
        CreateTransferRequest { currency: "USD".into(), legs, ..CreateTransferRequest::default() };
    change(&mut request);
    Ok((*node.call(&node.admin(), request).await?.transfer).clone())
}

pub(crate) async fn pay(node: &Node, debit: &str, credit: &str, amount: i64) -> Result<Transfer> {
    transfer(node, legs(&[(debit, credit, amount)]), |_| ()).await
}

/// Creates a pending transfer that expires so much later.
pub(crate) async fn hold(
    node: &Node, debit: &str, credit: &str, amount: i64, wait: Duration,
) -> Result<Transfer> {
    let expires = node.now().after(wait);
    transfer(node, legs(&[(debit, credit, amount)]), |request| {
        request.pending = true;
        request.expire_time = expires.timestamp();
    })
    .await
}

pub(crate) async fn named(node: &Node, account: &str) -> Account {
    seen(node, &node.admin(), account).await.unwrap()
}

pub(crate) async fn seen(node: &Node, caller: &Caller, account: &str) -> Result<Account> {
    let request = GetAccountRequest { account: account.into() };
    Ok((*node.call(caller, request).await?.account).clone())
}

/// Why a call failed.
pub(crate) fn reason<T: std::fmt::Debug>(outcome: Result<T>) -> String {
    outcome.unwrap_err().reason().to_owned()
}
