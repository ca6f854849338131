//! All SQL of orders that says more than "the row of this key".

use stoa_kit::{Result, Tx};
use stoa_orders_v1::Order;

/// Cancels an order with its reversal; none if somebody was faster.
pub(crate) fn cancel(tx: &mut Tx, order: &Order, reversal: &str) -> Result<Option<Order>> {
    let now = tx.now();
    tx.returning(
        "UPDATE orders_order SET state = 'cancelled', reversal_id = $2, update_time = $3
         WHERE tenant = :tenant AND id = $1 AND state = 'placed' RETURNING {}",
        (&order.id, reversal, now),
    )
}
