//! What clients learn by themselves (OpenID Connect Discovery 1.0, RFC 8414, RFC 7517).

use serde_json::{Value, json};
use stoa_kit::v1::HttpResponse;
use stoa_kit::{Ctx, Result};
use stoa_oidc_v1::{ListSigningKeysRequest, Settings};

use super::words::{answer, with};
use crate::{crypto, model};

pub(super) fn configuration(settings: &Settings) -> Result<HttpResponse> {
    let issuer = model::issuer(settings)?;
    let at = |name: &str| format!("{issuer}/oauth2/{name}");
    let proofs = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
    let with_none = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
    let signed = ["ES256", "ES384", "EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
    let mut body = json!({
        "issuer": issuer,
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("token"),
        "jwks_uri": at("jwks"),
        "userinfo_endpoint": at("userinfo"),
        "introspection_endpoint": at("introspect"),
        "revocation_endpoint": at("revoke"),
        "device_authorization_endpoint": at("device_authorization"),
        "end_session_endpoint": at("end_session"),
        "scopes_supported": model::OF_PEOPLE,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [model::CODE, model::REFRESH, model::CREDENTIALS, model::DEVICE],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "token_endpoint_auth_methods_supported": with_none,
        "token_endpoint_auth_signing_alg_values_supported": signed,
        "introspection_endpoint_auth_methods_supported": proofs,
        "introspection_endpoint_auth_signing_alg_values_supported": signed,
        "revocation_endpoint_auth_methods_supported": with_none,
        "revocation_endpoint_auth_signing_alg_values_supported": signed,
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent"],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "amr", "nonce", "sid", "at_hash", "name",
            "preferred_username", "locale", "zoneinfo", "updated_at", "email", "email_verified",
        ],
        "authorization_response_iss_parameter_supported": true,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
    });
    if settings.registration_open {
        body["registration_endpoint"] = at("register").into();
    }
    Ok(kept(&body, 300))
}

pub(super) async fn keys(ctx: &Ctx) -> Result<HttpResponse> {
    let (mut keys, mut page_token) = (Vec::new(), String::new());
    loop {
        let page = ctx.call(ListSigningKeysRequest { page_size: 1_000, page_token }).await?;
        for key in page.signing_keys {
            keys.push(crypto::published(&key.id, &key.public_jwk)?);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(kept(&json!({"keys": keys}), model::KEYS_KEPT.as_secs()))
}

/// JSON that may be kept for so many seconds, and read by pages of everybody.
fn kept(body: &Value, seconds: u64) -> HttpResponse {
    let mut said = answer(200, body);
    said.headers.retain(|header| header.name == "content-type");
    let said = with(said, "cache-control", &format!("public, max-age={seconds}"));
    with(said, "access-control-allow-origin", "*")
}
