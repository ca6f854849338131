//! Every service that comes with Stoa. Written by `cargo xtask services`.

#![forbid(unsafe_code)]

/// Their manifests, in the order of their names.
pub const ALL: &[fn() -> stoa_kit::Service] = &[
    stoa_access::service,
    stoa_audit::service,
    stoa_auth::service,
    stoa_cases::service,
    stoa_catalog::service,
    stoa_certs::service,
    stoa_idcheck::service,
    stoa_idempotence::service,
    stoa_inventory::service,
    stoa_ledger::service,
    stoa_notify::service,
    stoa_oidc::service,
    stoa_orders::service,
    stoa_organizations::service,
    stoa_scheduler::service,
    stoa_schemas::service,
    stoa_scim::service,
    stoa_secrets::service,
    stoa_sync::service,
    stoa_tokens::service,
    stoa_users::service,
];
