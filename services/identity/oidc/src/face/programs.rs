//! What programs ask.

use serde_json::{Map, Value, json};
use stoa_kit::contract::AnyMessage as _;
use stoa_kit::v1::{HttpRequest, HttpResponse};
use stoa_kit::{Ctx, Error, Micros, Reason as _, Result};
use stoa_oidc_v1::*;

use super::words::{Asked, answer};
use crate::{api, crypto, model};

/// What an application says of what it signed.
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Who an application is, by what it sent: a secret, none, or what it signed (RFC 7523, 2.2).
async fn proof(ctx: &Ctx, asked: &Asked<'_>) -> Result<ClientProof> {
    let said = asked.client()?;
    let form = asked.programs()?;
    let kind = form.get("client_assertion_type");
    if kind.is_empty() && form.get("client_assertion").is_empty() {
        return Ok(said);
    }
    if kind != ASSERTION || !said.secret.is_empty() {
        return Err(
            Reason::InvalidClient.because("the application proves in two ways, or an unknown one")
        );
    }
    let request = SpendAssertionRequest {
        assertion: form.text("client_assertion"),
        client_id: said.client_id,
    };
    let client_id = ctx.call(request).await?.client_id;
    Ok(ClientProof { client_id, signed: true, ..ClientProof::default() })
}

/// Tokens (RFC 6749, 4.1.3, 4.4, 6; RFC 8628, 3.4).
pub(super) async fn token(ctx: &Ctx, asked: &Asked<'_>) -> Result<HttpResponse> {
    let form = asked.programs()?;
    if form.get("grant_type").is_empty() {
        return Err(Reason::InvalidRequest.because("`grant_type` is missing"));
    }
    let request = GrantTokensRequest {
        client: proof(ctx, asked).await?.into(),
        grant_type: form.text("grant_type"),
        code: form.text("code"),
        redirect_uri: form.text("redirect_uri"),
        code_verifier: form.text("code_verifier"),
        refresh_token: form.text("refresh_token"),
        device_code: form.text("device_code"),
        scope: form.text("scope"),
    };
    let tokens = ctx.call(request).await?;
    let write = WriteTokensRequest { tokens: tokens.into(), ..WriteTokensRequest::default() };
    let written = ctx.call(write).await?;
    let mut body = json!({
        "access_token": written.access_token,
        "token_type": "Bearer",
        "expires_in": written.seconds,
        "scope": written.scope,
    });
    for (name, token) in [("refresh_token", written.refresh_token), ("id_token", written.id_token)]
    {
        if !token.is_empty() {
            body[name] = token.into();
        }
    }
    Ok(answer(200, &body))
}

/// A device begins (RFC 8628, 3.1).
pub(super) async fn device(
    ctx: &Ctx, asked: &Asked<'_>, settings: &Settings,
) -> Result<HttpResponse> {
    let (form, client) = (asked.programs()?, proof(ctx, asked).await?);
    let user_code = model::user_code(ctx.secret("user code"));
    let scope = form.text("scope");
    let request = StartDeviceRequest { client: client.into(), scope, user_code: user_code.clone() };
    let begun = ctx.call(request).await?;
    let write = WriteTokensRequest { device_of: begun.device_id, ..WriteTokensRequest::default() };
    let device_code = ctx.call(write).await?.code;
    let page = format!("{}/oauth2/device", model::issuer(settings)?);
    Ok(answer(
        200,
        &json!({
            "device_code": device_code,
            "verification_uri_complete": format!("{page}?user_code={user_code}"),
            "verification_uri": page,
            "user_code": user_code,
            "expires_in": begun.seconds,
            "interval": begun.interval,
        }),
    ))
}

/// What a token is good for (RFC 7662).
pub(super) async fn introspect(ctx: &Ctx, asked: &Asked<'_>) -> Result<HttpResponse> {
    let (client, token) = (proof(ctx, asked).await?.into(), asked.programs()?.text("token"));
    let found = ctx.call(IntrospectTokenRequest { client, token }).await?;
    if !found.active {
        return Ok(answer(200, &json!({"active": false})));
    }
    let mut body = json!({
        "active": true,
        "client_id": found.client_id,
        "sub": found.subject,
        "scope": found.scope,
        "exp": model::seconds(Micros::of(&found.expire_time)),
    });
    if !found.issuer.is_empty() {
        body["iss"] = found.issuer.into();
    }
    if !found.refreshes {
        body["token_type"] = "Bearer".into();
    }
    Ok(answer(200, &body))
}

/// The end of a token (RFC 7009).
pub(super) async fn revoke(ctx: &Ctx, asked: &Asked<'_>) -> Result<HttpResponse> {
    let (client, token) = (proof(ctx, asked).await?.into(), asked.programs()?.text("token"));
    ctx.call(RevokeTokenRequest { client, token }).await?;
    Ok(answer(200, &json!({})))
}

/// Who somebody is (OpenID Connect Core 1.0, 5.3).
pub(super) async fn user_info(ctx: &Ctx, asked: &Asked<'_>) -> Result<HttpResponse> {
    let form = asked.programs()?;
    let access_token = match asked.bearer() {
        "" => form.text("access_token"),
        bearer => bearer.to_owned(),
    };
    let claims = ctx.call(GetUserInfoRequest { access_token }).await?.claims;
    Ok(answer(200, &serde_json::from_str(&claims).map_err(Error::internal)?))
}

/// A client that makes itself known (RFC 7591).
pub(super) async fn register(
    ctx: &Ctx, http: &HttpRequest, settings: &Settings,
) -> Result<HttpResponse> {
    if !settings.registration_open {
        return Err(Reason::AccessDenied.because("applications are made known by administrators"));
    }
    let asked: Map<String, Value> = serde_json::from_slice(&http.body)
        .map_err(|_| Reason::InvalidClientMetadata.because("the body is no JSON object"))?;
    let created = async { api::create_as(ctx, registered(&asked)?, true).await };
    let created = created.await.map_err(not_registered)?;
    let client = created.client;
    let method = match (client.jwks.is_empty(), created.secret.is_empty()) {
        (false, _) => "private_key_jwt",
        (true, true) => "none",
        (true, false) => "client_secret_basic",
    };
    let algorithm = model::algorithm(client.id_token_algorithm.as_known());
    let mut body = json!({
        "client_id": client.id,
        "client_id_issued_at": model::seconds(Micros::of(&client.create_time)),
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "post_logout_redirect_uris": client.post_logout_redirect_uris,
        "grant_types": client.grant_types,
        "response_types": ["code"],
        "scope": client.scopes.join(" "),
        "token_endpoint_auth_method": method,
        "id_token_signed_response_alg": crypto::name(algorithm),
    });
    if !client.backchannel_logout_uri.is_empty() {
        body["backchannel_logout_uri"] = client.backchannel_logout_uri.clone().into();
    }
    if !created.secret.is_empty() {
        body["client_secret"] = created.secret.into();
        body["client_secret_expires_at"] = 0.into();
    }
    Ok(answer(201, &body))
}

/// What is wrong with what a client says of itself, by the words of RFC 7591.
fn not_registered(error: Error) -> Error {
    match error.violations().first().map(|one| one.path.clone()) {
        Some(path) if path.starts_with("redirect_uris") => {
            Reason::InvalidRedirectUri.because("an address for answers is none that may be")
        }
        Some(path) => Reason::InvalidClientMetadata.because(format!("`{path}` is wrong")),
        None => error,
    }
}

/// What a client says of itself, as a request. It is held to the rules of one.
fn registered(asked: &Map<String, Value>) -> Result<CreateClientRequest> {
    let wrong = |name: &str| Reason::InvalidClientMetadata.because(format!("`{name}` is wrong"));
    let text = |name: &str| match asked.get(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(wrong(name)),
    };
    let texts = |name: &str| match asked.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(value) => {
            serde_json::from_value::<Vec<String>>(value.clone()).map_err(|_| wrong(name))
        }
    };
    let r#type = match &*text("token_endpoint_auth_method")? {
        "none" => ClientType::Public,
        "" | "client_secret_basic" | "client_secret_post" | "private_key_jwt" => {
            ClientType::Confidential
        }
        _ => return Err(wrong("token_endpoint_auth_method")),
    };
    let id_token_algorithm = match &*text("id_token_signed_response_alg")? {
        "" | "RS256" => SigningAlgorithm::Rs256,
        "ES256" => SigningAlgorithm::Es256,
        _ => return Err(wrong("id_token_signed_response_alg")),
    };
    if texts("response_types")?.iter().any(|kind| kind != "code") {
        return Err(wrong("response_types"));
    }
    let name = match &*text("client_name")? {
        "" => "An application without a name".to_owned(),
        name => name.to_owned(),
    };
    let by_keys = text("token_endpoint_auth_method")? == "private_key_jwt";
    let jwks = match asked.get("jwks") {
        Some(keys) if by_keys => keys.to_string(),
        None if !by_keys => String::new(),
        _ => return Err(wrong("jwks")),
    };
    let mut request = CreateClientRequest {
        name,
        jwks,
        r#type: r#type.into(),
        redirect_uris: texts("redirect_uris")?,
        post_logout_redirect_uris: texts("post_logout_redirect_uris")?,
        backchannel_logout_uri: text("backchannel_logout_uri")?,
        grant_types: match texts("grant_types")? {
            none if none.is_empty() => vec![model::CODE.into()],
            some => some,
        },
        // Scopes of the operator's own are given by administrators.
        scopes: match model::scopes(&text("scope")?) {
            none if none.is_empty() => Vec::new(),
            some => some.into_iter().filter(|one| model::OF_PEOPLE.contains(&&**one)).collect(),
        },
        id_token_algorithm: id_token_algorithm.into(),
        ..CreateClientRequest::default()
    };
    request.admit()?;
    Ok(request)
}
