//! Browsers that are sent to another provider, and come back.

use stoa_auth_v1::DraftSessionRequest;
use stoa_kit::v1::HttpResponse;
use stoa_kit::{Ctx, Micros, Reason as _, Result};
use stoa_oidc_v1::*;
use url::{Url, form_urlencoded};

use super::browser::wrong;
use super::pages;
use super::words::{Asked, see, with};
use crate::model;
use crate::upstream::{self, Account};

/// Below this path a provider sends people back: each to one of its own, so that none can pass an answer off
/// as another's (RFC 9700, 4.4).
pub(super) const CALLBACK: &str = "callback/";

/// Sends a browser to a provider: who signs in, or who asked to link an account there.
pub(super) async fn start(
    ctx: &Ctx, asked: &Asked<'_>, settings: &Settings,
) -> Result<HttpResponse> {
    let state = asked.query.text("link");
    if !state.is_empty() && asked.session_token().is_empty() && asked.is_from_elsewhere() {
        let query = asked.query.written(&[], &[]);
        return Ok(pages::onward(&format!("/oauth2/sign-in?{query}")));
    }
    match send(ctx, asked, settings, state).await {
        Ok(sent) => Ok(sent),
        Err(error) => wrong(&error),
    }
}

async fn send(
    ctx: &Ctx, asked: &Asked<'_>, settings: &Settings, state: String,
) -> Result<HttpResponse> {
    let issuer = model::issuer(settings)?;
    let (sign_in_id, provider_id) = match &*state {
        "" => {
            let provider_id = asked.query.text("provider");
            let (return_path, nobody) = (asked.query.text("return"), String::new());
            let request = StartSignInRequest {
                provider_id: provider_id.clone(),
                return_path,
                user_id: nobody.clone(),
                session_id: nobody,
            };
            (ctx.call(request).await?.sign_in_id, provider_id)
        }
        _ => {
            let session_token = asked.session_token();
            let resumed = ctx.call(ResumeSignInRequest { state, session_token }).await?;
            (resumed.sign_in_id, resumed.provider_id)
        }
    };
    let request = WriteSignInRequest { sign_in_id: sign_in_id.clone(), provider_id };
    let written = ctx.call(request).await?;
    let found = upstream::discovered(ctx, &written).await?;
    let mut address = Url::parse(&found.authorization_endpoint)
        .map_err(|_| Reason::ProviderUnusable.because("the provider is nowhere"))?;
    address
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &written.provider.client_id)
        .append_pair("redirect_uri", &callback(issuer, &written.provider.id))
        .append_pair("scope", &written.provider.scopes.join(" "))
        .append_pair("state", &written.state)
        .append_pair("nonce", &written.nonce)
        .append_pair("code_challenge", &model::challenge(&written.code_verifier))
        .append_pair("code_challenge_method", "S256");
    let cookie = cookie(issuer, &sign_in_id, &written.browser, model::SIGN_IN_LIFE.as_secs());
    Ok(with(see(address.as_str()), "set-cookie", &cookie))
}

fn callback(issuer: &str, provider_id: &str) -> String {
    format!("{issuer}/oauth2/{CALLBACK}{provider_id}")
}

/// The cookie by which a browser is known that was sent: each time another, so that two tabs do not take it from
/// one another. It comes along when the provider sends the browser back, and by its name no other host and nothing
/// in the clear can have set it.
fn cookie(issuer: &str, sign_in_id: &str, value: &str, seconds: u64) -> String {
    let secure = if issuer.starts_with("https:") { "; Secure" } else { "" };
    let name = cookie_name(issuer, sign_in_id);
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

fn cookie_name(issuer: &str, sign_in_id: &str) -> String {
    let prefix = if issuer.starts_with("https:") { "__Host-" } else { "" };
    format!("{prefix}stoa_{sign_in_id}")
}

/// Somebody comes back from a provider.
pub(super) async fn come_back(
    ctx: &Ctx, asked: &Asked<'_>, settings: &Settings, provider_id: &str,
) -> Result<HttpResponse> {
    match receive(ctx, asked, settings, provider_id).await {
        Ok(received) => Ok(received),
        Err(error) => wrong(&error),
    }
}

async fn receive(
    ctx: &Ctx, asked: &Asked<'_>, settings: &Settings, provider_id: &str,
) -> Result<HttpResponse> {
    let (issuer, query) = (model::issuer(settings)?, &asked.query);
    if query.repeated().is_some() {
        return Err(Reason::InvalidRequest.because("a parameter is there twice"));
    }
    let state = query.text("state");
    let named = state.strip_prefix("stoa_of_").and_then(|rest| rest.split_once('.'));
    let browser = named.map(|(id, _)| asked.cookie(&cookie_name(issuer, id))).unwrap_or_default();
    let request = TakeSignInRequest { state, browser, provider_id: provider_id.to_owned() };
    let sign_in = ctx.call(request).await?.sign_in.into_option().unwrap_or_default();
    let request = WriteSignInRequest {
        sign_in_id: sign_in.id.clone(),
        provider_id: sign_in.provider_id.clone(),
    };
    let written = ctx.call(request).await?;
    let says_issuer = written.discovered.as_option().is_some_and(|found| found.says_issuer);
    let is_theirs = match query.get("iss") {
        "" => !says_issuer,
        said => said == written.provider.issuer,
    };
    if !is_theirs {
        return Err(Reason::SignInNotGood.because("another provider than that sent them back"));
    }
    if query.get("code").is_empty() {
        return Err(Reason::AccessDenied.because("the provider did not let them in"));
    }
    let redirect_uri = callback(issuer, &sign_in.provider_id);
    let account = upstream::account(ctx, &written, query.get("code"), &redirect_uri).await?;
    let said = finish(ctx, asked, settings, &sign_in, account).await?;
    Ok(with(said, "set-cookie", &cookie(issuer, &sign_in.id, "", 0)))
}

async fn finish(
    ctx: &Ctx, asked: &Asked<'_>, settings: &Settings, sign_in: &SignIn, account: Account,
) -> Result<HttpResponse> {
    let drafted = ctx
        .call(DraftSessionRequest {
            secret: ctx.secret::<32>("session").to_vec(),
            ticket_secret: ctx.secret::<16>("ticket").to_vec(),
            label: String::new(),
        })
        .await?;
    let finished = ctx
        .call(FinishSignInRequest {
            sign_in: sign_in.clone().into(),
            subject: account.subject,
            email: account.email,
            email_verified: account.email_verified,
            name: account.name,
            preferred_username: account.preferred_username,
            token_hash: drafted.session.token_hash.clone(),
            ticket_hash: drafted.session.ticket_hash.clone(),
            address: ctx.address().to_owned(),
        })
        .await?;
    // The browser comes from the provider: a page of ours has it go on, so that its cookie is sent along.
    if finished.opened {
        let life = Micros::of(&finished.expire_time).since(ctx.now()).as_secs();
        let cookie = asked.session_cookie(&drafted.token, life, settings);
        return Ok(with(pages::onward(&sign_in.return_path), "set-cookie", &cookie));
    }
    if finished.second_factor {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("return", &sign_in.return_path)
            .finish();
        // What stands behind `#` no server sees.
        let page = format!("{}?{query}#ticket={}", super::browser::SIGN_IN, drafted.ticket);
        return Ok(pages::onward(&page));
    }
    Ok(pages::onward(&sign_in.return_path))
}
