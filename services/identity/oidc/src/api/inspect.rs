//! What a token is good for, its end, and whose it is.

use serde_json::{Map, Value};
use stoa_auth_v1::GetEmailVerificationRequest;
use stoa_kit::{Micros, Reason as _, Result, Tx, View};
use stoa_oidc_v1::*;

use crate::model::{self, Access, Kind, Refresh};
use crate::store;

/// A token that is good, with what it comes of.
struct Good {
    family: Family,
    scopes: Vec<String>,
    expire: Micros,
    refreshes: bool,
}

/// What a token is good for; none where it is for nothing.
fn good(view: &View, token: &str) -> Result<Option<Good>> {
    let found = match Access::read(view, token)? {
        Some(access) => access_token(view, &access)?,
        None => match Refresh::read(view, token)? {
            Some(refresh) => refresh_token(view, &refresh)?,
            None => None,
        },
    };
    let Some(found) = found else { return Ok(None) };
    let active = found.family.state.as_known() == Some(FamilyState::Active);
    let is_over = !active || view.now() >= found.expire;
    let user_id = &found.family.user_id;
    if is_over || !(user_id.is_empty() || store::user(view, user_id)?.is_some()) {
        return Ok(None);
    }
    Ok(Some(found))
}

fn access_token(view: &View, access: &Access) -> Result<Option<Good>> {
    let expire = Micros(access.expire_seconds.saturating_mul(1_000_000));
    Ok(view.get::<Family>(&access.family_id)?.map(|family| {
        let scopes = model::at_places(access.scope_places, &family.scopes);
        Good { family, scopes, expire, refreshes: false }
    }))
}

fn refresh_token(view: &View, refresh: &Refresh) -> Result<Option<Good>> {
    let family = view.get::<Family>(&refresh.family_id)?;
    let family = family.filter(|family| family.generation == refresh.generation);
    Ok(family.map(|family| Good {
        scopes: family.scopes.clone(),
        expire: Micros::of(&family.expire_time),
        refreshes: true,
        family,
    }))
}

pub(super) fn introspect(
    view: &View, request: IntrospectTokenRequest,
) -> Result<IntrospectTokenResponse> {
    let client = store::proven(view, request.client.as_option())?;
    if model::is_public(&client) {
        return Err(Reason::InvalidClient.because("this takes an application with a secret"));
    }
    let shown = |good: &Good| client.introspects_all || good.family.client_id == client.id;
    let Some(good) = good(view, &request.token)?.filter(shown) else {
        return Ok(IntrospectTokenResponse::default());
    };
    let settings: Settings = view.settings()?;
    let subject = match &*good.family.user_id {
        "" => &good.family.client_id,
        user => user,
    };
    Ok(IntrospectTokenResponse {
        active: true,
        subject: subject.to_owned(),
        scope: good.scopes.join(" "),
        expire_time: good.expire.timestamp(),
        refreshes: good.refreshes,
        issuer: settings.issuer,
        client_id: good.family.client_id,
    })
}

pub(super) fn revoke(tx: &mut Tx, request: RevokeTokenRequest) -> Result<RevokeTokenResponse> {
    let client = store::proven(tx, request.client.as_option())?;
    let id = match (Access::read(tx, &request.token)?, Refresh::read(tx, &request.token)?) {
        (Some(access), _) => access.family_id,
        (None, Some(refresh)) => refresh.family_id,
        // What is no token is good for nothing already (RFC 7009, 2.2).
        (None, None) => match Kind::Code.read(tx, &request.token)? {
            Some(id) => id,
            None => return Ok(RevokeTokenResponse {}),
        },
    };
    let Some(family) = tx.get::<Family>(&id)? else { return Ok(RevokeTokenResponse {}) };
    if family.client_id != client.id {
        return Err(Reason::UnauthorizedClient.because("this was given to another application"));
    }
    tx.delete::<Family>(&family.id)?;
    Ok(RevokeTokenResponse {})
}

pub(super) fn user_info(view: &View, request: GetUserInfoRequest) -> Result<GetUserInfoResponse> {
    let good = good(view, &request.access_token)?.filter(|good| !good.refreshes);
    let good = good.ok_or_else(|| Reason::InvalidToken.because("the token is unknown, or over"))?;
    let has = |scope: &str| good.scopes.iter().any(|one| one == scope);
    let user = store::user(view, &good.family.user_id)?.filter(|_| has(model::OPENID));
    let Some(user) = user else {
        return Err(Reason::InsufficientScope.because("the token is not for `openid`"));
    };
    let user_id = user.id.clone();
    let verified = view.call(GetEmailVerificationRequest { user_id })?.verified;
    let mut claims = Map::new();
    let mut say = |name: &str, value: Value| {
        if value != Value::String(String::new()) {
            claims.insert(name.to_owned(), value);
        }
    };
    say("sub", user.id.into());
    if has("profile") {
        say("name", user.display_name.into());
        say("preferred_username", user.handle.into());
        say("locale", user.locale.into());
        say("zoneinfo", user.time_zone.into());
        say("updated_at", model::seconds(Micros::of(&user.update_time)).into());
    }
    if has("email") {
        say("email", user.email.into());
        say("email_verified", verified.into());
    }
    Ok(GetUserInfoResponse { claims: Value::Object(claims).to_string() })
}
