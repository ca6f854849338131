//! What is asked of another provider: what it says of itself, its keys, and who somebody is. What it answers is
//! looked at as what a stranger sends.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Map, Value};
use stoa_kit::outbound::{Fetch, Fetched};
use stoa_kit::{Ctx, Error, Micros, Reason as _, Result};
use stoa_oidc_v1::*;
use url::form_urlencoded;

use crate::crypto::id_token::{self, Expected, Verdict};
use crate::model;

const FORM: &str = "application/x-www-form-urlencoded";
/// The largest answer.
const ANSWER_MAX: usize = 256 << 10;
/// How long one is waited for.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// How long what a provider says of itself is kept.
const DISCOVERED_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Lists of keys are not asked for more often because of a key that is on none: anybody can name one.
const KEYS_ASKED_EVERY: Duration = Duration::from_secs(10);

/// Who somebody is at a provider.
pub(crate) struct Account {
    pub(crate) subject: String,
    pub(crate) email: String,
    pub(crate) email_verified: bool,
    pub(crate) name: String,
    pub(crate) preferred_username: String,
}

fn unusable(what: &'static str) -> Error {
    Reason::ProviderUnusable.because(what)
}

async fn ask(ctx: &Ctx, fetch: Fetch) -> Result<Fetched> {
    let fetch = Fetch { answer_max: ANSWER_MAX, wait_max: WAIT_MAX, ..fetch };
    ctx.fetch(fetch.header("accept", "application/json")).await
}

fn object(fetched: &Fetched) -> Result<Map<String, Value>> {
    serde_json::from_slice(&fetched.body).map_err(|_| unusable("the provider answers no JSON"))
}

fn text(object: &Map<String, Value>, name: &str) -> String {
    object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// What a provider says of itself, as it was found of late.
pub(crate) async fn discovered(ctx: &Ctx, written: &WriteSignInResponse) -> Result<Discovered> {
    let known = written.discovered.as_option().cloned().unwrap_or_default();
    let age = ctx.now().since(Micros::of(&known.discover_time));
    if !known.token_endpoint.is_empty() && age < DISCOVERED_KEPT {
        return Ok(known);
    }
    let found = discover(ctx, &written.provider, known).await?;
    ctx.call(StoreDiscoveredRequest { discovered: found.clone().into() }).await?;
    Ok(found)
}

/// OpenID Connect Discovery 1.0, 4.
async fn discover(ctx: &Ctx, provider: &Provider, known: Discovered) -> Result<Discovered> {
    let below = provider.issuer.trim_end_matches('/');
    let address = format!("{below}/.well-known/openid-configuration");
    let said = object(&ask(ctx, Fetch::get(address)).await?.success()?)?;
    if said.get("issuer").and_then(Value::as_str) != Some(&provider.issuer) {
        return Err(unusable("the provider says that it is another one"));
    }
    let endpoint = |name: &str| {
        let address = text(&said, name);
        match model::may_be_endpoint(&address) {
            true => Ok(address),
            false => Err(unusable("the provider does not say where it is, or nowhere safe")),
        }
    };
    let list = |name: &str| said.get(name).and_then(Value::as_array);
    let has =
        |name: &str, word: &str| list(name).is_some_and(|all| all.iter().any(|one| one == word));
    let methods = "token_endpoint_auth_methods_supported";
    Ok(Discovered {
        provider_id: provider.id.clone(),
        authorization_endpoint: endpoint("authorization_endpoint")?,
        token_endpoint: endpoint("token_endpoint")?,
        userinfo_endpoint: match said.contains_key("userinfo_endpoint") {
            true => endpoint("userinfo_endpoint")?,
            false => String::new(),
        },
        jwks_uri: endpoint("jwks_uri")?,
        // Where nothing is said, it is `client_secret_basic`.
        secret_in_form: has(methods, "client_secret_post") && !has(methods, "client_secret_basic"),
        says_issuer: said.get("authorization_response_iss_parameter_supported")
            == Some(&Value::Bool(true)),
        discover_time: ctx.now().timestamp(),
        ..known
    })
}

/// Changes a code for who somebody is.
pub(crate) async fn account(
    ctx: &Ctx, written: &WriteSignInResponse, code: &str, redirect_uri: &str,
) -> Result<Account> {
    let mut found = discovered(ctx, written).await?;
    let tokens = exchange(ctx, written, &found, code, redirect_uri).await?;
    let (id_token, access_token) = (text(&tokens, "id_token"), text(&tokens, "access_token"));
    let claims = believed(ctx, written, &mut found, &id_token, &access_token).await?;
    let mut account = Account {
        subject: text(&claims, "sub"),
        email: text(&claims, "email"),
        email_verified: is_verified(&claims),
        name: text(&claims, "name"),
        preferred_username: text(&claims, "preferred_username"),
    };
    if account.email.is_empty() && !found.userinfo_endpoint.is_empty() && !access_token.is_empty() {
        let look = Fetch::get(&found.userinfo_endpoint).bearer(&access_token);
        let said = object(&ask(ctx, look).await?.success()?)?;
        // Whoever can change the access token on the way could have it be about somebody else.
        if text(&said, "sub") != account.subject {
            return Err(
                Reason::IdTokenNotGood.because("the provider says two names of one account")
            );
        }
        account.email = text(&said, "email");
        account.email_verified = is_verified(&said);
        account.name = text(&said, "name");
        account.preferred_username = text(&said, "preferred_username");
    }
    Ok(account)
}

/// Some say it as a text.
fn is_verified(claims: &Map<String, Value>) -> bool {
    claims.get("email_verified").is_some_and(|said| said == true || said == "true")
}

async fn exchange(
    ctx: &Ctx, written: &WriteSignInResponse, found: &Discovered, code: &str, redirect_uri: &str,
) -> Result<Map<String, Value>> {
    let fetched = ask(ctx, exchanging(written, found, code, redirect_uri)).await?;
    if fetched.status.is_client_error() {
        return Err(unusable("the provider does not change the code for who somebody is"));
    }
    object(&fetched.success()?)
}

/// What a code is changed with (RFC 6749, 4.1.3).
fn exchanging(
    written: &WriteSignInResponse, found: &Discovered, code: &str, redirect_uri: &str,
) -> Fetch {
    let (client_id, secret) = (&written.provider.client_id, &written.client_secret);
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("code_verifier", &written.code_verifier);
    let in_form = secret.is_empty() || found.secret_in_form;
    if in_form {
        form.append_pair("client_id", client_id);
    }
    if in_form && !secret.is_empty() {
        form.append_pair("client_secret", secret);
    }
    let request = Fetch::post(&found.token_endpoint, FORM, form.finish());
    if in_form {
        return request;
    }
    // Both are written as forms write values (RFC 6749, 2.3.1).
    let plain = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let basic = BASE64.encode(format!("{}:{}", plain(client_id), plain(secret)));
    request.header("authorization", &format!("Basic {basic}"))
}

/// What an ID token says, if it is to be believed. A key that is on no list yet is looked for once.
async fn believed(
    ctx: &Ctx, written: &WriteSignInResponse, found: &mut Discovered, token: &str,
    access_token: &str,
) -> Result<Map<String, Value>> {
    let (nonce, now) = (&*written.nonce, ctx.now());
    let (issuer, client_id) = (&*written.provider.issuer, &*written.provider.client_id);
    let expected = Expected { issuer, client_id, nonce, access_token, now };
    let age = |found: &Discovered| now.since(Micros::of(&found.jwks_time));
    let mut asked = false;
    if found.jwks.is_empty() || age(found) >= model::KEYS_KEPT {
        keys(ctx, found).await?;
        asked = true;
    }
    let mut verdict = id_token::judge(token, &found.jwks, &expected);
    if matches!(verdict, Verdict::UnknownKey) && !asked && age(found) >= KEYS_ASKED_EVERY {
        keys(ctx, found).await?;
        verdict = id_token::judge(token, &found.jwks, &expected);
    }
    let wrong = |what| Err(Reason::IdTokenNotGood.because(what));
    match verdict {
        Verdict::Good(claims) => Ok(claims),
        Verdict::UnknownKey => wrong("no key of the provider signed what it says"),
        Verdict::Wrong(what) => wrong(what),
    }
}

async fn keys(ctx: &Ctx, found: &mut Discovered) -> Result<()> {
    let fetched = ask(ctx, Fetch::get(&found.jwks_uri)).await?.success()?;
    found.jwks = Value::Object(object(&fetched)?).to_string();
    found.jwks_time = ctx.now().timestamp();
    ctx.call(StoreDiscoveredRequest { discovered: found.clone().into() }).await?;
    Ok(())
}
