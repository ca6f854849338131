//! What people granted to applications.

use stoa_kit::{Error, Result, Tx, View};
use stoa_oidc_v1::*;

use crate::store;

/// Whoever was granted this takes back what others granted.
const REVOKE_ALL: &str = "oidc.grants.revoke_all";

pub(super) fn list(view: &View, request: ListGrantsRequest) -> Result<ListGrantsResponse> {
    let list = view.list::<Grant>("id").only("client_id", &request.client_id);
    let list = list.owned_by(&request.user_id);
    let (grants, next_page_token) = list.page(&request)?;
    Ok(ListGrantsResponse { grants, next_page_token })
}

pub(super) fn revoke(tx: &mut Tx, request: RevokeGrantRequest) -> Result<RevokeGrantResponse> {
    let grant = tx.get::<Grant>(&request.id)?;
    let caller = tx.caller();
    let may = |grant: &Grant| {
        tx.is_nested() || caller.owner() == Some(&*grant.user_id) || caller.may(REVOKE_ALL)
    };
    // Whoever may not take it back does not learn that it is there.
    let grant = grant.filter(may).ok_or_else(|| Error::not_found("grant", &request.id))?;
    tx.delete::<Grant>(&grant.id)?;
    store::end_families(tx, &grant.user_id, &grant.client_id)?;
    let Grant { user_id, client_id, .. } = grant;
    tx.emit(&GrantRevoked { user_id, client_id });
    Ok(RevokeGrantResponse {})
}
