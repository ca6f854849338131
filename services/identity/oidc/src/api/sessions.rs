//! The ends of sessions, of which the applications are told that were told of a session (OpenID Connect
//! Back-Channel Logout 1.0).

use std::collections::BTreeSet;

use serde_json::json;
use stoa_auth_v1::{Session, SessionEnded, SessionsEnded};
use stoa_kit::outbound::Fetch;
use stoa_kit::{Ctx, JobOptions, Micros, Result, Tx, View};
use stoa_oidc_v1::*;
use stoa_users_v1::UserDisabled;

use crate::store::{self, keys};
use crate::{crypto, model};

const FORM: &str = "application/x-www-form-urlencoded";
/// How long a session that is just over is not looked for again.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
/// How long a logout token is good.
const LOGOUT_LIFE: std::time::Duration = std::time::Duration::from_secs(120);

/// Notes that an application is told of a session.
pub(super) fn note(tx: &mut Tx, client_id: &str, session: &Session) -> Result<()> {
    let login = Login {
        session_id: session.id.clone(),
        client_id: client_id.to_owned(),
        user_id: session.user_id.clone(),
        check_time: session.idle_expire_time.clone(),
    };
    tx.add_new(login, "session_id, client_id").map(|_| ())
}

/// One session ended: the applications that know it are told which.
pub(crate) fn ended(tx: &mut Tx, event: SessionEnded) -> Result<()> {
    end(tx, &event.user_id, &event.session_id)
}

fn end(tx: &mut Tx, user_id: &str, session_id: &str) -> Result<()> {
    for Login { client_id, .. } in store::take_logins(tx, user_id, session_id)? {
        tell(tx, client_id, user_id, session_id)?;
    }
    store::end_families_of_session(tx, session_id)
}

/// All sessions of somebody ended: each application that knows one is told once, and not which.
pub(crate) fn all_ended(tx: &mut Tx, event: SessionsEnded) -> Result<()> {
    let logins = store::take_logins(tx, &event.user_id, "")?;
    let clients: BTreeSet<String> = logins.into_iter().map(|login| login.client_id).collect();
    for client_id in clients {
        tell(tx, client_id, &event.user_id, "")?;
    }
    store::end_families_of_user(tx, &event.user_id)
}

/// Whoever is disabled is signed out everywhere, and no token of theirs comes back with them.
pub(crate) fn disabled(tx: &mut Tx, event: UserDisabled) -> Result<()> {
    let user_id = event.user_id;
    tx.execute("DELETE FROM oidc_family WHERE tenant = :tenant AND user_id = $1", (&user_id,))?;
    all_ended(tx, SessionsEnded { user_id })
}

fn tell(tx: &mut Tx, client_id: String, user_id: &str, session_id: &str) -> Result<()> {
    let client = tx.get::<Client>(&client_id)?;
    if client.is_none_or(|client| client.backchannel_logout_uri.is_empty()) {
        return Ok(());
    }
    let (user_id, session_id) = (user_id.to_owned(), session_id.to_owned());
    let job = SendLogoutRequest { client_id, user_id, session_id };
    tx.enqueue(&job, JobOptions::default()).map(|_| ())
}

/// Sessions end by themselves too, and nobody says so.
pub(super) fn end_expired(tx: &mut Tx, _: EndSessionsRequest) -> Result<EndSessionsResponse> {
    let (due, full) = store::due_logins(tx)?;
    for mut login in due {
        match store::session(tx, &login.user_id, &login.session_id)? {
            Some(session) => {
                let end = Micros::of(&session.idle_expire_time).max(tx.after(PATIENCE));
                login.check_time = end.timestamp();
                tx.save(login)?;
            }
            // Another login of the session may have been here before.
            None => end(tx, &login.user_id, &login.session_id)?,
        }
    }
    tx.again(full);
    Ok(EndSessionsResponse {})
}

pub(super) async fn send_logout(
    ctx: Ctx, request: SendLogoutRequest,
) -> Result<SendLogoutResponse> {
    let SendLogoutRequest { client_id, user_id, session_id } = request;
    // What is told again because an answer was lost is told as the same.
    let unique = model::hex(&ctx.secret::<16>("logout token"));
    let told = ctx.call(WriteLogoutRequest { client_id, user_id, session_id, unique }).await?;
    if !told.url.is_empty() {
        let body = format!("logout_token={}", told.token);
        ctx.fetch(Fetch::post(told.url, FORM, body)).await?.success()?;
    }
    Ok(SendLogoutResponse {})
}

pub(super) fn write_logout(
    view: &View, request: WriteLogoutRequest,
) -> Result<WriteLogoutResponse> {
    let Some(client) = view.get::<Client>(&request.client_id)? else {
        return Ok(WriteLogoutResponse::default());
    };
    let settings: Settings = view.settings()?;
    let claims = json!({
        "iss": model::issuer(&settings)?,
        "sub": request.user_id,
        "aud": request.client_id,
        "iat": model::seconds(view.now()),
        "exp": model::seconds(view.now().after(LOGOUT_LIFE)),
        "jti": request.unique,
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    });
    let mut claims = claims.as_object().cloned().unwrap_or_default();
    if !request.session_id.is_empty() {
        claims.insert("sid".into(), request.session_id.into());
    }
    let algorithm = model::algorithm(client.id_token_algorithm.as_known());
    let token = keys::signer(view, algorithm)?.sign(crypto::LOGOUT_TOKEN, &claims)?;
    Ok(WriteLogoutResponse { url: client.backchannel_logout_uri, token })
}

pub(super) fn prepare_logout(
    view: &View, request: PrepareLogoutRequest,
) -> Result<PrepareLogoutResponse> {
    let hint = hinted(view, &request.id_token_hint)?;
    let client_id = match (&hint, &*request.client_id) {
        (Some(hint), "") => hint.client_id.clone(),
        (Some(hint), client) if hint.client_id != client => String::new(),
        (_, client) => client.to_owned(),
    };
    let client = view.get::<Client>(&client_id)?.unwrap_or_default();
    let mut reply = PrepareLogoutResponse {
        redirects: client.post_logout_redirect_uris.contains(&request.redirect_uri),
        ..Default::default()
    };
    if let Some(present) = store::present(view, &request.session_token)? {
        reply.page_code = present.page_code(view, "logout")?;
        reply.is_certain = hint.is_some_and(|hint| {
            hint.session_id == present.session.id && hint.user_id == present.user.id
        });
        reply.session_id = present.session.id;
    }
    Ok(reply)
}

/// Whom an ID token is about.
struct Hint {
    client_id: String,
    user_id: String,
    session_id: String,
}

/// What an ID token says that this provider gave, however old it is.
fn hinted(view: &View, token: &str) -> Result<Option<Hint>> {
    let settings: Settings = view.settings()?;
    let Some(id) = crypto::key_of(token) else { return Ok(None) };
    let Some(key) = view.get::<SigningKey>(&id)? else { return Ok(None) };
    let algorithm = model::algorithm(key.algorithm.as_known());
    let claims = crypto::verify(algorithm, &key.public_jwk, crypto::ID_TOKEN, token);
    Ok(claims.and_then(|claims| {
        let text = |name: &str| claims.get(name)?.as_str().map(str::to_owned);
        text("iss").filter(|issuer| *issuer == settings.issuer)?;
        Some(Hint { client_id: text("aud")?, user_id: text("sub")?, session_id: text("sid")? })
    }))
}
