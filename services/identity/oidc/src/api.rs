//! The contract's functions, by what they are about.

mod assertions;
mod authorize;
mod clients;
mod devices;
mod grants;
mod identities;
mod inspect;
mod keys;
mod providers;
pub(crate) mod sessions;
mod sign_in;
mod tokens;

pub(crate) use clients::create_as;
use stoa_kit::{Methods, Result, Tx};
use stoa_oidc_v1::{DeleteExpiredRequest, DeleteExpiredResponse, Functions};

/// What keeps each promise of the contract.
pub(crate) fn methods() -> Methods {
    let functions = Functions {
        create_client: clients::create,
        get_client: clients::get,
        batch_get_clients: clients::batch_get,
        list_clients: clients::list,
        update_client: clients::update,
        delete_client: clients::delete,
        rotate_client_secret: clients::rotate_secret,
        rotate_signing_key: keys::rotate,
        list_signing_keys: keys::list,
        list_grants: grants::list,
        revoke_grant: grants::revoke,
        create_provider: providers::create,
        get_provider: providers::get,
        batch_get_providers: providers::batch_get,
        list_providers: providers::list,
        update_provider: providers::update,
        set_provider_secret: providers::set_secret,
        delete_provider: providers::delete,
        list_sign_in_providers: providers::shown,
        link_identity: identities::link,
        unlink_identity: identities::unlink,
        list_identities: identities::list,
        serve_oauth: crate::face::serve,
        store_client: clients::store,
        store_client_secret: clients::store_secret,
        store_signing_key: keys::store,
        rotate_due_keys: keys::rotate_due,
        make_signing_key: keys::make,
        prepare_authorization: authorize::prepare,
        authorize: authorize::authorize,
        spend_assertion: assertions::spend,
        grant_tokens: tokens::grant,
        write_tokens: tokens::write,
        start_device: devices::start,
        prepare_device: devices::prepare,
        decide_device: devices::decide,
        introspect_token: inspect::introspect,
        revoke_token: inspect::revoke,
        get_user_info: inspect::user_info,
        prepare_logout: sessions::prepare_logout,
        send_logout: sessions::send_logout,
        write_logout: sessions::write_logout,
        start_sign_in: sign_in::start,
        resume_sign_in: sign_in::resume,
        write_sign_in: sign_in::write,
        store_discovered: sign_in::store_discovered,
        take_sign_in: sign_in::take,
        finish_sign_in: sign_in::finish,
        end_sessions: sessions::end_expired,
        delete_expired,
    };
    functions.serve()
}

fn delete_expired(tx: &mut Tx, _: DeleteExpiredRequest) -> Result<DeleteExpiredResponse> {
    crate::store::delete_expired(tx)?;
    Ok(DeleteExpiredResponse {})
}
