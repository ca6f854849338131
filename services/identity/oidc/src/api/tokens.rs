//! Tokens: what is given for a code, a refresh token, a device, or the application itself.

use serde_json::{Map, Value, json};
use stoa_kit::{Error, Micros, Reason as _, Result, Tx, View};
use stoa_oidc_v1::*;

use super::{authorize, devices};
use crate::model::{self, Access, Kind, Refresh};
use crate::{crypto, store};

pub(super) fn grant(tx: &mut Tx, request: GrantTokensRequest) -> Result<GrantTokensResponse> {
    let client = store::proven(tx, request.client.as_option())?;
    let known = [model::CODE, model::REFRESH, model::CREDENTIALS, model::DEVICE];
    if !known.contains(&&*request.grant_type) {
        return Err(Reason::UnsupportedGrantType.because("there is no such grant"));
    }
    if !client.grant_types.contains(&request.grant_type) {
        return Err(Reason::UnauthorizedClient.because("the application may not use this grant"));
    }
    match &*request.grant_type {
        model::CODE => code(tx, &client, &request),
        model::REFRESH => refresh(tx, &client, &request),
        model::DEVICE => {
            let family = devices::poll(tx, &client, &request.device_code)?;
            begin(tx, &client, family)
        }
        _ => credentials(tx, &client, &request.scope),
    }
}

/// What is said of everything that is no grant of this application's, whatever is wrong with it.
fn not_granted() -> Error {
    Reason::InvalidGrant.because("this is unknown, over, or another application's")
}

fn code(tx: &mut Tx, client: &Client, request: &GrantTokensRequest) -> Result<GrantTokensResponse> {
    let id = Kind::Code.read(tx, &request.code)?.ok_or_else(not_granted)?;
    let family = tx.get::<Family>(&id)?.ok_or_else(not_granted)?;
    if family.state.as_known() != Some(FamilyState::Code) {
        return Err(store::reused(tx, &family)?);
    }
    if family.client_id != client.id || tx.now() >= Micros::of(&family.expire_time) {
        return Err(not_granted());
    }
    let is_theirs = family.redirect_uri == request.redirect_uri
        && model::fits(&request.code_verifier, &family.code_challenge);
    if !is_theirs || store::user(tx, &family.user_id)?.is_none() {
        // Nobody tries a second verifier.
        tx.delete::<Family>(&family.id)?;
        return Err(not_granted().remembered());
    }
    begin(tx, client, family)
}

/// Makes a code, or a device that was let in, into tokens: once.
fn begin(tx: &mut Tx, client: &Client, family: Family) -> Result<GrantTokensResponse> {
    let settings: Settings = tx.settings()?;
    let refreshes = client.grant_types.iter().any(|grant| grant == model::REFRESH);
    let life = match refreshes {
        true => model::days(settings.refresh_life_days),
        false => model::access_life(&settings),
    };
    let begun = tx.returning::<Family>(
        "UPDATE oidc_family SET state = 'active', generation = $2, rotate_time = $3, \
         expire_time = $4 WHERE tenant = :tenant AND id = $1 AND state = 'code' RETURNING {}",
        (&family.id, i64::from(refreshes), tx.now(), tx.after(life)),
    )?;
    match begun {
        Some(family) => Ok(given(&settings, client, &family, &family.scopes)),
        None => Err(store::reused(tx, &family)?),
    }
}

fn refresh(
    tx: &mut Tx, client: &Client, request: &GrantTokensRequest,
) -> Result<GrantTokensResponse> {
    let token = Refresh::read(tx, &request.refresh_token)?.ok_or_else(not_granted)?;
    let family = tx.get::<Family>(&token.family_id)?.ok_or_else(not_granted)?;
    if family.client_id != client.id || tx.now() >= Micros::of(&family.expire_time) {
        return Err(not_granted());
    }
    let scopes = match &*request.scope {
        "" => family.scopes.clone(),
        scope => model::scopes(scope),
    };
    model::check_scopes(&scopes, &family.scopes)?;
    if store::user(tx, &family.user_id)?.is_none() {
        tx.delete::<Family>(&family.id)?;
        return Err(not_granted().remembered());
    }
    let settings: Settings = tx.settings()?;
    let until = tx.after(model::days(settings.refresh_life_days));
    let next = tx.returning::<Family>(
        "UPDATE oidc_family SET generation = generation + 1, rotate_time = $3, expire_time = $4 \
         WHERE tenant = :tenant AND id = $1 AND generation = $2 RETURNING {}",
        (&family.id, token.generation, tx.now(), until),
    )?;
    if let Some(next) = next {
        return Ok(given(&settings, client, &next, &scopes));
    }
    // Whoever asked at the same time has been there meanwhile.
    let family = tx.get::<Family>(&token.family_id)?.ok_or_else(not_granted)?;
    let is_last = family.generation == token.generation + 1;
    if is_last && tx.now().since(Micros::of(&family.rotate_time)) < model::GRACE {
        return Ok(given(&settings, client, &family, &scopes));
    }
    Err(store::reused(tx, &family)?)
}

fn credentials(tx: &mut Tx, client: &Client, scope: &str) -> Result<GrantTokensResponse> {
    let of_people = |scope: &String| model::OF_PEOPLE.contains(&scope.as_str());
    let own: Vec<String> = client.scopes.iter().filter(|one| !of_people(one)).cloned().collect();
    let scopes = if scope.is_empty() { own.clone() } else { model::scopes(scope) };
    model::check_scopes(&scopes, &own)?;
    let settings: Settings = tx.settings()?;
    let family = tx.add(Family {
        id: tx.new_id("fam"),
        client_id: client.id.clone(),
        state: FamilyState::Active.into(),
        scopes,
        rotate_time: tx.now().timestamp(),
        expire_time: tx.after(model::access_life(&settings)).timestamp(),
        ..Family::default()
    })?;
    Ok(given(&settings, client, &family, &family.scopes))
}

/// What follows from a family as it is: the same, however often it is asked for.
fn given(
    settings: &Settings, client: &Client, family: &Family, scopes: &[String],
) -> GrantTokensResponse {
    let expire = Micros::of(&family.rotate_time).after(model::access_life(settings));
    GrantTokensResponse {
        family: family.clone().into(),
        by_es256: client.id_token_algorithm.as_known() == Some(SigningAlgorithm::Es256),
        scope_places: model::places(scopes, &family.scopes),
        expire_time: expire.timestamp(),
    }
}

pub(super) fn write(view: &View, request: WriteTokensRequest) -> Result<WriteTokensResponse> {
    let code = match (&*request.code_of, &*request.device_of) {
        ("", "") => return tokens(view, &request.tokens.into_option().unwrap_or_default()),
        ("", device) => Kind::Device.write(view, device)?,
        (family, _) => Kind::Code.write(view, family)?,
    };
    Ok(WriteTokensResponse { code, ..WriteTokensResponse::default() })
}

fn tokens(view: &View, given: &GrantTokensResponse) -> Result<WriteTokensResponse> {
    let (family, expire) = (&given.family, Micros::of(&given.expire_time));
    let scopes = model::at_places(given.scope_places, &family.scopes);
    let access = Access {
        family_id: family.id.clone(),
        expire_seconds: model::seconds(expire),
        scope_places: given.scope_places,
    };
    let access_token = access.write(view)?;
    let refresh_token = match family.generation {
        0 => String::new(),
        generation => Refresh { family_id: family.id.clone(), generation }.write(view)?,
    };
    let is_openid = !family.user_id.is_empty() && scopes.iter().any(|one| one == model::OPENID);
    let id_token = match is_openid {
        true => id_token(view, given, &access_token)?,
        false => String::new(),
    };
    let (code, scope) = (String::new(), scopes.join(" "));
    let seconds = model::seconds(expire) - model::seconds(view.now());
    Ok(WriteTokensResponse { code, access_token, refresh_token, id_token, scope, seconds })
}

fn id_token(view: &View, given: &GrantTokensResponse, access_token: &str) -> Result<String> {
    let settings: Settings = view.settings()?;
    let (family, now) = (&given.family, view.now());
    let claims = json!({
        "iss": model::issuer(&settings)?,
        "sub": family.user_id,
        "aud": family.client_id,
        "iat": model::seconds(now),
        "exp": model::seconds(now.after(model::access_life(&settings))),
        "auth_time": authorize::auth_time(family),
        "amr": family.methods,
        "sid": family.session_id,
        "at_hash": model::half_hash(access_token),
    });
    let mut claims: Map<String, Value> = claims.as_object().cloned().unwrap_or_default();
    // What is refreshed answers no request of a browser's.
    if family.generation <= 1 && !family.nonce.is_empty() {
        claims.insert("nonce".into(), family.nonce.clone().into());
    }
    let algorithm = if given.by_es256 { SigningAlgorithm::Es256 } else { SigningAlgorithm::Rs256 };
    store::keys::signer(view, algorithm)?.sign(crypto::ID_TOKEN, &claims)
}
