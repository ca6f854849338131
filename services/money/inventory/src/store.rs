//! All SQL of the inventory that says more than "the row of this key".

use stoa_inventory_v1::{Reservation, ReservationState, Stock};
use stoa_kit::{Micros, Result, Tx, View};

/// Adds to what is available.
pub(crate) fn receive(
    tx: &mut Tx, sku: &str, location: &str, quantity: i64,
) -> Result<Option<Stock>> {
    let now = tx.now();
    tx.returning(
        "INSERT INTO inventory_stock (tenant, sku, location, available, reserved, update_time)
         VALUES (:tenant, $1, $2, $3, 0, $4)
         ON CONFLICT (tenant, sku, location) DO UPDATE
         SET available = inventory_stock.available + excluded.available,
             update_time = excluded.update_time
         RETURNING {}",
        (sku, location, quantity, now),
    )
}

/// Takes from what is available; nothing if there is less.
pub(crate) fn issue(
    tx: &mut Tx, sku: &str, location: &str, quantity: i64,
) -> Result<Option<Stock>> {
    let now = tx.now();
    tx.returning(
        "UPDATE inventory_stock SET available = available - $3, update_time = $4
         WHERE tenant = :tenant AND sku = $1 AND location = $2 AND available >= $3 RETURNING {}",
        (sku, location, quantity, now),
    )
}

/// Puts aside from what is available; nothing if there is less.
pub(crate) fn reserve(
    tx: &mut Tx, sku: &str, location: &str, quantity: i64,
) -> Result<Option<Stock>> {
    let now = tx.now();
    tx.returning(
        "UPDATE inventory_stock
         SET available = available - $3, reserved = reserved + $3, update_time = $4
         WHERE tenant = :tenant AND sku = $1 AND location = $2 AND available >= $3 RETURNING {}",
        (sku, location, quantity, now),
    )
}

/// Takes out for good what was put aside; false if there is less, which no reservation leaves.
pub(crate) fn take(tx: &mut Tx, sku: &str, location: &str, quantity: i64) -> Result<bool> {
    let now = tx.now();
    let rows = tx.execute(
        "UPDATE inventory_stock SET reserved = reserved - $3, update_time = $4
         WHERE tenant = :tenant AND sku = $1 AND location = $2 AND reserved >= $3",
        (sku, location, quantity, now),
    )?;
    Ok(rows == 1)
}

/// Makes available what was put aside; false if there is less, which no reservation leaves.
pub(crate) fn put_back(tx: &mut Tx, sku: &str, location: &str, quantity: i64) -> Result<bool> {
    let now = tx.now();
    let rows = tx.execute(
        "UPDATE inventory_stock
         SET available = available + $3, reserved = reserved - $3, update_time = $4
         WHERE tenant = :tenant AND sku = $1 AND location = $2 AND reserved >= $3",
        (sku, location, quantity, now),
    )?;
    Ok(rows == 1)
}

/// Ends a reservation that is held and expires after a time; none if there is none.
pub(crate) fn end(
    tx: &mut Tx, id: &str, state: ReservationState, alive_at: Micros,
) -> Result<Option<Reservation>> {
    let now = tx.now();
    tx.returning(
        "UPDATE inventory_reservation SET state = $2, update_time = $3
         WHERE tenant = :tenant AND id = $1 AND state = 'held' AND expire_time > $4 RETURNING {}",
        (id, state, now, alive_at),
    )
}

/// When the next reservation that is held expires.
pub(crate) fn next_expiry(view: &View) -> Result<Option<Micros>> {
    let row = view.row::<(Option<i64>,)>(
        "SELECT MIN(expire_time) FROM inventory_reservation
         WHERE tenant = :tenant AND state = 'held'",
        (),
    )?;
    Ok(row.and_then(|(time,)| time).map(Micros))
}

/// Reservations that are held although their time is over, the oldest first.
pub(crate) fn overdue(view: &View, most: i64) -> Result<Vec<Reservation>> {
    view.all(
        "state = 'held' AND expire_time <= $1 ORDER BY expire_time, id LIMIT $2",
        (view.now(), most),
    )
}
