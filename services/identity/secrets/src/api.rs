//! The contract's functions, by what they are about.

mod references;

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
        delete_expired: references::delete_expired,
    };
    functions.serve()
}
