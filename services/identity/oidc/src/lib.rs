//! Oidc: an authorization server (OAuth 2.1) and an OpenID provider, on the sessions of Stoa.
//!
//! Applications are clients; what people granted them are grants; what comes of one sign-in to one client
//! is a family: a code, then an access and a refresh token, then the next ones. A token says which family
//! it is of, and carries what follows from that and the key of the tenant. None is kept, so whoever has the
//! database has no token, and the same question gives the same answer.
//!
//! **Invariant:** nothing is sent to an address that is not, to the letter, one of the client's: that is
//! looked at before anything else.
//!
//! **Invariant:** a code is used once, and a refresh token has one successor. Whoever brings one again ends
//! all that came of that sign-in.
//!
//! **Invariant:** a key is of one algorithm, whatever a token says; it is published for as long as lists of
//! keys are kept before it signs, and until its last token ends.
//!
//! **Invariant:** of secrets of clients only hashes are kept; private keys are sealed.
//!
//! **Invariant:** whoever comes back from another provider was sent there from here, in the same browser, and
//! what the provider says of them was signed for this node and this once.
//!
//! **Invariant:** who was disabled, signed out or erased is refused from the next question on.

#![forbid(unsafe_code)]

mod api;
mod crypto;
mod face;
mod model;
mod store;
mod upstream;

use stoa_auth_v1::{SessionEnded, SessionsEnded};
use stoa_kit::{Migration, Service, Start};
use stoa_oidc_v1::{
    DeleteExpiredRequest, EndSessionsRequest, RotateDueKeysRequest, ServeOauthRequest,
};
use stoa_users_v1::UserDisabled;

use api::sessions;

const MIGRATIONS: &[Migration] = &[
    Migration::expand("0001_oidc", include_str!("../migrations/0001_oidc.sql")),
    Migration::expand("0002_providers", include_str!("../migrations/0002_providers.sql")),
    Migration::expand("0003_assertions", include_str!("../migrations/0003_assertions.sql")),
];

/// An authorization server and an OpenID provider.
pub fn service() -> Service {
    let service = face::PREFIXES.iter().fold(Service::new(api::methods()), |service, prefix| {
        service.raw_as::<ServeOauthRequest>(prefix, face::BODY_MAX, face::MANNERS)
    });
    service
        .examples(include_str!("../examples.yaml"))
        .needs(&["auth", "users"])
        .migrations(MIGRATIONS)
        .settings(&model::settings())
        .reaches_given()
        .erases(store::erase)
        .on::<SessionEnded>("session_ended", Start::Now, 1, sessions::ended)
        .on::<SessionsEnded>("sessions_ended", Start::Now, 1, sessions::all_ended)
        .on::<UserDisabled>("user_disabled", Start::Now, 1, sessions::disabled)
        .due("rotate_keys", store::keys::next_due, &RotateDueKeysRequest::default())
        .due("end_sessions", store::next_check, &EndSessionsRequest::default())
        .due("delete_expired", store::next_expiry, &DeleteExpiredRequest::default())
}
