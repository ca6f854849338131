//! What the ledger does when it is due, a chunk in each commit.

use stoa_kit::{Micros, Result, Tx, View};
use stoa_ledger_v1::TransferState;

use crate::{api, store};

/// Transfers that expire in one commit: few enough for its 50 ms on either engine.
const EXPIRE_MAX: i64 = 64;
/// Movements folded in one commit.
const FOLD_MAX: i64 = 1_000;

/// Expires pending transfers whose time is over.
pub(crate) fn expire(tx: &mut Tx) -> Result<usize> {
    let due = store::due(tx, tx.now(), EXPIRE_MAX)?;
    let expired = due.len();
    for transfer in due {
        api::release(tx, transfer, TransferState::TRANSFER_STATE_EXPIRED)?;
    }
    tx.again(expired as i64 == EXPIRE_MAX);
    Ok(expired)
}

/// Movements are folded soon after they were made.
pub(crate) fn next_fold(view: &View) -> Result<Option<Micros>> {
    Ok(store::TOTALS.waits(view)?.then(|| view.now()))
}

/// Folds movements into totals.
pub(crate) fn fold(tx: &mut Tx) -> Result<usize> {
    let folded = store::TOTALS.fold(tx, FOLD_MAX)?;
    tx.again(folded as i64 == FOLD_MAX);
    Ok(folded)
}
