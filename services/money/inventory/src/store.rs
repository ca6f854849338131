//! All SQL of the inventory.

use stoa_kit::{Micros, Result, Tx, View};

/// SKU, location, available, reserved, update time.
pub(crate) type StockRow = (String, String, i64, i64, i64);

/// Id, state, location, expire time, create time, update time.
pub(crate) type ReservationRow = (String, String, String, i64, i64, i64);

/// Adds to what is available.
pub(crate) fn receive(
    tx: &mut Tx<'_>,
    sku: &str,
    location: &str,
    quantity: i64,
) -> Result<Option<StockRow>> {
    let now = tx.now().0;
    tx.row(
        "INSERT INTO inventory_stock (tenant, sku, location, available, reserved, update_time)
         VALUES (:tenant, $1, $2, $3, 0, $4)
         ON CONFLICT (tenant, sku, location) DO UPDATE
         SET available = inventory_stock.available + excluded.available,
             update_time = excluded.update_time
         RETURNING sku, location, available, reserved, update_time",
        (sku, location, quantity, now),
    )
}

/// Takes from what is available; nothing if there is less.
pub(crate) fn issue(
    tx: &mut Tx<'_>,
    sku: &str,
    location: &str,
    quantity: i64,
) -> Result<Option<StockRow>> {
    let now = tx.now().0;
    tx.row(
        "UPDATE inventory_stock SET available = available - $3, update_time = $4
         WHERE tenant = :tenant AND sku = $1 AND location = $2 AND available >= $3
         RETURNING sku, location, available, reserved, update_time",
        (sku, location, quantity, now),
    )
}

/// Puts aside from what is available; nothing if there is less.
pub(crate) fn reserve(
    tx: &mut Tx<'_>,
    sku: &str,
    location: &str,
    quantity: i64,
) -> Result<Option<StockRow>> {
    let now = tx.now().0;
    tx.row(
        "UPDATE inventory_stock
         SET available = available - $3, reserved = reserved + $3, update_time = $4
         WHERE tenant = :tenant AND sku = $1 AND location = $2 AND available >= $3
         RETURNING sku, location, available, reserved, update_time",
        (sku, location, quantity, now),
    )
}

/// Takes out for good what was put aside; false if there is less, which no reservation leaves.
pub(crate) fn take(tx: &mut Tx<'_>, sku: &str, location: &str, quantity: i64) -> Result<bool> {
    let now = tx.now().0;
    let rows = tx.execute(
        "UPDATE inventory_stock SET reserved = reserved - $3, update_time = $4
         WHERE tenant = :tenant AND sku = $1 AND location = $2 AND reserved >= $3",
        (sku, location, quantity, now),
    )?;
    Ok(rows == 1)
}

/// Makes available what was put aside; false if there is less, which no reservation leaves.
pub(crate) fn put_back(tx: &mut Tx<'_>, sku: &str, location: &str, quantity: i64) -> Result<bool> {
    let now = tx.now().0;
    let rows = tx.execute(
        "UPDATE inventory_stock
         SET available = available + $3, reserved = reserved - $3, update_time = $4
         WHERE tenant = :tenant AND sku = $1 AND location = $2 AND reserved >= $3",
        (sku, location, quantity, now),
    )?;
    Ok(rows == 1)
}

/// How many are available, for the words of a refusal.
pub(crate) fn available(view: &View<'_>, sku: &str, location: &str) -> Result<i64> {
    let row = view.row::<(i64,)>(
        "SELECT available FROM inventory_stock
         WHERE tenant = :tenant AND sku = $1 AND location = $2",
        (sku, location),
    )?;
    Ok(row.map_or(0, |(available,)| available))
}

pub(crate) fn stock_of(view: &View<'_>, sku: &str) -> Result<Vec<StockRow>> {
    view.rows(
        "SELECT sku, location, available, reserved, update_time FROM inventory_stock
         WHERE tenant = :tenant AND sku = $1 ORDER BY location",
        (sku,),
    )
}

/// Stock in the order of SKU and location, after those of the last row shown.
pub(crate) fn stock(view: &View<'_>, after: (&str, &str), limit: i64) -> Result<Vec<StockRow>> {
    view.rows(
        "SELECT sku, location, available, reserved, update_time FROM inventory_stock
         WHERE tenant = :tenant AND (sku, location) > ($1, $2)
         ORDER BY sku, location LIMIT $3",
        (after.0, after.1, limit),
    )
}

pub(crate) fn insert_reservation(
    tx: &mut Tx<'_>,
    id: &str,
    location: &str,
    expires: Micros,
) -> Result<()> {
    let now = tx.now().0;
    tx.insert(
        "INSERT INTO inventory_reservation
             (tenant, id, state, location, expire_time, create_time, update_time)
         VALUES (:tenant, $1, 'held', $2, $3, $4, $4)",
        (id, location, expires.0, now),
    )?;
    Ok(())
}

pub(crate) fn insert_line(
    tx: &mut Tx<'_>,
    reservation_id: &str,
    sku: &str,
    quantity: i64,
) -> Result<()> {
    tx.insert(
        "INSERT INTO inventory_reservation_line (tenant, reservation_id, sku, quantity)
         VALUES (:tenant, $1, $2, $3)",
        (reservation_id, sku, quantity),
    )?;
    Ok(())
}

pub(crate) fn reservation(view: &View<'_>, id: &str) -> Result<Option<ReservationRow>> {
    view.row(
        "SELECT id, state, location, expire_time, create_time, update_time
         FROM inventory_reservation WHERE tenant = :tenant AND id = $1",
        (id,),
    )
}

/// SKU and quantity of what a reservation puts aside, in the order of the SKUs.
pub(crate) fn lines(view: &View<'_>, reservation_id: &str) -> Result<Vec<(String, i64)>> {
    view.rows(
        "SELECT sku, quantity FROM inventory_reservation_line
         WHERE tenant = :tenant AND reservation_id = $1 ORDER BY sku",
        (reservation_id,),
    )
}

/// Ends a reservation that is held and expires after a time; false if there is none.
pub(crate) fn end(tx: &mut Tx<'_>, id: &str, state: &str, alive_at: Micros) -> Result<bool> {
    let now = tx.now().0;
    let rows = tx.execute(
        "UPDATE inventory_reservation SET state = $2, update_time = $3
         WHERE tenant = :tenant AND id = $1 AND state = 'held' AND expire_time > $4",
        (id, state, now, alive_at.0),
    )?;
    Ok(rows == 1)
}

/// Reservations that are held although their time is over, the oldest first.
pub(crate) fn overdue(view: &View<'_>, most: i64) -> Result<Vec<(String, String)>> {
    view.rows(
        "SELECT id, location FROM inventory_reservation
         WHERE tenant = :tenant AND state = 'held' AND expire_time <= $1
         ORDER BY expire_time, id LIMIT $2",
        (view.now().0, most),
    )
}
