//! The rows of transfers, and of the accounts that wait for them.

use stoa_kit::{Micros, Result, Tx, View};
use stoa_ledger_v1::{Transfer, TransferState};

use super::some;
use crate::model;

/// Notes the account of a transfer that is not posted.
pub(crate) fn insert_hold(tx: &mut Tx<'_>, transfer: &Transfer, account: &str) -> Result<()> {
    tx.insert(
        "INSERT INTO ledger_hold (tenant, account, effective_time, transfer) \
         VALUES (:tenant, $1, $2, $3)",
        (account, model::effective(transfer).0, &transfer.id),
    )?;
    Ok(())
}

/// Forgets the account of a transfer that is now posted: its entry says the same.
pub(crate) fn delete_hold(tx: &mut Tx<'_>, transfer: &Transfer, account: &str) -> Result<()> {
    tx.execute(
        "DELETE FROM ledger_hold \
         WHERE tenant = :tenant AND account = $1 AND effective_time = $2 AND transfer = $3",
        (account, model::effective(transfer).0, &transfer.id),
    )?;
    Ok(())
}

/// A pending transfer on an account, if there is one.
pub(crate) fn pending_on(view: &View<'_>, account: &str) -> Result<Option<String>> {
    let row = view.row::<(String,)>(
        "SELECT t.id FROM ledger_hold h \
         JOIN ledger_transfer t ON t.tenant = h.tenant AND t.id = h.transfer \
         WHERE h.tenant = :tenant AND h.account = $1 AND t.state = 'pending' LIMIT 1",
        (account,),
    )?;
    Ok(row.map(|(id,)| id))
}

/// Adds a transfer.
pub(crate) fn insert_transfer(tx: &mut Tx<'_>, transfer: &Transfer) -> Result<()> {
    tx.insert(
        "INSERT INTO ledger_transfer (tenant, id, currency, legs, state, description, reference, \
         metadata, effective_time, create_time, expire_time, reverses) \
         VALUES (:tenant, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        (
            &transfer.id,
            &transfer.currency,
            model::legs_text(&transfer.legs),
            model::state_text(transfer.state.as_known().unwrap_or_default()),
            &transfer.description,
            &transfer.reference,
            model::metadata_text(&transfer.metadata)?,
            model::effective(transfer).0,
            tx.now().0,
            transfer.expire_time.as_option().map(|time| Micros::of(time).0),
            some(&transfer.reverses),
        ),
    )?;
    Ok(())
}

/// Ends the time in which a transfer was pending; false if it was over already.
pub(crate) fn settle(
    tx: &mut Tx<'_>,
    id: &str,
    state: TransferState,
    effective: Micros,
) -> Result<bool> {
    let settled = tx.execute(
        "UPDATE ledger_transfer SET state = $2, effective_time = $3, settle_time = $4 \
         WHERE tenant = :tenant AND id = $1 AND state = 'pending'",
        (id, model::state_text(state), effective.0, tx.now().0),
    )?;
    Ok(settled == 1)
}

/// Says that a posted transfer is reversed by another one; false if it was already.
pub(crate) fn mark_reversed(tx: &mut Tx<'_>, id: &str, by: &str) -> Result<bool> {
    let marked = tx.execute(
        "UPDATE ledger_transfer SET reversed_by = $2 \
         WHERE tenant = :tenant AND id = $1 AND state = 'posted' AND reversed_by IS NULL",
        (id, by),
    )?;
    Ok(marked == 1)
}

/// Selects transfers.
macro_rules! transfers {
    ($from:literal) => {
        concat!(
            "SELECT t.id, t.currency, t.legs, t.state, t.description, t.reference, t.metadata, ",
            "t.effective_time, t.create_time, t.expire_time, t.settle_time, t.reverses, ",
            "t.reversed_by FROM ",
            $from
        )
    };
}

type TransferRow = (
    String,
    String,
    String,
    String,
    String,
    String,
    String,
    i64,
    i64,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<String>,
);

fn to_transfer(row: TransferRow) -> Result<Transfer> {
    let (id, currency, legs, state, description, reference, metadata, effective, ..) = row;
    let (.., created, expires, settled, reverses, reversed_by) = row;
    Ok(Transfer {
        id,
        currency,
        legs: model::legs(&legs)?,
        state: model::state(&state).into(),
        description,
        reference,
        metadata: model::metadata(&metadata)?,
        effective_time: Micros(effective).timestamp(),
        create_time: Micros(created).timestamp(),
        expire_time: expires.map(|time| Micros(time).timestamp()).unwrap_or_default(),
        settle_time: settled.map(|time| Micros(time).timestamp()).unwrap_or_default(),
        reverses: reverses.unwrap_or_default(),
        reversed_by: reversed_by.unwrap_or_default(),
    })
}

/// A transfer.
pub(crate) fn transfer(view: &View<'_>, id: &str) -> Result<Option<Transfer>> {
    let sql = transfers!("ledger_transfer t WHERE t.tenant = :tenant AND t.id = $1");
    view.row(sql, (id,))?.map(to_transfer).transpose()
}

/// Transfers by creation, newest first.
pub(crate) fn transfers(view: &View<'_>, before: &str, limit: i64) -> Result<Vec<Transfer>> {
    let sql = transfers!(
        "ledger_transfer t WHERE t.tenant = :tenant AND t.id < $1 ORDER BY t.id DESC LIMIT $2"
    );
    view.rows(sql, (before, limit))?.into_iter().map(to_transfer).collect()
}

/// Transfers that concern an account by effective time, newest first: posted ones from its
/// entries, the others from its holds, each the end of a range.
pub(crate) fn transfers_of(
    view: &View<'_>,
    account: &str,
    before: (Micros, &str),
    limit: i64,
) -> Result<Vec<Transfer>> {
    let sql = transfers!(
        "(SELECT * FROM (SELECT effective_time, transfer FROM ledger_entry \
         WHERE tenant = :tenant AND account = $1 AND (effective_time, transfer) < ($2, $3) \
         ORDER BY effective_time DESC, transfer DESC LIMIT $4) e \
         UNION ALL SELECT * FROM (SELECT effective_time, transfer FROM ledger_hold \
         WHERE tenant = :tenant AND account = $1 AND (effective_time, transfer) < ($2, $3) \
         ORDER BY effective_time DESC, transfer DESC LIMIT $4) h) m \
         JOIN ledger_transfer t ON t.tenant = :tenant AND t.id = m.transfer \
         ORDER BY m.effective_time DESC, m.transfer DESC LIMIT $4"
    );
    let (time, id) = before;
    view.rows(sql, (account, time.0, id, limit))?.into_iter().map(to_transfer).collect()
}

/// Pending transfers whose time is over.
pub(crate) fn due(view: &View<'_>, now: Micros, limit: i64) -> Result<Vec<Transfer>> {
    let sql = transfers!(
        "ledger_transfer t WHERE t.tenant = :tenant AND t.state = 'pending' \
         AND t.expire_time <= $1 ORDER BY t.expire_time, t.id LIMIT $2"
    );
    view.rows(sql, (now.0, limit))?.into_iter().map(to_transfer).collect()
}
