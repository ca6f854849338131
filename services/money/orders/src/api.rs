//! The contract's functions.

use stoa_kit::{Reason as _, Result, Tx, View};
use stoa_ledger_v1::EnsureAccountRequest;
use stoa_orders_v1::*;

use crate::{model, store};

/// Keeps the promises of `stoa.orders.v1`.
pub(crate) struct Orders;

/// Whoever was granted this cancels orders of others.
const CANCEL_ALL: &str = "orders.orders.cancel_all";

impl OrdersService for Orders {
    fn place_order(&self, tx: &mut Tx, request: PlaceOrderRequest) -> Result<PlaceOrderResponse> {
        let quote = tx.call(model::quote(&request))?;
        model::check_total(&request, &quote)?;
        let order = model::price(tx.new_id("ord"), tx.user()?, tx.now(), request.location, quote);
        Ok(PlaceOrderResponse { order: place(tx, order)?.into() })
    }

    fn import_order(
        &self, tx: &mut Tx, request: ImportOrderRequest,
    ) -> Result<ImportOrderResponse> {
        let order = model::import(tx.new_id("ord"), tx.now(), request)?;
        Ok(ImportOrderResponse { order: place(tx, order)?.into() })
    }

    fn cancel_order(
        &self, tx: &mut Tx, request: CancelOrderRequest,
    ) -> Result<CancelOrderResponse> {
        let order = tx.load::<Order>(&request.id)?;
        may_cancel(tx, &order)?;
        Ok(CancelOrderResponse { order: cancel(tx, order)?.into() })
    }

    fn get_order(&self, view: &View, request: GetOrderRequest) -> Result<GetOrderResponse> {
        Ok(GetOrderResponse { order: view.load::<Order>(&request.id)?.into() })
    }

    fn list_orders(&self, view: &View, request: ListOrdersRequest) -> Result<ListOrdersResponse> {
        let (orders, next_page_token) = view
            .list::<Order>("create_time DESC, id DESC")
            .owned_by(&request.customer_id)
            .only("state", request.state)
            .whole("nearly every order is placed, and the few others have an index")
            .page(&request)?;
        Ok(ListOrdersResponse { orders, next_page_token })
    }

    fn batch_get_orders(
        &self, view: &View, request: BatchGetOrdersRequest,
    ) -> Result<BatchGetOrdersResponse> {
        Ok(BatchGetOrdersResponse { orders: view.load_many(&request.ids)? })
    }
}

/// Stock, books, order and notification change in this one commit; an error undoes all of it.
fn place(tx: &mut Tx, mut order: Order) -> Result<Order> {
    tx.call(model::issue(&order))?;
    order.transfer_id = charge(tx, &order)?;
    let order = tx.add(order)?;
    tx.call(model::notification(&order, "orders.placed"))?;
    tx.emit(&model::placed(&order));
    Ok(order)
}

/// Undoes what placing the order did, in one commit as well.
fn cancel(tx: &mut Tx, order: Order) -> Result<Order> {
    tx.call(model::put_back(&order))?;
    let reversal = refund(tx, &order)?;
    let order =
        store::cancel(tx, &order, &reversal)?.ok_or_else(|| model::already_cancelled(&order.id))?;
    tx.call(model::notification(&order, "orders.cancelled"))?;
    tx.emit(&model::cancelled(&order));
    Ok(order)
}

/// Moves what the order costs from the customer's account to the sales, and gives the transfer:
/// none for an order of no amount.
fn charge(tx: &mut Tx, order: &Order) -> Result<String> {
    if order.total.amount == 0 {
        return Ok(String::new());
    }
    let customer = account(tx, model::customer_account(order))?;
    let sales = account(tx, model::sales_account(order))?;
    let charged = tx.call(model::charge(order, customer, sales))?;
    Ok(charged.transfer.id.clone())
}

/// Reverses what the customer was charged, and gives the reversal: none if nothing was charged.
fn refund(tx: &mut Tx, order: &Order) -> Result<String> {
    if order.transfer_id.is_empty() {
        return Ok(String::new());
    }
    // Somebody may have closed the accounts since.
    account(tx, model::customer_account(order))?;
    account(tx, model::sales_account(order))?;
    let reversed = tx.call(model::refund(order))?;
    Ok(reversed.transfer.id.clone())
}

/// Finds or opens an account of the currency wanted. An account keeps one currency, so whoever
/// pays in a second one has an account of that currency beside the first.
fn account(tx: &mut Tx, wanted: EnsureAccountRequest) -> Result<String> {
    let found = tx.call(wanted.clone())?;
    if found.currency == wanted.currency {
        return Ok(found.id);
    }
    let code = format!("{}/{}", wanted.code, wanted.currency);
    Ok(tx.call(EnsureAccountRequest { code, ..wanted })?.id)
}

/// Whether the caller may cancel an order that they may see.
fn may_cancel(tx: &Tx, order: &Order) -> Result<()> {
    let caller = tx.caller();
    if caller.owner() != Some(&order.customer_id) && !caller.may(CANCEL_ALL) {
        return Err(Reason::NotYours.because(format!("order `{}` is not yours", order.id)));
    }
    if order.state != OrderState::Placed {
        return Err(model::already_cancelled(&order.id));
    }
    Ok(())
}
