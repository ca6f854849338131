//! Certs: a certificate authority, identities of workloads, ACME (RFC 8555), and what is revoked (RFC 5280).
//!
//! An authority signs with a root, which is followed by the next one before it is over. Certificates are
//! signed on a snapshot, outside of commits, and handed out once they are kept, so that each that anybody has
//! can be revoked. What is revoked stands on a list for each root, which is signed when somebody asks for it
//! after a revocation, and before it is old in any case.
//!
//! **Invariant:** a root is in every bundle for as long as bundles are kept before it signs, and until the last
//! certificate that it signed is over.
//!
//! **Invariant:** no certificate is good for more than 90 days, nor longer than its root.
//!
//! **Invariant:** a certificate has the names that were vouched for or proved, and no others; a SPIFFE ID is a
//! registered workload's.
//!
//! **Invariant:** private keys of roots are sealed, and leave the store to sign alone.
//!
//! **Invariant:** a nonce of ACME is good once, on whichever node, also after a restart.

#![forbid(unsafe_code)]

mod api;
mod crypto;
mod face;
mod model;
mod store;

use stoa_certs_v1::{
    DeleteExpiredRequest, RotateDueRootsRequest, ServeAcmeRequest, ServeCrlRequest,
    SignDueCrlsRequest,
};
use stoa_kit::{Migration, Service};

const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_certs", include_str!("../migrations/0001_certs.sql"))];

/// A certificate authority.
pub fn service() -> Service {
    Service::new(api::methods())
        .examples(include_str!("../examples.yaml"))
        .migrations(MIGRATIONS)
        .settings(&model::settings())
        .reaches_given()
        .raw_as::<ServeAcmeRequest>("/acme", face::BODY_MAX, face::MANNERS)
        .raw::<ServeCrlRequest>("/crl", 0)
        .due("rotate_roots", store::roots::next_due, &RotateDueRootsRequest::default())
        .due("sign_crls", store::roots::next_crl, &SignDueCrlsRequest::default())
        .due("delete_expired", store::next_expiry, &DeleteExpiredRequest::default())
}
