//! What applications sign to prove that they are themselves (RFC 7523): each is taken once, by a key that is the
//! application's, in the algorithm of that key.

use serde_json::{Map, Value};
use stoa_kit::{Error, Micros, Reason as _, Result, Tx};
use stoa_oidc_v1::*;

use crate::crypto::id_token;
use crate::model;

/// How far the clock of an application may be from ours, in seconds.
const SKEW: i64 = 60;
/// How long before its end something may have been signed, in seconds: so long it is remembered.
const LIFE_MAX: i64 = 600;
/// The longest one.
const TEXT_MAX: usize = 8 << 10;

fn wrong() -> Error {
    Reason::InvalidClient.because("this is not signed by the application, for here and for now")
}

pub(super) fn spend(tx: &mut Tx, request: SpendAssertionRequest) -> Result<SpendAssertionResponse> {
    let SpendAssertionRequest { assertion, client_id } = request;
    let settings: Settings = tx.settings()?;
    let issuer = model::issuer(&settings)?.to_owned();
    // Who it says that it is says whose keys it is held against, and nothing else.
    let said = jsonwebtoken::dangerous::insecure_decode_claims::<Map<String, Value>>(&assertion);
    let said = said.ok().filter(|_| assertion.len() <= TEXT_MAX).ok_or_else(wrong)?;
    let id = said.get("sub").and_then(Value::as_str).unwrap_or_default();
    if !(client_id.is_empty() || client_id == id) {
        return Err(Reason::InvalidRequest.because("the application says twice who it is"));
    }
    let client = tx.get::<Client>(id)?.filter(|client| !client.jwks.is_empty());
    let client = client.ok_or_else(wrong)?;
    let header = jsonwebtoken::decode_header(&assertion).map_err(|_| wrong())?;
    let (key, algorithm) = id_token::named(&header, &client.jwks).ok_or_else(wrong)?;
    let claims = id_token::signed(&assertion, &key, algorithm).ok_or_else(wrong)?;
    let end = check(&claims, &client.id, &issuer, tx.now()).ok_or_else(wrong)?;
    let unique = claims.get("jti").and_then(Value::as_str).filter(|jti| !jti.is_empty());
    let hash = model::hash(unique.ok_or_else(wrong)?);
    let expire_time = Micros(end.saturating_mul(1_000_000)).timestamp();
    let spent = Assertion { client_id: client.id.clone(), hash, expire_time };
    match tx.add_new(spent, "client_id, hash")? {
        Some(_) => Ok(SpendAssertionResponse { client_id: client.id }),
        None => Err(wrong()),
    }
}

/// Until when it has to be remembered, if it is good.
fn check(claims: &Map<String, Value>, id: &str, issuer: &str, now: Micros) -> Option<i64> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(id) || text("sub") != Some(id) {
        return None;
    }
    // The issuer, or where it asks; nothing that somebody else could answer to as well.
    let token_endpoint = format!("{issuer}/oauth2/token");
    let is_ours = |one: &Value| one == issuer || *one == token_endpoint;
    let is_for_us = match claims.get("aud")? {
        Value::Array(all) => !all.is_empty() && all.iter().all(is_ours),
        one => is_ours(one),
    };
    let now = model::seconds(now);
    let end = claims.get("exp")?.as_i64()?;
    let starts = |name: &str| {
        claims.get(name).is_none_or(|start| start.as_i64().is_some_and(|start| start <= now + SKEW))
    };
    let is_now = end > now - SKEW && end <= now + LIFE_MAX && starts("nbf") && starts("iat");
    (is_for_us && is_now).then_some(end + SKEW)
}
