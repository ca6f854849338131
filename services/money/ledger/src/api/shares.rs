//! To whom accounts are shown, besides their owners.

use stoa_kit::{Reason as _, Result, Tx, View};
use stoa_ledger_v1::{
    Account, Reason, ShareAccountRequest, ShareAccountResponse, UnshareAccountRequest,
    UnshareAccountResponse,
};

/// As what accounts are granted.
const VIEWER: &str = "viewer";
/// Whoever was granted this shows and hides accounts of others.
const SHARE_ALL: &str = "ledger.accounts.share_all";

pub(super) fn share(tx: &mut Tx, request: &ShareAccountRequest) -> Result<ShareAccountResponse> {
    let account = shareable(tx, &request.account)?;
    tx.grant::<Account>(&account.id, &request.viewer_id, VIEWER)?;
    Ok(ShareAccountResponse { viewer_ids: viewers(tx, &account)? })
}

pub(super) fn unshare(
    tx: &mut Tx, request: &UnshareAccountRequest,
) -> Result<UnshareAccountResponse> {
    let account = shareable(tx, &request.account)?;
    tx.revoke::<Account>(&account.id, &request.viewer_id, VIEWER)?;
    Ok(UnshareAccountResponse { viewer_ids: viewers(tx, &account)? })
}

/// An account whose viewers the caller decides on: to see it is not enough.
fn shareable(view: &View, name: &str) -> Result<Account> {
    let account = super::visible(view, name)?;
    let caller = view.caller();
    let own = caller.owner() == Some(&account.owner_id);
    if own || view.is_nested() || caller.may(SHARE_ALL) {
        return Ok(account);
    }
    Err(Reason::NotYours.because(format!("account `{name}` is somebody else's")))
}

fn viewers(view: &View, account: &Account) -> Result<Vec<String>> {
    let holders = view.holders::<Account>(&account.id)?;
    Ok(holders.into_iter().map(|holder| holder.id).collect())
}
