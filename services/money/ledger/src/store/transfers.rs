//! The rows of transfers, and of the accounts that wait for them.

use stoa_kit::{Micros, Result, Tx, View};
use stoa_ledger_v1::{Transfer, TransferState};

use crate::model;

/// Notes the account of a transfer that is not posted.
pub(crate) fn insert_hold(tx: &mut Tx, transfer: &Transfer, account: &str) -> Result<()> {
    tx.insert(
        "INSERT INTO ledger_hold (tenant, account, effective_time, transfer) \
         VALUES (:tenant, $1, $2, $3)",
        (account, model::effective(transfer).0, &transfer.id),
    )?;
    Ok(())
}

/// Forgets the account of a transfer that is now posted: its entry says the same.
pub(crate) fn delete_hold(tx: &mut Tx, transfer: &Transfer, account: &str) -> Result<()> {
    tx.execute(
        "DELETE FROM ledger_hold \
         WHERE tenant = :tenant AND account = $1 AND effective_time = $2 AND transfer = $3",
        (account, model::effective(transfer).0, &transfer.id),
    )?;
    Ok(())
}

/// A pending transfer on an account, if there is one.
pub(crate) fn pending_on(view: &View, account: &str) -> Result<Option<String>> {
    let row = view.row::<(String,)>(
        "SELECT t.id FROM ledger_hold h \
         JOIN ledger_transfer t ON t.tenant = h.tenant AND t.id = h.transfer \
         WHERE h.tenant = :tenant AND h.account = $1 AND t.state = 'pending' LIMIT 1",
        (account,),
    )?;
    Ok(row.map(|(id,)| id))
}

/// Ends the time in which a transfer was pending; false if it was over already.
pub(crate) fn settle(
    tx: &mut Tx, id: &str, state: TransferState, effective: Micros,
) -> Result<bool> {
    let settled = tx.execute(
        "UPDATE ledger_transfer SET state = $2, effective_time = $3, settle_time = $4 \
         WHERE tenant = :tenant AND id = $1 AND state = 'pending'",
        (id, state, effective, tx.now()),
    )?;
    Ok(settled == 1)
}

/// Says that a posted transfer is reversed by another one; false if it was already.
pub(crate) fn mark_reversed(tx: &mut Tx, id: &str, by: &str) -> Result<bool> {
    let marked = tx.execute(
        "UPDATE ledger_transfer SET reversed_by = $2 \
         WHERE tenant = :tenant AND id = $1 AND state = 'posted' AND reversed_by IS NULL",
        (id, by),
    )?;
    Ok(marked == 1)
}

/// Transfers by creation, newest first.
pub(crate) fn transfers(view: &View, before: &str, limit: i64) -> Result<Vec<Transfer>> {
    view.all("id < $1 ORDER BY id DESC LIMIT $2", (before, limit))
}

/// Transfers that concern an account by effective time, newest first: posted ones from its
/// entries, the others from its holds, each the end of a range.
pub(crate) fn transfers_of(
    view: &View, account: &str, before: (Micros, &str), limit: i64,
) -> Result<Vec<Transfer>> {
    let (time, id) = before;
    view.select(
        "SELECT {t} FROM (SELECT * FROM (SELECT effective_time, transfer FROM ledger_entry \
         WHERE tenant = :tenant AND account = $1 AND (effective_time, transfer) < ($2, $3) \
         ORDER BY effective_time DESC, transfer DESC LIMIT $4) e \
         UNION ALL SELECT * FROM (SELECT effective_time, transfer FROM ledger_hold \
         WHERE tenant = :tenant AND account = $1 AND (effective_time, transfer) < ($2, $3) \
         ORDER BY effective_time DESC, transfer DESC LIMIT $4) h) m \
         JOIN ledger_transfer t ON t.tenant = :tenant AND t.id = m.transfer \
         ORDER BY m.effective_time DESC, m.transfer DESC LIMIT $4",
        (account, time, id, limit),
    )
}

/// When the next pending transfer expires.
pub(crate) fn next_expiry(view: &View) -> Result<Option<Micros>> {
    let row = view.row::<(Option<i64>,)>(
        "SELECT MIN(expire_time) FROM ledger_transfer \
         WHERE tenant = :tenant AND state = 'pending'",
        (),
    )?;
    Ok(row.and_then(|(time,)| time).map(Micros))
}

/// Pending transfers whose time is over.
pub(crate) fn due(view: &View, now: Micros, limit: i64) -> Result<Vec<Transfer>> {
    let due = "state = 'pending' AND expire_time <= $1 ORDER BY expire_time, id LIMIT $2";
    view.all(due, (now, limit))
}
