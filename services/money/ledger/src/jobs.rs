//! What the ledger does by the clock, a chunk in each commit.

use stoa_kit::{Request, Result, Schedule, Tx};
use stoa_ledger_v1::{ExpireTransfersRequest, FoldTotalsRequest, TransferState};

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
    if expired as i64 == EXPIRE_MAX {
        go_on(tx, &ExpireTransfersRequest::default())?;
    }
    Ok(expired)
}

/// Folds movements into totals.
pub(crate) fn fold(tx: &mut Tx<'_>) -> Result<usize> {
    let folded = store::TOTALS.fold(tx, FOLD_MAX)?;
    if folded as i64 == FOLD_MAX {
        go_on(tx, &FoldTotalsRequest::default())?;
    }
    Ok(folded)
}

/// A full chunk says that more is left: the next one does not wait for the timer.
fn go_on<R: Request>(tx: &mut Tx<'_>, request: &R) -> Result<()> {
    let dedupe = Some("next".to_owned());
    tx.enqueue(request, Schedule { dedupe, ..Schedule::default() })?;
    Ok(())
}
