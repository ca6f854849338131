//! Orders, and what they ask of other services.

use stoa_catalog_v1::{QuoteItem, QuoteRequest, QuoteResponse};
use stoa_inventory_v1::{IssueRequest, ReceiveRequest, StockLine};
use stoa_kit::{Error, Micros, Reason as _, Result};
use stoa_ledger_v1::{
    AccountKind, CreateTransferRequest, EnsureAccountRequest, Leg, ReverseTransferRequest,
};
use stoa_notify_v1::NotifyRequest;
use stoa_orders_v1::{
    ImportOrderRequest, Order, OrderCancelled, OrderLine, OrderPlaced, OrderState,
    PlaceOrderRequest, Reason,
};

/// Where goods are taken from if nobody says.
const LOCATION_DEFAULT: &str = "main";

/// Asks the catalog what a cart costs.
pub(crate) fn quote(request: &PlaceOrderRequest) -> QuoteRequest {
    let item = |line: &stoa_orders_v1::CartLine| QuoteItem {
        sku: line.sku.clone(),
        quantity: line.quantity,
    };
    QuoteRequest {
        items: request.lines.iter().map(item).collect(),
        currency: request.currency.clone(),
    }
}

/// Whether a quote costs what the caller counts on, if they said.
///
/// # Errors
/// `orders.price_changed`, with what it costs now.
pub(crate) fn check_total(request: &PlaceOrderRequest, quote: &QuoteResponse) -> Result<()> {
    match request.expected_total.as_option() {
        Some(expected) if *expected != *quote.total => {
            let (now, before) = (quote.total.words(), expected.words());
            Err(Reason::PriceChanged.because(format!("the cart costs {now} now, not {before}")))
        }
        _ => Ok(()),
    }
}

/// A cart at the prices of a quote.
pub(crate) fn price(
    id: String, customer: &str, now: Micros, location: String, quote: QuoteResponse,
) -> Order {
    let line = |line: stoa_catalog_v1::QuoteLine| OrderLine {
        sku: line.sku,
        title: line.title,
        quantity: line.quantity,
        unit_price: line.unit_price,
        amount: line.amount,
    };
    Order {
        id,
        customer_id: customer.to_owned(),
        state: OrderState::Placed.into(),
        lines: quote.lines.into_iter().map(line).collect(),
        total: quote.total,
        location: or_default(location),
        effective_time: now.timestamp(),
        ..Order::default()
    }
}

/// An order that was made elsewhere, at the amount and the time it was made.
pub(crate) fn import(id: String, now: Micros, request: ImportOrderRequest) -> Result<Order> {
    if Micros::of(&request.effective_time) > now {
        let message = "must not be in the future";
        return Err(Error::field("effective_time", "timestamp.lt_now", message));
    }
    let line = OrderLine {
        sku: request.sku,
        quantity: request.quantity,
        amount: request.amount.clone(),
        ..OrderLine::default()
    };
    Ok(Order {
        id,
        customer_id: request.customer_id,
        state: OrderState::Placed.into(),
        lines: vec![line],
        total: request.amount,
        location: or_default(request.location),
        effective_time: request.effective_time,
        ..Order::default()
    })
}

fn or_default(location: String) -> String {
    if location.is_empty() { LOCATION_DEFAULT.to_owned() } else { location }
}

fn stock_lines(order: &Order) -> Vec<StockLine> {
    let line = |line: &OrderLine| StockLine { sku: line.sku.clone(), quantity: line.quantity };
    order.lines.iter().map(line).collect()
}

/// Takes the goods out of stock.
pub(crate) fn issue(order: &Order) -> IssueRequest {
    IssueRequest { lines: stock_lines(order), location: order.location.clone() }
}

/// Puts the goods back where they were.
pub(crate) fn put_back(order: &Order) -> ReceiveRequest {
    ReceiveRequest { lines: stock_lines(order), location: order.location.clone() }
}

/// What the customer owes.
pub(crate) fn customer_account(order: &Order) -> EnsureAccountRequest {
    EnsureAccountRequest {
        code: format!("customers/{}", order.customer_id),
        owner_id: order.customer_id.clone(),
        currency: order.total.currency.clone(),
        kind: AccountKind::ACCOUNT_KIND_ASSET.into(),
    }
}

/// What the shop earns.
pub(crate) fn sales_account(order: &Order) -> EnsureAccountRequest {
    EnsureAccountRequest {
        code: format!("sales/{}", order.total.currency),
        currency: order.total.currency.clone(),
        kind: AccountKind::ACCOUNT_KIND_INCOME.into(),
        ..EnsureAccountRequest::default()
    }
}

/// Moves what the order costs, at the time the purchase was made.
pub(crate) fn charge(order: &Order, customer: String, sales: String) -> CreateTransferRequest {
    CreateTransferRequest {
        currency: order.total.currency.clone(),
        legs: vec![Leg { debit: customer, credit: sales, amount: order.total.amount }],
        effective_time: order.effective_time.clone(),
        description: "Order".to_owned(),
        reference: order.id.clone(),
        ..CreateTransferRequest::default()
    }
}

/// Moves it back.
pub(crate) fn refund(order: &Order) -> ReverseTransferRequest {
    ReverseTransferRequest {
        id: order.transfer_id.clone(),
        description: "Order cancelled".to_owned(),
    }
}

/// Tells the customer.
pub(crate) fn notification(order: &Order, template: &str) -> NotifyRequest {
    let data = [("order_id", order.id.clone()), ("total", order.total.words())];
    NotifyRequest {
        user_id: order.customer_id.clone(),
        template: template.to_owned(),
        data: data.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    }
}

/// Tells whoever listens that the order was placed.
pub(crate) fn placed(order: &Order) -> OrderPlaced {
    OrderPlaced {
        order_id: order.id.clone(),
        customer_id: order.customer_id.clone(),
        total: order.total.clone(),
    }
}

/// Tells whoever listens that the order was cancelled.
pub(crate) fn cancelled(order: &Order) -> OrderCancelled {
    OrderCancelled {
        order_id: order.id.clone(),
        customer_id: order.customer_id.clone(),
        total: order.total.clone(),
    }
}

pub(crate) fn already_cancelled(id: &str) -> Error {
    Reason::AlreadyCancelled.because(format!("order `{id}` was cancelled before"))
}
