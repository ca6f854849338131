//! Orders of ACME: what is to be proved, and the certificates that come of it.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::Deserialize;
use serde_json::{Value, json};
use stoa_certs_v1::*;
use stoa_kit::v1::HttpResponse;
use stoa_kit::{Error, Micros, Reason as _, Result};

use super::acme::Visitor;
use super::jws::malformed;
use super::words::{answer, told, with};
use crate::{api, crypto, model};

/// What a chain of certificates is called (RFC 8555, 9.1).
const CHAIN: &str = "application/pem-certificate-chain";

pub(super) async fn route(visitor: &Visitor<'_>, path: &[&str]) -> Result<HttpResponse> {
    match path {
        ["new-order"] => visitor.new_order().await,
        ["order", id] => visitor.order(id).await,
        ["order", id, "finalize"] => visitor.finalize(id).await,
        ["authz", id] => visitor.authorization(id).await,
        ["challenge", id] => visitor.challenge(id).await,
        ["cert", serial] => visitor.certificate(serial).await,
        _ => Err(Reason::UnknownPath.because("there is nothing of this name here")),
    }
}

#[derive(Deserialize)]
struct Identifier {
    r#type: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewOrder {
    identifiers: Vec<Identifier>,
    #[serde(default)]
    not_before: Option<Value>,
    #[serde(default)]
    not_after: Option<Value>,
}

#[derive(Deserialize)]
struct Finalize {
    csr: String,
}

#[derive(Deserialize)]
struct ChangedAuthorization {
    status: String,
}

impl Visitor<'_> {
    fn account_id(&self) -> String {
        self.account.id.clone()
    }

    async fn new_order(&self) -> Result<HttpResponse> {
        let asked: NewOrder = self.signed.says()?;
        if asked.not_before.is_some() || asked.not_after.is_some() {
            return Err(malformed("the authority says how long a certificate is good"));
        }
        if !(1..=model::NAMES_MAX).contains(&asked.identifiers.len()) {
            return Err(malformed("an order has from 1 to 100 identifiers"));
        }
        let mut names = Vec::new();
        for identifier in asked.identifiers {
            if identifier.r#type != "dns" {
                return Err(
                    Reason::UnsupportedIdentifier.because("an identifier is not of the type `dns`")
                );
            }
            let refused =
                || Reason::RejectedIdentifier.because("an identifier is no name of a host");
            names.push(model::host(&identifier.value).ok_or_else(refused)?);
        }
        let names = model::sorted(names);
        let created =
            self.ctx.call(CreateOrderRequest { account_id: self.account_id(), names }).await?;
        self.order_told(201, &created.order)
    }

    async fn find(&self, id: &str) -> Result<Order> {
        let find = FindOrdersRequest { account_id: self.account_id(), id: id.to_owned() };
        Ok(self.ctx.call(find).await?.orders.pop().unwrap_or_default())
    }

    async fn order(&self, id: &str) -> Result<HttpResponse> {
        self.order_told(200, &self.find(id).await?)
    }

    async fn finalize(&self, id: &str) -> Result<HttpResponse> {
        let order = self.find(id).await?;
        let asked: Finalize = self.signed.says()?;
        let csr = BASE64.decode(&asked.csr);
        let sign = SignCertificateRequest {
            authority_id: order.authority_id,
            csr: csr.map_err(|_| Reason::BadCsr.because("it is no base64url"))?,
            ttl_seconds: model::LIFE_MAX.as_secs() as i32,
            order_id: order.id,
            ..SignCertificateRequest::default()
        };
        let stored = api::issue_from(self.ctx, sign).await?;
        self.order_told(200, &stored.order)
    }

    fn order_told(&self, status: i32, order: &Order) -> Result<HttpResponse> {
        let address = self.place.at(&format!("order/{}", order.id));
        let identifiers: Vec<_> =
            order.names.iter().map(|name| json!({"type": "dns", "value": name})).collect();
        let authorizations: Vec<_> = order
            .authorization_ids
            .iter()
            .map(|id| self.place.at(&format!("authz/{id}")))
            .collect();
        let state = match order.state.as_known() {
            Some(OrderState::Pending) => "pending",
            Some(OrderState::Ready) => "ready",
            Some(OrderState::Valid) => "valid",
            _ => "invalid",
        };
        let mut body = json!({
            "status": state,
            "expires": crypto::time_text(Micros::of(&order.expire_time))?,
            "identifiers": identifiers,
            "authorizations": authorizations,
            "finalize": format!("{address}/finalize"),
        });
        if !order.serial.is_empty() {
            body["certificate"] = self.place.at(&format!("cert/{}", order.serial)).into();
        }
        add_problem(&mut body, &order.problem)?;
        Ok(with(told(status, &body), "location", &address))
    }

    async fn find_authorization(&self, id: &str) -> Result<Authorization> {
        let find = FindAuthorizationRequest { account_id: self.account_id(), id: id.to_owned() };
        Ok(self.ctx.call(find).await?.authorization.into_option().unwrap_or_default())
    }

    async fn authorization(&self, id: &str) -> Result<HttpResponse> {
        if self.signed.payload.is_empty() {
            return self.authorization_told(&self.find_authorization(id).await?);
        }
        let asked: ChangedAuthorization = self.signed.says()?;
        if asked.status != "deactivated" {
            return Err(malformed(
                "an authorization can be told to be `deactivated`, and nothing else",
            ));
        }
        let end =
            DeactivateAuthorizationRequest { account_id: self.account_id(), id: id.to_owned() };
        let ended = self.ctx.call(end).await?.authorization;
        self.authorization_told(&ended)
    }

    fn authorization_told(&self, authorization: &Authorization) -> Result<HttpResponse> {
        let expire = Micros::of(&authorization.expire_time);
        let state = match authorization.state.as_known() {
            Some(AuthorizationState::Invalid) => "invalid",
            Some(AuthorizationState::Deactivated) => "deactivated",
            _ if expire <= self.ctx.now() => "expired",
            Some(AuthorizationState::Valid) => "valid",
            _ => "pending",
        };
        let body = json!({
            "identifier": {"type": "dns", "value": authorization.name},
            "status": state,
            "expires": crypto::time_text(expire)?,
            "challenges": [self.challenge_json(authorization)?],
        });
        Ok(told(200, &body))
    }

    /// Whoever sends a body says that the proof is there; whoever sends none wants to know what came of it.
    async fn challenge(&self, id: &str) -> Result<HttpResponse> {
        let authorization = match self.signed.payload.is_empty() {
            true => self.find_authorization(id).await?,
            false => {
                let _: serde_json::Map<String, Value> = self.signed.says()?;
                let begin =
                    BeginChallengeRequest { account_id: self.account_id(), id: id.to_owned() };
                self.ctx.call(begin).await?.authorization.into_option().unwrap_or_default()
            }
        };
        let up = format!("<{}>;rel=\"up\"", self.place.at(&format!("authz/{id}")));
        Ok(with(told(200, &self.challenge_json(&authorization)?), "link", &up))
    }

    fn challenge_json(&self, authorization: &Authorization) -> Result<Value> {
        let validated = authorization.validate_time.is_set();
        let state = match authorization.state.as_known() {
            Some(AuthorizationState::Pending) => "pending",
            Some(AuthorizationState::Processing) => "processing",
            Some(AuthorizationState::Valid) => "valid",
            Some(AuthorizationState::Deactivated) if validated => "valid",
            _ => "invalid",
        };
        let mut body = json!({
            "type": "http-01",
            "url": self.place.at(&format!("challenge/{}", authorization.id)),
            "token": authorization.token,
            "status": state,
        });
        if validated {
            body["validated"] = crypto::time_text(Micros::of(&authorization.validate_time))?.into();
        }
        add_problem(&mut body, &authorization.problem)?;
        Ok(body)
    }

    async fn certificate(&self, serial: &str) -> Result<HttpResponse> {
        let unknown =
            || Reason::UnknownPath.because("the account has no certificate of this number");
        let found =
            self.ctx.call(BatchGetCertificatesRequest { ids: vec![serial.to_owned()] }).await;
        let certificate = found?.certificates.pop().filter(|one| one.account_id == self.account.id);
        let certificate = certificate.ok_or_else(unknown)?;
        let bundle = GetBundleRequest { authority_id: certificate.authority_id.clone() };
        let roots = self.ctx.call(bundle).await?.roots;
        let root = roots.into_iter().find(|root| root.id == certificate.root_id);
        let chain = [certificate.certificate, root.unwrap_or_default().certificate].concat();
        Ok(with(answer(200, chain.into_bytes()), "content-type", CHAIN))
    }
}

fn add_problem(body: &mut Value, problem: &str) -> Result<()> {
    if !problem.is_empty() {
        body["error"] = serde_json::from_str(problem).map_err(Error::internal)?;
    }
    Ok(())
}
