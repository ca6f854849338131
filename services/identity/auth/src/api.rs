//! The contract's functions, by what they are about.

mod keys;
mod passwords;
mod roles;
mod sessions;
pub(crate) mod setup;

use stoa_auth_v1::{DeleteExpiredRequest, DeleteExpiredResponse, Functions, Reason};
use stoa_kit::{Methods, Reason as _, Result, Tx, View};

/// What keeps each promise of the contract.
pub(crate) fn methods() -> Methods {
    let functions = Functions {
        get_setup: setup::get,
        set_up: setup::set_up,
        sign_in: sessions::sign_in,
        sign_out: sessions::sign_out,
        who_am_i: sessions::who_am_i,
        list_sessions: sessions::list,
        revoke_session: sessions::revoke,
        revoke_all_sessions: sessions::revoke_all,
        change_password: passwords::change,
        set_password: passwords::set,
        create_service_account: keys::create_service_account,
        list_service_accounts: keys::list_service_accounts,
        get_service_account: keys::get_service_account,
        batch_get_service_accounts: keys::batch_get_service_accounts,
        delete_service_account: keys::delete_service_account,
        create_api_key: keys::create,
        list_api_keys: keys::list,
        revoke_api_key: keys::revoke,
        create_role: roles::create,
        update_role: roles::update,
        delete_role: roles::delete,
        list_roles: roles::list,
        get_role: roles::get,
        batch_get_roles: roles::batch_get,
        grant_role: roles::grant,
        revoke_role: roles::revoke,
        list_role_grants: roles::list_grants,
        introspect_token: sessions::introspect,
        prepare_setup: setup::prepare_setup,
        check_setup: setup::check,
        complete_setup: setup::complete,
        find_password: passwords::find,
        record_attempt: passwords::record,
        store_password: passwords::store,
        store_api_key: keys::store,
        record_use: sessions::record_use,
        delete_expired,
    };
    functions.serve()
}

fn delete_expired(tx: &mut Tx, _: DeleteExpiredRequest) -> Result<DeleteExpiredResponse> {
    crate::store::delete_expired(tx)?;
    Ok(DeleteExpiredResponse {})
}

/// Refuses a change of somebody else's row to a caller without the permission for it.
fn may_change(view: &View, owner: &str, permission: &str) -> Result<()> {
    let own = view.caller().owner() == Some(owner);
    if own || view.is_nested() || view.caller().may(permission) {
        return Ok(());
    }
    Err(Reason::NotYours.because(format!("this takes the permission `{permission}`")))
}

/// Refuses to hand out permissions that the caller does not have.
fn has_all(view: &View, permissions: &[String]) -> Result<()> {
    let has = |one: &String| view.registry().may_hand_on(view.caller(), one);
    match permissions.iter().find(|one| !has(one)) {
        None => Ok(()),
        Some(one) => Err(Reason::Escalation.because(format!("you do not have `{one}` yourself"))),
    }
}
