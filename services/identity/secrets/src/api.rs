//! The contract's functions, by what they are about.

mod keys;
mod references;
mod transit;
pub(crate) mod vault;

use stoa_kit::Methods;
use stoa_secrets_v1::Functions;

/// What keeps each promise of the contract.
pub(crate) fn methods() -> Methods {
    let functions = Functions {
        wrap: references::wrap,
        unwrap: references::unwrap,
        fingerprint: references::fingerprint,
        destroy_subject: references::destroy,
        get_reference: references::get,
        batch_get_references: references::batch_get,
        list_references: references::list,
        create_key: keys::create,
        get_key: keys::get,
        batch_get_keys: keys::batch_get,
        list_keys: keys::list,
        update_key: keys::update,
        rotate_key: keys::rotate,
        delete_key: keys::delete,
        encrypt: transit::encrypt,
        decrypt: transit::decrypt,
        rewrap: transit::rewrap,
        generate_data_key: transit::generate_data_key,
        sign: transit::sign,
        verify: transit::verify,
        compute_hmac: transit::compute_hmac,
        serve_vault: vault::serve,
        store_key: keys::store,
        store_key_version: keys::store_version,
        encrypt_items: transit::encrypt_items,
        rewrap_items: transit::rewrap_items,
        delete_expired: references::delete_expired,
    };
    functions.serve()
}
