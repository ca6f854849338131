//! The contract's functions.

use stoa_kit::{Page, Reason as _, Resource as _, Result, Tx, View};
use stoa_money::ledger::EnsureAccountRequest;
use stoa_money::orders::*;

use crate::{model, store};

/// Keeps the promises of `stoa.orders.v1`.
pub(crate) struct Orders;

/// Whoever was granted this cancels orders of others.
const CANCEL_ALL: &str = "orders.orders.cancel_all";

impl OrdersService for Orders {
    fn place_order(
        &self,
        tx: &mut Tx<'_>,
        request: PlaceOrderRequest,
    ) -> Result<PlaceOrderResponse> {
        let quote = tx.call(model::quote(&request))?;
        let order = model::price(tx.new_id("ord"), tx.user()?, tx.now(), request.location, quote);
        Ok(PlaceOrderResponse { order: place(tx, order)?.into() })
    }

    fn import_order(
        &self,
        tx: &mut Tx<'_>,
        request: ImportOrderRequest,
    ) -> Result<ImportOrderResponse> {
        let order = model::import(tx.new_id("ord"), tx.now(), request)?;
        Ok(ImportOrderResponse { order: place(tx, order)?.into() })
    }

    fn cancel_order(
        &self,
        tx: &mut Tx<'_>,
        request: CancelOrderRequest,
    ) -> Result<CancelOrderResponse> {
        let order = tx.visible(store::order(tx, &request.id)?, &request.id)?;
        may_cancel(tx, &order)?;
        Ok(CancelOrderResponse { order: cancel(tx, order)?.into() })
    }

    fn get_order(&self, view: &View<'_>, request: GetOrderRequest) -> Result<GetOrderResponse> {
        let order = view.visible(store::order(view, &request.id)?, &request.id)?;
        Ok(GetOrderResponse { order: order.into() })
    }

    fn list_orders(
        &self,
        view: &View<'_>,
        request: ListOrdersRequest,
    ) -> Result<ListOrdersResponse> {
        let page = Page::read(request.page_size, &request.page_token, 2)?;
        let before = (page.number(0, i64::MAX)?, page.key(1));
        let access = view.access::<Order>();
        let wanted = Some(request.customer_id.as_str()).filter(|customer| !customer.is_empty());
        if let (Some(own), Some(wanted)) = (access.owner(), wanted)
            && own != wanted
        {
            return Ok(ListOrdersResponse::default());
        }
        let state = request.state.as_known().and_then(model::state_text);
        let mut orders =
            store::orders(view, access.owner().or(wanted), state, before, page.limit())?;
        let next_page_token = page.cut(&mut orders, model::sort_keys);
        Ok(ListOrdersResponse { orders, next_page_token })
    }
}

/// Stock, books, order and notification change in this one commit; an error undoes all of it.
fn place(tx: &mut Tx<'_>, mut order: Order) -> Result<Order> {
    tx.call(model::issue(&order))?;
    order.transfer_id = charge(tx, &order)?;
    store::insert(tx, &order)?;
    tx.call(model::notification(&order, "orders.placed"))?;
    tx.emit(&model::placed(&order));
    tx.touch(Order::TYPE, &order.id);
    Ok(order)
}

/// Undoes what placing the order did, in one commit as well.
fn cancel(tx: &mut Tx<'_>, mut order: Order) -> Result<Order> {
    tx.call(model::put_back(&order))?;
    order.reversal_id = refund(tx, &order)?;
    store::cancel(tx, &mut order)?;
    tx.call(model::notification(&order, "orders.cancelled"))?;
    tx.emit(&model::cancelled(&order));
    tx.touch(Order::TYPE, &order.id);
    Ok(order)
}

/// Moves what the order costs from the customer's account to the sales, and gives the transfer:
/// none for an order of no amount.
fn charge(tx: &mut Tx<'_>, order: &Order) -> Result<String> {
    if order.total.amount == 0 {
        return Ok(String::new());
    }
    let customer = account(tx, model::customer_account(order))?;
    let sales = account(tx, model::sales_account(order))?;
    let charged = tx.call(model::charge(order, customer, sales))?;
    Ok(charged.transfer.id.clone())
}

/// Reverses what the customer was charged, and gives the reversal: none if nothing was charged.
fn refund(tx: &mut Tx<'_>, order: &Order) -> Result<String> {
    if order.transfer_id.is_empty() {
        return Ok(String::new());
    }
    let reversed = tx.call(model::refund(order))?;
    Ok(reversed.transfer.id.clone())
}

/// Finds or opens an account of the currency wanted. An account keeps one currency, so whoever
/// pays in a second one has an account of that currency beside the first.
fn account(tx: &mut Tx<'_>, wanted: EnsureAccountRequest) -> Result<String> {
    let found = tx.call(wanted.clone())?;
    if found.currency == wanted.currency {
        return Ok(found.id);
    }
    let code = format!("{}/{}", wanted.code, wanted.currency);
    Ok(tx.call(EnsureAccountRequest { code, ..wanted })?.id)
}

/// Whether the caller may cancel an order that they may see.
fn may_cancel(tx: &Tx<'_>, order: &Order) -> Result<()> {
    let caller = tx.caller();
    if caller.user() != Some(&order.customer_id) && !caller.may(CANCEL_ALL) {
        return Err(Reason::NotYours.because(format!("order `{}` is not yours", order.id)));
    }
    if order.state != OrderState::Placed {
        return Err(model::already_cancelled(&order.id));
    }
    Ok(())
}
