//! OAuth 2.1 and OpenID Connect, as their clients speak them, and the few pages that people see on the way.
//!
//! What is decided is decided by methods of the contract; here it is read and written. Nothing that a
//! request says of its host becomes an address: those are the issuer's.

mod browser;
mod discovery;
mod pages;
mod programs;
mod providers;
mod words;

use serde_json::json;
use stoa_kit::v1::{HttpRequest, HttpResponse};
use stoa_kit::{Code, Ctx, Error, Manners, Reason as _, Result};
use stoa_oidc_v1::{Reason, ServeOauthRequest, ServeOauthResponse, Settings};

use words::{Asked, answer, with};

/// Where clients and browsers come in.
pub(crate) const PREFIXES: [&str; 3] =
    ["/oauth2", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];
/// The largest request.
pub(crate) const BODY_MAX: usize = 64 << 10;
/// How clients read a refusal of the door's. What they send as `Authorization` is theirs: nobody is known
/// here by a token of Stoa's but a browser, by its cookie.
pub(crate) const MANNERS: Manners = Manners { token: None, refuse };

pub(crate) async fn serve(ctx: Ctx, request: ServeOauthRequest) -> Result<ServeOauthResponse> {
    let http = request.http.into_option().unwrap_or_default();
    let http = match route(&ctx, &http).await {
        Ok(answer) => answer,
        Err(error) => refuse(&error),
    };
    Ok(ServeOauthResponse { http: http.into() })
}

async fn route(ctx: &Ctx, http: &HttpRequest) -> Result<HttpResponse> {
    let settings = async || ctx.settings::<Settings>().await;
    let asked = Asked::read(http)?;
    let path = http.path.strip_prefix("/oauth2/").unwrap_or("");
    let verb = if http.method == "HEAD" { "GET" } else { &*http.method };
    match (verb, path) {
        ("GET", "") if http.path.starts_with("/.well-known/") => {
            discovery::configuration(&settings().await?)
        }
        ("GET", "jwks") => discovery::keys(ctx).await,
        ("GET" | "POST", "authorize") => browser::authorize(ctx, &asked, &settings().await?).await,
        ("POST", "consent") => browser::consent(ctx, &asked, &settings().await?).await,
        ("GET", "device") => browser::device(ctx, &asked).await,
        ("POST", "device") => browser::decide_device(ctx, &asked).await,
        ("GET" | "POST", "end_session") => {
            browser::end_session(ctx, &asked, &settings().await?).await
        }
        ("POST", "signed_out") => browser::sign_out(ctx, &asked, &settings().await?).await,
        ("GET", "sign-in") => providers::start(ctx, &asked, &settings().await?).await,
        ("GET", path) if path.starts_with(providers::CALLBACK) => {
            let provider_id = &path[providers::CALLBACK.len()..];
            providers::come_back(ctx, &asked, &settings().await?, provider_id).await
        }
        ("GET", "page.css") => Ok(pages::style()),
        ("POST", "token") => programs::token(ctx, &asked).await,
        ("POST", "device_authorization") => programs::device(ctx, &asked, &settings().await?).await,
        ("POST", "introspect") => programs::introspect(ctx, &asked).await,
        ("POST", "revoke") => programs::revoke(ctx, &asked).await,
        ("GET" | "POST", "userinfo") => programs::user_info(ctx, &asked).await,
        ("POST", "register") => programs::register(ctx, http, &settings().await?).await,
        _ => Err(Reason::UnknownPath.because("there is nothing of this name here")),
    }
}

/// An error, as OAuth says one (RFC 6749, 5.2; RFC 6750, 3).
fn refuse(error: &Error) -> HttpResponse {
    let name = match (error.reason().strip_prefix("oidc."), error.code()) {
        (Some("unknown_path" | "wrong_page" | "too_many_codes"), _) => "invalid_request",
        (Some(name), _) => name,
        (None, Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded) => {
            "temporarily_unavailable"
        }
        (None, Code::InvalidArgument) => "invalid_request",
        (None, _) => "server_error",
    };
    let status = match (error.reason(), error.code()) {
        ("oidc.unknown_path", _) => 404,
        ("oidc.insufficient_scope", _) => 403,
        (_, Code::Unauthenticated) => 401,
        (_, Code::ResourceExhausted) => 429,
        (_, Code::Unavailable | Code::DeadlineExceeded) => 503,
        _ if name == "server_error" => 500,
        _ => 400,
    };
    let mut text = error.message().to_owned();
    for violation in error.violations() {
        text = format!("{text}; {} {}", violation.path, violation.message);
    }
    let body = json!({"error": name, "error_description": words::description(&text)});
    let said = answer(status, &body);
    let said = match name {
        "invalid_client" => with(said, "www-authenticate", "Basic realm=\"oauth\""),
        "invalid_token" | "insufficient_scope" => {
            with(said, "www-authenticate", &format!("Bearer error=\"{name}\""))
        }
        _ => said,
    };
    match error.retry_after() {
        Some(wait) => with(said, "retry-after", &(wait.as_secs() + 1).to_string()),
        None => said,
    }
}
