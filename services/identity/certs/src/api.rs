//! The contract's functions, by what they are about.

mod accounts;
mod authorities;
mod certificates;
mod crls;
mod orders;
mod workloads;

pub(crate) use certificates::issue_from;
use stoa_certs_v1::{DeleteExpiredRequest, DeleteExpiredResponse, Functions};
use stoa_kit::{Methods, Result, Tx};

/// What keeps each promise of the contract.
pub(crate) fn methods() -> Methods {
    let functions = Functions {
        create_authority: authorities::create,
        get_authority: authorities::get,
        batch_get_authorities: authorities::batch_get,
        list_authorities: authorities::list,
        update_authority: authorities::update,
        rotate_authority: authorities::rotate,
        retire_root: authorities::retire_root,
        get_bundle: authorities::bundle,
        issue_certificate: certificates::issue,
        revoke_certificate: certificates::revoke,
        get_certificate: certificates::get,
        batch_get_certificates: certificates::batch_get,
        list_certificates: certificates::list,
        register_workload: workloads::register,
        get_workload: workloads::get,
        batch_get_workloads: workloads::batch_get,
        list_workloads: workloads::list,
        delete_workload: workloads::delete,
        serve_acme: crate::face::serve_acme,
        serve_crl: crate::face::serve_crl,
        sign_certificate: certificates::sign,
        store_certificate: certificates::store,
        get_crl: crls::get,
        sign_crl: crls::sign,
        sign_due_crls: crls::sign_due,
        rotate_due_roots: authorities::rotate_due,
        delete_expired,
        make_nonce: accounts::make_nonce,
        spend_nonce: accounts::spend_nonce,
        find_account: accounts::find,
        store_account: accounts::store,
        change_account: accounts::change,
        create_order: orders::create,
        find_orders: orders::find,
        find_authorization: orders::find_authorization,
        begin_challenge: orders::begin_challenge,
        validate_challenge: orders::validate_challenge,
        record_validation: orders::record_validation,
        deactivate_authorization: orders::deactivate_authorization,
        revoke_for_acme: certificates::revoke_for_acme,
    };
    functions.serve()
}

fn delete_expired(tx: &mut Tx, _: DeleteExpiredRequest) -> Result<DeleteExpiredResponse> {
    crate::store::delete_expired(tx)?;
    Ok(DeleteExpiredResponse {})
}
