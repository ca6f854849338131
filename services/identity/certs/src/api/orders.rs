//! Orders of ACME, and what is proved for them.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::json;
use stoa_certs_v1::*;
use stoa_kit::outbound::{Fetch, Fetched};
use stoa_kit::{Ctx, Error, JobOptions, Micros, Reason as _, Result, Tx, View};

use crate::store::acme;
use crate::{face, model};

/// What a proof may come to: the answer is a token, a dot and a thumbprint.
const PROOF_MAX: usize = 1 << 10;
const REDIRECTS_MAX: u8 = 10;
const PROOF_WAIT: std::time::Duration = std::time::Duration::from_secs(10);

pub(super) fn create(tx: &mut Tx, request: CreateOrderRequest) -> Result<CreateOrderResponse> {
    let account = acme::valid_account(tx, &request.account_id)?;
    acme::may_order(tx, &account.id)?;
    let (id, expire) = (tx.new_id("acr"), tx.after(model::ORDER_LIFE));
    let mut authorization_ids = Vec::new();
    for name in &request.names {
        let authorization = tx.add(Authorization {
            id: tx.new_id("acz"),
            account_id: account.id.clone(),
            order_id: id.clone(),
            name: name.clone(),
            state: AuthorizationState::Pending.into(),
            token: BASE64.encode(tx.salt(&format!("token of {name}"))?),
            expire_time: expire.timestamp(),
            ..Authorization::default()
        })?;
        authorization_ids.push(authorization.id);
    }
    let order = tx.add(Order {
        id,
        authority_id: account.authority_id,
        account_id: account.id,
        state: OrderState::Pending.into(),
        names: request.names,
        authorization_ids,
        expire_time: expire.timestamp(),
        ..Order::default()
    })?;
    Ok(CreateOrderResponse { order: order.into() })
}

pub(super) fn find(view: &View, request: FindOrdersRequest) -> Result<FindOrdersResponse> {
    let orders = match &*request.id {
        "" => acme::orders(view, &request.account_id)?,
        id => vec![acme::order(view, &request.account_id, id)?],
    };
    Ok(FindOrdersResponse { orders })
}

pub(super) fn find_authorization(
    view: &View, request: FindAuthorizationRequest,
) -> Result<FindAuthorizationResponse> {
    let found = acme::authorization(view, &request.account_id, &request.id)?;
    Ok(FindAuthorizationResponse { authorization: found.into() })
}

pub(super) fn begin_challenge(
    tx: &mut Tx, request: BeginChallengeRequest,
) -> Result<BeginChallengeResponse> {
    let account = acme::valid_account(tx, &request.account_id)?;
    let mut authorization = acme::authorization(tx, &account.id, &request.id)?;
    let over = Micros::of(&authorization.expire_time) <= tx.now();
    if authorization.state == AuthorizationState::Pending && !over {
        authorization.state = AuthorizationState::Processing.into();
        authorization = tx.save(authorization)?;
        let job = ValidateChallengeRequest {
            id: authorization.id.clone(),
            name: authorization.name.clone(),
            token: authorization.token.clone(),
            thumbprint: account.thumbprint,
        };
        tx.enqueue(&job, JobOptions::default())?;
    }
    Ok(BeginChallengeResponse { authorization: authorization.into() })
}

pub(super) async fn validate_challenge(
    ctx: Ctx, request: ValidateChallengeRequest,
) -> Result<ValidateChallengeResponse> {
    let settings: Settings = ctx.settings().await?;
    let port = match settings.http_challenge_port {
        80 => String::new(),
        port => format!(":{port}"),
    };
    let ValidateChallengeRequest { id, name, token, thumbprint } = request;
    let url = format!("http://{name}{port}/.well-known/acme-challenge/{token}");
    let fetch = Fetch {
        redirects_max: REDIRECTS_MAX,
        answer_max: PROOF_MAX,
        wait_max: PROOF_WAIT,
        ..Fetch::get(url)
    };
    let problem = match ctx.fetch(fetch).await {
        Ok(answer) => judge(&answer, &format!("{token}.{thumbprint}")),
        Err(error) => Some(unreachable(&error)),
    };
    let problem = problem.map(|(kind, detail)| {
        json!({"type": format!("{}{kind}", face::PROBLEM), "detail": format!("{name}: {detail}")})
            .to_string()
    });
    ctx.call(RecordValidationRequest { id, problem: problem.unwrap_or_default() }).await?;
    Ok(ValidateChallengeResponse {})
}

/// What is wrong with an answer, if anything is.
fn judge(answer: &Fetched, wanted: &str) -> Option<(&'static str, String)> {
    let status = answer.status.as_u16();
    if status != 200 {
        return Some(("unauthorized", format!("the host answers with the status {status}")));
    }
    let body = std::str::from_utf8(&answer.body).unwrap_or_default();
    // White space behind it is none of the client's doing (RFC 8555, 8.3).
    let wrong = || ("unauthorized", "the host answers with something else than the proof".into());
    (body.trim_end() != wanted).then(wrong)
}

/// Why a host gave no answer, by the words of RFC 8555, 6.7.
fn unreachable(error: &Error) -> (&'static str, String) {
    let kind = match error.reason() {
        "http.no_address" => "dns",
        "http.tls" => "tls",
        "http.refused_host" | "http.refused_address" | "http.not_secure" => "rejectedIdentifier",
        "http.too_large" | "http.compressed" | "http.redirect" => "incorrectResponse",
        _ => "connection",
    };
    (kind, error.message().to_owned())
}

pub(super) fn record_validation(
    tx: &mut Tx, request: RecordValidationRequest,
) -> Result<RecordValidationResponse> {
    let found = tx.get::<Authorization>(&request.id)?;
    let waiting = found.filter(|one| one.state == AuthorizationState::Processing);
    if let Some(authorization) = waiting {
        let state = match request.problem.is_empty() {
            true => AuthorizationState::Valid,
            false => AuthorizationState::Invalid,
        };
        acme::decide(tx, authorization, state, request.problem)?;
    }
    Ok(RecordValidationResponse {})
}

pub(super) fn deactivate_authorization(
    tx: &mut Tx, request: DeactivateAuthorizationRequest,
) -> Result<DeactivateAuthorizationResponse> {
    let account = acme::valid_account(tx, &request.account_id)?;
    let authorization = acme::authorization(tx, &account.id, &request.id)?;
    if authorization.state == AuthorizationState::Invalid {
        return Err(Reason::Malformed.because("the authorization is invalid already"));
    }
    let authorization =
        acme::decide(tx, authorization, AuthorizationState::Deactivated, String::new())?;
    Ok(DeactivateAuthorizationResponse { authorization: authorization.into() })
}
