//! The contract's functions, by what they are about.

mod devices;
mod factors;
mod keys;
mod links;
mod others;
mod passkeys;
mod passwords;
mod proofs;
mod roles;
mod sessions;
pub(crate) mod setup;

use stoa_auth_v1::{DeleteExpiredRequest, DeleteExpiredResponse, Functions, Reason};
use stoa_kit::{Methods, Reason as _, Result, Tx, View};
use stoa_notify_v1::NotifyRequest;

/// What keeps each promise of the contract.
pub(crate) fn methods() -> Methods {
    let functions = Functions {
        get_setup: setup::get,
        set_up: setup::set_up,
        sign_in: sessions::sign_in,
        verify_second_factor: proofs::verify,
        step_up: proofs::step_up_by,
        list_factors: factors::list,
        enrol_totp: factors::enrol,
        confirm_totp: factors::confirm,
        remove_totp: factors::remove_totp,
        generate_recovery_codes: factors::generate,
        begin_passkey_registration: passkeys::begin_registration,
        finish_passkey_registration: passkeys::register,
        remove_passkey: factors::remove_passkey,
        begin_passkey_sign_in: passkeys::begin,
        finish_passkey_sign_in: proofs::sign_in,
        reset_factors: factors::reset,
        request_magic_link: links::request_sign_in,
        request_password_reset: links::request_password,
        request_email_verification: links::request_email,
        redeem: links::redeem,
        check_password: passwords::check,
        list_devices: devices::list,
        forget_device: devices::forget,
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
        store_totp: factors::store_totp,
        store_recovery_codes: factors::store_codes,
        store_challenge: passkeys::store,
        find_passkey: passkeys::find,
        record_proof: proofs::record,
        store_link: links::store,
        send_link: links::send,
        issue_link: links::issue,
        record_link: links::record,
        get_email_verification: links::verification,
        draft_session: others::draft,
        open_session: others::open,
        link_account: others::link,
        get_ways_in: others::ways_in,
        record_use: sessions::record_use,
        delete_expired,
    };
    functions.serve()
}

fn delete_expired(tx: &mut Tx, _: DeleteExpiredRequest) -> Result<DeleteExpiredResponse> {
    crate::store::delete_expired(tx)?;
    Ok(DeleteExpiredResponse {})
}

/// Tells a user of something that concerns who can sign in as them.
fn tell(tx: &mut Tx, user_id: &str, template: &str) -> Result<()> {
    let (user_id, template) = (user_id.to_owned(), template.to_owned());
    tx.call(NotifyRequest { user_id, template, ..NotifyRequest::default() })?;
    Ok(())
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
