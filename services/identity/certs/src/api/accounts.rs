//! Accounts of ACME, and nonces.

use stoa_certs_v1::*;
use stoa_kit::{Reason as _, Result, Tx, View};

use crate::store::acme;

pub(super) fn make_nonce(view: &View, request: MakeNonceRequest) -> Result<MakeNonceResponse> {
    Ok(MakeNonceResponse { nonce: acme::nonce(view, &request.chance)? })
}

pub(super) fn spend_nonce(tx: &mut Tx, request: SpendNonceRequest) -> Result<SpendNonceResponse> {
    acme::spend(tx, &request.nonce)?;
    Ok(SpendNonceResponse {})
}

pub(super) fn find(view: &View, request: FindAccountRequest) -> Result<FindAccountResponse> {
    let found = match &*request.id {
        "" => acme::account_of_key(view, &request.authority_id, &request.thumbprint)?,
        id => view.get::<Account>(id)?.filter(|one| one.authority_id == request.authority_id),
    };
    Ok(FindAccountResponse { account: found.into() })
}

pub(super) fn store(tx: &mut Tx, request: StoreAccountRequest) -> Result<StoreAccountResponse> {
    let account = request.account.into_option().unwrap_or_default();
    if let Some(known) = acme::account_of_key(tx, &account.authority_id, &account.thumbprint)? {
        return Ok(StoreAccountResponse { account: known.into(), created: false });
    }
    let account = Account { id: tx.new_id("acc"), state: AccountState::Valid.into(), ..account };
    Ok(StoreAccountResponse { account: tx.add(account)?.into(), created: true })
}

pub(super) fn change(tx: &mut Tx, request: ChangeAccountRequest) -> Result<ChangeAccountResponse> {
    let mut account = acme::valid_account(tx, &request.id)?;
    if request.deactivate {
        account.state = AccountState::Deactivated.into();
    } else {
        let taken = acme::account_of_key(tx, &account.authority_id, &request.thumbprint)?;
        if taken.is_some() {
            return Err(Reason::KeyTaken.because("the key is an account's already"));
        }
        account.thumbprint = request.thumbprint;
        account.public_jwk = request.public_jwk;
    }
    Ok(ChangeAccountResponse { account: tx.save(account)?.into() })
}
