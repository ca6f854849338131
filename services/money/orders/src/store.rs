//! All SQL of orders.

use stoa_kit::v1::Money;
use stoa_kit::{Error, Micros, Result, Tx, View};
use stoa_money::orders::{Order, OrderState};

use crate::model;

/// Id, customer, state, lines, amount, currency, location, transfer, reversal, effective time,
/// create time, update time.
type OrderRow =
    (String, String, String, String, i64, String, String, String, String, i64, i64, i64);

/// Selects orders; what follows `WHERE tenant = :tenant AND` is the statement's own.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, customer, state, lines, amount, currency, location, transfer, reversal, ",
            "effective_time, create_time, update_time FROM orders_order ",
            "WHERE tenant = :tenant AND ",
            $rest
        )
    };
}

fn read(row: OrderRow) -> Result<Order> {
    let (id, customer_id, state, lines, amount, currency, location, transfer, reversal, ..) = row;
    let (.., effective, created, updated) = row;
    Ok(Order {
        id,
        customer_id,
        state: model::state_of(&state).into(),
        lines: serde_json::from_str(&lines).map_err(Error::internal)?,
        total: Money { amount, currency }.into(),
        location,
        transfer_id: transfer,
        reversal_id: reversal,
        effective_time: Micros(effective).timestamp(),
        create_time: Micros(created).timestamp(),
        update_time: Micros(updated).timestamp(),
    })
}

pub(crate) fn insert(tx: &mut Tx<'_>, order: &Order) -> Result<()> {
    let state = order.state.as_known().and_then(model::state_text);
    tx.insert(
        "INSERT INTO orders_order
             (tenant, id, customer, state, lines, amount, currency, location, transfer, reversal,
              effective_time, create_time, update_time)
         VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
        (
            &order.id,
            &order.customer_id,
            state,
            serde_json::to_string(&order.lines).map_err(Error::internal)?,
            order.total.amount,
            &order.total.currency,
            &order.location,
            &order.transfer_id,
            &order.reversal_id,
            Micros::of(&order.effective_time).0,
            Micros::of(&order.create_time).0,
        ),
    )?;
    Ok(())
}

/// Cancels an order with the reversal it names.
///
/// # Errors
/// `orders.already_cancelled` where somebody was faster.
pub(crate) fn cancel(tx: &mut Tx<'_>, order: &mut Order) -> Result<()> {
    let now = tx.now();
    let rows = tx.execute(
        "UPDATE orders_order SET state = 'cancelled', reversal = $2, update_time = $3
         WHERE tenant = :tenant AND id = $1 AND state = 'placed'",
        (&order.id, &order.reversal_id, now.0),
    )?;
    if rows == 0 {
        return Err(model::already_cancelled(&order.id));
    }
    order.state = OrderState::Cancelled.into();
    order.update_time = now.timestamp();
    Ok(())
}

pub(crate) fn order(view: &View<'_>, id: &str) -> Result<Option<Order>> {
    view.row(select!("id = $1"), (id,))?.map(read).transpose()
}

/// Orders, newest first, before a time and an identifier: each statement runs along one index.
pub(crate) fn orders(
    view: &View<'_>,
    customer: Option<&str>,
    state: Option<&str>,
    (time, id): (i64, &str),
    limit: i64,
) -> Result<Vec<Order>> {
    let rows = match (customer, state) {
        (Some(customer), state) => view.rows(
            select!(
                "customer = $1 AND ($2 IS NULL OR state = $2) AND (create_time, id) < ($3, $4) \
                 ORDER BY create_time DESC, id DESC LIMIT $5"
            ),
            (customer, state, time, id, limit),
        )?,
        // Written out, so that the index of the few is known to hold them.
        (None, Some("cancelled")) => view.rows(
            select!(
                "state = 'cancelled' AND (create_time, id) < ($1, $2) \
                 ORDER BY create_time DESC, id DESC LIMIT $3"
            ),
            (time, id, limit),
        )?,
        (None, Some(state)) => view.rows(
            select!(
                "state = $1 AND (create_time, id) < ($2, $3) \
                 ORDER BY create_time DESC, id DESC LIMIT $4"
            ),
            (state, time, id, limit),
        )?,
        (None, None) => view.rows(
            select!("(create_time, id) < ($1, $2) ORDER BY create_time DESC, id DESC LIMIT $3"),
            (time, id, limit),
        )?,
    };
    rows.into_iter().map(read).collect()
}
