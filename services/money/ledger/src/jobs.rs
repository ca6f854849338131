//! What the ledger does by the clock.

use stoa_kit::{Result, Schedule, Tx};
use stoa_money::ledger::{FoldTotalsRequest, TransferState};

use crate::{api, store};

/// Transfers that expire in one commit: few enough for its 50 ms on either engine.
const EXPIRE_MAX: i64 = 64;
/// Movements folded in one commit.
const FOLD_MAX: i64 = 1_000;

/// Expires pending transfers whose time is over.
pub(crate) fn expire(tx: &mut Tx<'_>) -> Result<usize> {
    let due = store::due(tx, tx.now(), EXPIRE_MAX)?;
    let expired = due.len();
    for transfer in due {
        api::release(tx, transfer, TransferState::TRANSFER_STATE_EXPIRED)?;
    }
    Ok(expired)
}

/// Folds movements into totals, and goes on in a commit of its own where more are left.
pub(crate) fn fold(tx: &mut Tx<'_>) -> Result<usize> {
    let folded = store::TOTALS.fold(tx, FOLD_MAX)?;
    if folded as i64 >= FOLD_MAX {
        let dedupe = Some("fold".to_owned());
        tx.enqueue(&FoldTotalsRequest::default(), Schedule { dedupe, ..Schedule::default() })?;
    }
    Ok(folded)
}
