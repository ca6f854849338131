//! What browsers ask: people, and the sites that send them here.

use stoa_auth_v1::RevokeSessionRequest;
use stoa_kit::v1::HttpResponse;
use stoa_kit::{Code, Ctx, Error, Reason as _, Result};
use stoa_oidc_v1::*;
use url::{Url, form_urlencoded};

use super::pages::{self, page};
use super::words::{Asked, Parameters, see, with};
use crate::model;

/// Where people sign in. It leads back to what stands behind `return`, if that is below `/oauth2/`.
pub(super) const SIGN_IN: &str = "/sign-in";
/// By this a request says that whoever it is about was sent to sign in because of it, and when.
const AFTER: &str = "signed_in_after";

/// What an application asks of the person (RFC 6749, 4.1.1; OpenID Connect Core 1.0, 3.1.2.1).
pub(super) async fn authorize(
    ctx: &Ctx, asked: &Asked<'_>, settings: &Settings,
) -> Result<HttpResponse> {
    model::issuer(settings)?;
    let parameters = asked.browsers();
    let session_token = asked.session_token();
    if session_token.is_empty() && asked.is_get() && asked.is_from_elsewhere() {
        return Ok(pages::onward(&own("authorize", parameters)));
    }
    let query = query(parameters);
    let request = PrepareAuthorizationRequest {
        query: query.clone().into(),
        session_token: session_token.clone(),
    };
    let prepared = match ctx.call(request).await {
        Ok(prepared) => prepared,
        Err(error) => return wrong(&error),
    };
    match prepared.step.as_known() {
        Some(Step::SignIn) => Ok(sign_in(ctx, asked, settings)),
        Some(Step::Consent) => Ok(ask(parameters, &prepared)),
        Some(Step::Ready) => {
            let request =
                AuthorizeRequest { query: query.into(), session_token, page_code: String::new() };
            give(ctx, parameters, request, settings).await
        }
        _ => {
            let error =
                [("error", &*prepared.error), ("error_description", &prepared.error_description)];
            back(parameters, &error, settings)
        }
    }
}

/// What somebody said on the page that asks them.
pub(super) async fn consent(
    ctx: &Ctx, asked: &Asked<'_>, settings: &Settings,
) -> Result<HttpResponse> {
    // What was asked stands in the address, and what was decided in the form.
    let (parameters, session_token) = (&asked.query, asked.session_token());
    let query = query(parameters);
    let page_code = asked.form.text("page");
    let look = PrepareAuthorizationRequest {
        query: query.clone().into(),
        session_token: session_token.clone(),
    };
    let prepared = match ctx.call(look).await {
        Ok(prepared) => prepared,
        Err(error) => return wrong(&error),
    };
    match prepared.step.as_known() {
        Some(Step::Consent | Step::Ready) => {}
        Some(Step::SignIn) => return Ok(sign_in(ctx, asked, settings)),
        _ => {
            let error =
                [("error", &*prepared.error), ("error_description", &prepared.error_description)];
            return back(parameters, &error, settings);
        }
    }
    if !model::equal(prepared.page_code.as_bytes(), page_code.as_bytes()) {
        return wrong(&Reason::WrongPage.because("this does not come from a page made for it"));
    }
    if asked.form.get("decision") != "allow" {
        let error = [("error", "access_denied"), ("error_description", "the person said no")];
        return back(parameters, &error, settings);
    }
    let request = AuthorizeRequest { query: query.into(), session_token, page_code };
    give(ctx, parameters, request, settings).await
}

async fn give(
    ctx: &Ctx, parameters: &Parameters, request: AuthorizeRequest, settings: &Settings,
) -> Result<HttpResponse> {
    let given = match ctx.call(request).await {
        Ok(given) => given,
        Err(error) => return wrong(&error),
    };
    if !given.error.is_empty() {
        let error = [("error", &*given.error), ("error_description", &given.error_description)];
        return back(parameters, &error, settings);
    }
    let write = WriteTokensRequest { code_of: given.family_id, ..WriteTokensRequest::default() };
    let code = ctx.call(write).await?.code;
    back(parameters, &[("code", &*code)], settings)
}

fn query(parameters: &Parameters) -> AuthorizationQuery {
    AuthorizationQuery {
        client_id: parameters.text("client_id"),
        redirect_uri: parameters.text("redirect_uri"),
        response_type: parameters.text("response_type"),
        response_mode: parameters.text("response_mode"),
        scope: parameters.text("scope"),
        nonce: parameters.text("nonce"),
        code_challenge: parameters.text("code_challenge"),
        code_challenge_method: parameters.text("code_challenge_method"),
        prompt: parameters.text("prompt"),
        max_age: parameters.text("max_age"),
        has_object: ["request", "request_uri"].iter().any(|name| !parameters.get(name).is_empty()),
        repeated_parameter: parameters.repeated().unwrap_or_default().to_owned(),
        signed_in_after: parameters.text(AFTER),
        text: parameters.written(&[], &[]),
    }
}

/// An address of this node's own.
fn own(name: &str, parameters: &Parameters) -> String {
    format!("/oauth2/{name}?{}", parameters.written(&[], &[]))
}

/// Sends somebody to sign in, and back here: nowhere else, whatever the request says. Who is signed in, and
/// has to prove once more who they are, is not taken for signed in until then.
fn sign_in(ctx: &Ctx, asked: &Asked<'_>, settings: &Settings) -> HttpResponse {
    let parameters =
        if asked.query.get("client_id").is_empty() { &asked.form } else { &asked.query };
    let now = model::seconds(ctx.now()).to_string();
    let after = match parameters.get(AFTER) {
        "" => now.as_str(),
        after => after,
    };
    let kept = parameters.written(&[AFTER], &[(AFTER, after)]);
    let wants_proof = ["prompt", "max_age"].iter().any(|name| !parameters.get(name).is_empty());
    let kept = if wants_proof { kept } else { parameters.written(&[AFTER], &[]) };
    let said = see(&sign_in_for(&format!("/oauth2/authorize?{kept}")));
    match wants_proof && !asked.session_token().is_empty() {
        true => signed_out(said, asked, settings),
        false => said,
    }
}

fn sign_in_for(path: &str) -> String {
    let query =
        form_urlencoded::Serializer::new(String::new()).append_pair("return", path).finish();
    format!("{SIGN_IN}?{query}")
}

/// Takes the cookie of a session from a browser.
fn signed_out(said: HttpResponse, asked: &Asked<'_>, settings: &Settings) -> HttpResponse {
    with(said, "set-cookie", &asked.session_cookie("", 0, settings))
}

fn ask(parameters: &Parameters, prepared: &PrepareAuthorizationResponse) -> HttpResponse {
    let wants = pages::wants(&prepared.client_name, &prepared.handle, &prepared.scopes);
    let hidden = [("page", &*prepared.page_code)];
    let form = pages::decide(&own("consent", parameters), &hidden, "Allow", "Deny");
    let leads_to = Url::parse(parameters.get("redirect_uri")).map(|url| match url.origin() {
        url::Origin::Opaque(_) => format!("{}:", url.scheme()),
        origin => origin.ascii_serialization(),
    });
    page(200, "Sign in to an application", &format!("{wants}{form}"), &leads_to.unwrap_or_default())
}

/// Sends somebody back to the application, with who sends them (RFC 9207).
fn back(
    parameters: &Parameters, answer: &[(&str, &str)], settings: &Settings,
) -> Result<HttpResponse> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(answer);
    let state = parameters.get("state");
    if !state.is_empty() {
        query.append_pair("state", state);
    }
    query.append_pair("iss", model::issuer(settings)?);
    let (address, query) = (parameters.get("redirect_uri"), query.finish());
    let joint = if address.contains('?') { '&' } else { '?' };
    Ok(see(&format!("{address}{joint}{query}")))
}

/// Tells the person what is wrong, where nobody else may be told.
pub(super) fn wrong(error: &Error) -> Result<HttpResponse> {
    let status = match error.code() {
        Code::InvalidArgument | Code::FailedPrecondition => 400,
        Code::PermissionDenied => 403,
        Code::NotFound => 404,
        Code::AlreadyExists => 409,
        Code::ResourceExhausted => 429,
        Code::Unavailable => 503,
        _ => return Err(error.clone()),
    };
    let text = format!("{}{}", pages::text(error.message()), pages::text(error.next()));
    Ok(page(status, "This cannot go on", &text, ""))
}

/// The page on which somebody lets a device in (RFC 8628, 3.3).
pub(super) async fn device(ctx: &Ctx, asked: &Asked<'_>) -> Result<HttpResponse> {
    let session_token = asked.session_token();
    let path = own("device", &asked.query);
    if session_token.is_empty() && asked.is_from_elsewhere() {
        return Ok(pages::onward(&path));
    }
    let user_code = asked.query.text("user_code");
    let request = PrepareDeviceRequest { user_code: user_code.clone(), session_token };
    let found = match ctx.call(request).await {
        Ok(found) => found,
        Err(error) => return wrong(&error),
    };
    let form = pages::type_code("/oauth2/device");
    Ok(match (found.signed_in, found.found, &*user_code) {
        (false, _, _) => see(&sign_in_for(&path)),
        (true, false, "") => {
            let text = pages::text("Type the code that the device shows.");
            page(200, "Let a device in", &format!("{text}{form}"), "")
        }
        (true, false, _) => {
            let text = pages::text("No device waits with this code. Look at it again.");
            page(404, "Let a device in", &format!("{text}{form}"), "")
        }
        (true, true, _) => {
            let warning =
                pages::text("Go on only if you have the device before you, and began there.");
            let wants = pages::wants(&found.client_name, &found.handle, &found.scopes);
            let hidden = [("page", &*found.page_code), ("user_code", &user_code)];
            let form = pages::decide("/oauth2/device", &hidden, "Allow", "Deny");
            page(200, "Let a device in", &format!("{wants}{warning}{form}"), "")
        }
    })
}

/// What somebody said on that page.
pub(super) async fn decide_device(ctx: &Ctx, asked: &Asked<'_>) -> Result<HttpResponse> {
    let allow = asked.form.get("decision") == "allow";
    let request = DecideDeviceRequest {
        user_code: asked.form.text("user_code"),
        session_token: asked.session_token(),
        page_code: asked.form.text("page"),
        allow,
    };
    Ok(match ctx.call(request).await {
        Ok(_) if allow => page(200, "The device is in", &pages::text("Go on there."), ""),
        Ok(_) => {
            page(200, "The device is not let in", &pages::text("You can close this page."), "")
        }
        Err(error) => return wrong(&error),
    })
}

/// Somebody signed out at an application (OpenID Connect RP-Initiated Logout 1.0).
pub(super) async fn end_session(
    ctx: &Ctx, asked: &Asked<'_>, settings: &Settings,
) -> Result<HttpResponse> {
    let parameters = asked.browsers();
    if asked.session_token().is_empty() && asked.is_get() && asked.is_from_elsewhere() {
        return Ok(pages::onward(&own("end_session", parameters)));
    }
    let found = look(ctx, asked, parameters).await?;
    let leave = &*parameters.written(&["id_token_hint"], &[]);
    if found.session_id.is_empty() {
        return Ok(left(parameters, found.redirects));
    }
    if found.is_certain {
        ctx.call(RevokeSessionRequest { id: found.session_id }).await?;
        return Ok(signed_out(left(parameters, found.redirects), asked, settings));
    }
    // Any site can send a browser here: a person decides.
    let redirects = if found.redirects { leave } else { "" };
    let hidden = [("page", &*found.page_code)];
    let form = pages::decide(&format!("/oauth2/signed_out?{redirects}"), &hidden, "Sign out", "");
    let leads_to = Url::parse(parameters.get("post_logout_redirect_uri"));
    let leads_to = leads_to.map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    Ok(page(200, "Do you want to sign out?", &form, if found.redirects { &leads_to } else { "" }))
}

/// What somebody said on the page that asks whether they want to.
pub(super) async fn sign_out(
    ctx: &Ctx, asked: &Asked<'_>, settings: &Settings,
) -> Result<HttpResponse> {
    let found = look(ctx, asked, &asked.query).await?;
    if found.session_id.is_empty() {
        return Ok(left(&asked.query, found.redirects));
    }
    if !model::equal(found.page_code.as_bytes(), asked.form.get("page").as_bytes()) {
        return wrong(&Reason::WrongPage.because("this does not come from a page made for it"));
    }
    ctx.call(RevokeSessionRequest { id: found.session_id }).await?;
    Ok(signed_out(left(&asked.query, found.redirects), asked, settings))
}

async fn look(
    ctx: &Ctx, asked: &Asked<'_>, parameters: &Parameters,
) -> Result<PrepareLogoutResponse> {
    let request = PrepareLogoutRequest {
        id_token_hint: parameters.text("id_token_hint"),
        client_id: parameters.text("client_id"),
        redirect_uri: parameters.text("post_logout_redirect_uri"),
        session_token: asked.session_token(),
    };
    ctx.call(request).await
}

/// Where somebody goes who is signed out: to the application, if the address is one of its own.
fn left(parameters: &Parameters, redirects: bool) -> HttpResponse {
    if !redirects {
        return page(200, "You are signed out", &pages::text("You can close this page."), "");
    }
    let (address, state) = (parameters.get("post_logout_redirect_uri"), parameters.get("state"));
    if state.is_empty() {
        return see(address);
    }
    let query =
        form_urlencoded::Serializer::new(String::new()).append_pair("state", state).finish();
    let joint = if address.contains('?') { '&' } else { '?' };
    see(&format!("{address}{joint}{query}"))
}
