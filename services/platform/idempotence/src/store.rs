//! The rows of claims.

use stoa_idempotence_v1::Claim;
use stoa_kit::{Result, Tx, View};

/// The caller's claim of a key.
pub(crate) fn claim(view: &View, scope: &str, key: &str) -> Result<Option<Claim>> {
    view.get((view.owner()?, scope, key))
}

/// Lets go of somebody who is erased.
pub(crate) fn erase(tx: &mut Tx, owner: &str) -> Result<()> {
    tx.execute("DELETE FROM idempotence_claim WHERE tenant = :tenant AND owner = $1", (owner,))?;
    Ok(())
}
