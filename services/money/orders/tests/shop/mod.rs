//! A shop with its four services, and the words the tests use of it.

use stoa_catalog_v1::{CreateProductRequest, NewVariant};
use stoa_inventory_v1::{GetStockRequest, ReceiveRequest, StockLine};
use stoa_kit::v1::Money;
use stoa_kit::{Error, Micros};
use stoa_ledger_v1::{GetAccountRequest, GetTrialBalanceRequest, ListTransfersRequest, Transfer};
use stoa_notify_v1::{ListInboxRequest, Notification};
use stoa_orders_v1::*;
use stoa_testkit::Node;

pub(crate) fn usd(amount: i64) -> Money {
    Money { amount, currency: "USD".into() }
}

/// Puts a variant on sale, at a price in US dollars and Swedish crowns.
pub(crate) async fn sell(node: &Node, sku: &str, price: i64, stock: i64) {
    let prices = ["USD", "SEK"].map(|currency| Money { amount: price, currency: currency.into() });
    let variant = NewVariant { sku: sku.into(), prices: prices.into(), ..NewVariant::default() };
    let product = CreateProductRequest {
        title: sku.into(),
        variants: vec![variant],
        ..CreateProductRequest::default()
    };
    node.call(&node.admin(), product).await.unwrap();
    if stock > 0 {
        let lines = vec![StockLine { sku: sku.into(), quantity: stock }];
        let receive = ReceiveRequest { lines, location: String::new() };
        node.call(&node.admin(), receive).await.unwrap();
    }
}

pub(crate) fn cart(lines: &[(&str, i64)], currency: &str) -> PlaceOrderRequest {
    let line = |(sku, quantity): &(&str, i64)| CartLine { sku: (*sku).into(), quantity: *quantity };
    PlaceOrderRequest {
        lines: lines.iter().map(line).collect(),
        currency: currency.into(),
        ..PlaceOrderRequest::default()
    }
}

pub(crate) async fn place(node: &Node, user: &str, lines: &[(&str, i64)]) -> Result<Order, Error> {
    Ok(node.call(&node.user(user), cart(lines, "USD")).await?.order.unwrap())
}

pub(crate) async fn cancel(node: &Node, user: &str, id: &str) -> Result<Order, Error> {
    let request = CancelOrderRequest { id: id.into() };
    Ok(node.call(&node.user(user), request).await?.order.unwrap())
}

pub(crate) fn imported(user: &str, amount: i64) -> ImportOrderRequest {
    ImportOrderRequest {
        customer_id: user.into(),
        sku: "tea".into(),
        quantity: 1,
        amount: usd(amount).into(),
        effective_time: Micros(852_120_000_000_000).timestamp(),
        location: String::new(),
    }
}

pub(crate) async fn orders(node: &Node) -> Vec<Order> {
    let list = ListOrdersRequest { page_size: 1_000, ..ListOrdersRequest::default() };
    node.call(&node.admin(), list).await.unwrap().orders
}

pub(crate) async fn transfers(node: &Node) -> Vec<Transfer> {
    let list = ListTransfersRequest { page_size: 1_000, ..ListTransfersRequest::default() };
    node.call(&node.admin(), list).await.unwrap().transfers
}

pub(crate) async fn inbox(node: &Node, user: &str) -> Vec<Notification> {
    let list = ListInboxRequest { page_size: 1_000, ..ListInboxRequest::default() };
    node.call(&node.user(user), list).await.unwrap().notifications
}

/// Available and reserved at `main`.
pub(crate) async fn stock(node: &Node, sku: &str) -> (i64, i64) {
    let reply = node.call(&node.admin(), GetStockRequest { sku: sku.into() }).await.unwrap();
    reply.stock.first().map_or((0, 0), |stock| (stock.available, stock.reserved))
}

/// What an account holds, by its code; nothing if there is none.
pub(crate) async fn balance(node: &Node, account: &str) -> Option<i64> {
    let request = GetAccountRequest { account: account.into() };
    node.call(&node.admin(), request).await.ok().map(|reply| reply.account.balance)
}

/// Debits and credits of all books are equal; gives what was earned in all.
pub(crate) async fn earned(node: &Node) -> i64 {
    let request = GetTrialBalanceRequest::default();
    let books = node.call(&node.admin(), request).await.unwrap().balances;
    for book in &books {
        assert_eq!(book.debit, book.credit, "the books of {} do not balance", book.currency);
    }
    books.iter().map(|book| book.credit).sum()
}
