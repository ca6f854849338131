//! The resources of ACME but for orders: the directory, nonces, accounts, and the end of certificates.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::Deserialize;
use serde_json::{Value, json};
use stoa_certs_v1::*;
use stoa_kit::v1::{HttpRequest, HttpResponse};
use stoa_kit::{Code, Ctx, Micros, Reason as _, Result};

use super::jws::{By, Key, Signed, malformed};
use super::orders;
use super::words::{answer, refuse, told, with};
use crate::{crypto, model};

const JOSE: &str = "application/jose+json";
/// Seconds after which to look again when a certificate is to be renewed.
const LOOK_AGAIN: &str = "21600";

/// An authority, as clients of ACME know it.
pub(super) struct Place<'a> {
    /// What all addresses of it begin with.
    base: String,
    authority_id: &'a str,
    /// What is asked for below it.
    path: Vec<&'a str>,
}

impl<'a> Place<'a> {
    async fn find(ctx: &Ctx, http: &'a HttpRequest) -> Result<Self> {
        let unknown = || Reason::UnknownPath.because("there is nothing of this name here");
        let mut path = http.path.strip_prefix("/acme/").ok_or_else(unknown)?.split('/');
        let authority_id =
            path.next().filter(|id| (1..=64).contains(&id.len())).ok_or_else(unknown)?;
        let found = ctx.call(GetAuthorityRequest { id: authority_id.to_owned() }).await;
        let authority = match found {
            Ok(found) => found.authority.into_option().unwrap_or_default(),
            Err(error) if error.code() == Code::NotFound => return Err(unknown()),
            Err(error) => return Err(error),
        };
        // Where nobody opened it, it looks as if it was not there.
        if !authority.acme_open {
            return Err(unknown());
        }
        let settings: Settings = ctx.settings().await?;
        let base = format!("{}/acme/{authority_id}", model::address(&settings)?);
        Ok(Self { base, authority_id, path: path.collect() })
    }

    pub(super) fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    fn link(&self) -> String {
        format!("<{}>;rel=\"index\"", self.at("directory"))
    }
}

/// Somebody who has an account.
pub(super) struct Visitor<'a> {
    pub(super) ctx: &'a Ctx,
    pub(super) place: &'a Place<'a>,
    pub(super) account: Account,
    pub(super) signed: Signed,
}

pub(super) async fn serve(ctx: &Ctx, http: &HttpRequest) -> HttpResponse {
    let outcome = async {
        let place = Place::find(ctx, http).await?;
        let said = route(ctx, &place, http).await.unwrap_or_else(|error| refuse(&error));
        if place.path == ["directory"] {
            return Ok(said);
        }
        // Whatever was asked, and however it ended, the next request has what it needs (RFC 8555, 6.5).
        let said = with(with(said, "link", &place.link()), "cache-control", "no-store");
        let nonce =
            ctx.call(MakeNonceRequest { chance: ctx.secret::<16>("nonce").to_vec() }).await?;
        Ok(with(said, "replay-nonce", &nonce.nonce))
    };
    outcome.await.unwrap_or_else(|error| refuse(&error))
}

async fn route(ctx: &Ctx, place: &Place<'_>, http: &HttpRequest) -> Result<HttpResponse> {
    let unknown =
        || Reason::UnknownPath.because("there is nothing of this name here, by this verb");
    match (&*http.method, &*place.path) {
        ("GET" | "HEAD", ["directory"]) => Ok(directory(place)),
        ("HEAD", ["new-nonce"]) => Ok(answer(200, Vec::new())),
        ("GET", ["new-nonce"]) => Ok(answer(204, Vec::new())),
        ("GET" | "HEAD", ["renewal-info", id]) => renewal(ctx, place, id).await,
        ("POST", [first, ..]) if !matches!(*first, "directory" | "new-nonce") => {
            post(ctx, place, http, &place.path).await
        }
        _ => Err(unknown()),
    }
}

fn directory(place: &Place<'_>) -> HttpResponse {
    told(
        200,
        &json!({
            "newNonce": place.at("new-nonce"),
            "newAccount": place.at("new-account"),
            "newOrder": place.at("new-order"),
            "revokeCert": place.at("revoke-cert"),
            "keyChange": place.at("key-change"),
            "renewalInfo": place.at("renewal-info"),
            "meta": {"externalAccountRequired": false},
        }),
    )
}

/// When to renew a certificate (RFC 9773, 4): in the last third of its life, and at once where it was revoked or
/// its root is trusted no more.
async fn renewal(ctx: &Ctx, place: &Place<'_>, id: &str) -> Result<HttpResponse> {
    let unknown = || Reason::UnknownPath.because("there is no such certificate");
    let serial = id.split_once('.').and_then(|(_, serial)| BASE64.decode(serial).ok());
    let serial = serial.filter(|serial| (1..=20).contains(&serial.len())).ok_or_else(unknown)?;
    let find = BatchGetCertificatesRequest { ids: vec![model::hex(&serial)] };
    let found = ctx.call(find).await?.certificates.pop();
    let found = found.filter(|one| one.authority_id == place.authority_id).ok_or_else(unknown)?;
    let bundle = GetBundleRequest { authority_id: found.authority_id.clone() };
    let roots = ctx.call(bundle).await?.roots;
    let good = !found.revoke_time.is_set() && roots.iter().any(|root| root.id == found.root_id);
    let from = Micros::of(&found.create_time);
    let life = Micros::of(&found.expire_time).since(from);
    // A time that is over says that there is nothing to wait for.
    let start = if good { from.after(life * 2 / 3) } else { from.before(life) };
    let (start, end) = (crypto::time_text(start)?, crypto::time_text(start.after(life / 12))?);
    let said = told(200, &json!({"suggestedWindow": {"start": start, "end": end}}));
    Ok(with(said, "retry-after", LOOK_AGAIN))
}

/// What is signed: by whom, and that it was not sent before, is looked at before anything is done.
async fn post(
    ctx: &Ctx, place: &Place<'_>, http: &HttpRequest, path: &[&str],
) -> Result<HttpResponse> {
    let kind = http.headers.iter().find(|header| header.name == "content-type");
    if kind.is_none_or(|header| header.value.split(';').next().unwrap_or_default().trim() != JOSE) {
        return Err(malformed("the body has to be of the type `application/jose+json`"));
    }
    let signed = Signed::read(&http.body)?;
    if signed.url != place.at(&path.join("/")) {
        return Err(Reason::Unauthorized.because("it was signed for another address"));
    }
    let nonce = signed.nonce.clone();
    let nonce = nonce.ok_or_else(|| Reason::BadNonce.because("there is no nonce"))?;
    let find =
        FindAccountRequest { authority_id: place.authority_id.to_owned(), ..Default::default() };
    let account = match &signed.by {
        By::Key(key) => {
            signed.check(key)?;
            let find = FindAccountRequest { thumbprint: key.thumbprint.clone(), ..find };
            ctx.call(find).await?.account.into_option()
        }
        By::Account(kid) => {
            let none =
                || Reason::AccountDoesNotExist.because("there is no account of this address");
            let id = kid.strip_prefix(&place.at("account/")).ok_or_else(none)?;
            let id = Some(id).filter(|id| (1..=64).contains(&id.len())).ok_or_else(none)?;
            let found = ctx.call(FindAccountRequest { id: id.to_owned(), ..find }).await?;
            let account = found.account.into_option().ok_or_else(none)?;
            signed.check(&Key::kept(&account.public_jwk)?)?;
            Some(account)
        }
    };
    ctx.call(SpendNonceRequest { nonce }).await?;
    if account.as_ref().is_some_and(|account| account.state != AccountState::Valid) {
        return Err(Reason::Unauthorized.because("the account was deactivated"));
    }
    match (&signed.by, account, path) {
        (By::Key(key), account, ["new-account"]) => {
            new_account(ctx, place, key, account, &signed).await
        }
        (By::Key(_), _, ["revoke-cert"]) => revoke(ctx, place, String::new(), &signed).await,
        (By::Account(_), Some(account), ["revoke-cert"]) => {
            revoke(ctx, place, account.id, &signed).await
        }
        (By::Account(_), Some(account), _) => {
            let visitor = Visitor { ctx, place, account, signed };
            match path {
                ["account", id] => visitor.account(id).await,
                ["account", id, "orders"] => visitor.list_orders(id).await,
                ["key-change"] => visitor.change_key().await,
                _ => orders::route(&visitor, path).await,
            }
        }
        _ => Err(malformed("this is signed by an account, which `kid` names")),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewAccount {
    #[serde(default)]
    only_return_existing: bool,
    #[serde(default)]
    contact: Vec<String>,
}

/// Whom to write to is looked at and not kept: nobody is written to.
fn check_contact(contact: &[String]) -> Result<()> {
    match contact
        .iter()
        .all(|one| one.starts_with("mailto:") && one.len() <= 320 && !one.contains(['?', ',']))
    {
        true => Ok(()),
        false => Err(Reason::UnsupportedContact.because("a contact is no single address of mail")),
    }
}

async fn new_account(
    ctx: &Ctx, place: &Place<'_>, key: &Key, known: Option<Account>, signed: &Signed,
) -> Result<HttpResponse> {
    let asked: NewAccount = signed.says()?;
    check_contact(&asked.contact)?;
    if asked.only_return_existing && known.is_none() {
        return Err(Reason::AccountDoesNotExist.because("no account has this key"));
    }
    let account = Account {
        authority_id: place.authority_id.to_owned(),
        thumbprint: key.thumbprint.clone(),
        public_jwk: key.to_json()?,
        ..Account::default()
    };
    let stored = ctx.call(StoreAccountRequest { account: account.into() }).await?;
    let status = if stored.created { 201 } else { 200 };
    Ok(account_told(place, status, &stored.account))
}

fn account_told(place: &Place<'_>, status: i32, account: &Account) -> HttpResponse {
    let address = place.at(&format!("account/{}", account.id));
    let state = if account.state == AccountState::Valid { "valid" } else { "deactivated" };
    let said = told(status, &json!({"status": state, "orders": format!("{address}/orders")}));
    with(said, "location", &address)
}

#[derive(Deserialize)]
struct ChangedAccount {
    #[serde(default)]
    status: String,
    #[serde(default)]
    contact: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChangedKey {
    account: String,
    old_key: Value,
}

impl Visitor<'_> {
    /// Refuses what is another account's.
    fn own(&self, id: &str) -> Result<()> {
        match self.account.id == id {
            true => Ok(()),
            false => Err(Reason::Unauthorized.because("this is another account's")),
        }
    }

    async fn account(&self, id: &str) -> Result<HttpResponse> {
        self.own(id)?;
        if self.signed.payload.is_empty() {
            return Ok(account_told(self.place, 200, &self.account));
        }
        let asked: ChangedAccount = self.signed.says()?;
        check_contact(&asked.contact)?;
        match &*asked.status {
            "" | "valid" => Ok(account_told(self.place, 200, &self.account)),
            "deactivated" => {
                let change = ChangeAccountRequest {
                    id: id.to_owned(),
                    deactivate: true,
                    ..Default::default()
                };
                let changed = self.ctx.call(change).await?;
                Ok(account_told(self.place, 200, &changed.account))
            }
            _ => Err(malformed("an account can be told to be `deactivated`, and nothing else")),
        }
    }

    async fn list_orders(&self, id: &str) -> Result<HttpResponse> {
        self.own(id)?;
        let find = FindOrdersRequest { account_id: id.to_owned(), id: String::new() };
        let orders = self.ctx.call(find).await?.orders;
        let all: Vec<_> =
            orders.iter().map(|order| self.place.at(&format!("order/{}", order.id))).collect();
        Ok(told(200, &json!({"orders": all})))
    }

    /// Another key for the account, which signs inside what the old one signed (RFC 8555, 7.3.5).
    async fn change_key(&self) -> Result<HttpResponse> {
        let inner = Signed::read(&self.signed.payload)?;
        let By::Key(key) = &inner.by else {
            return Err(malformed("the new key has to come along, as `jwk`"));
        };
        inner.check(key)?;
        if inner.url != self.signed.url || inner.nonce.is_some() {
            return Err(malformed("what is within has to have the same `url`, and no nonce"));
        }
        let asked: ChangedKey = inner.says()?;
        let account = self.place.at(&format!("account/{}", self.account.id));
        if asked.account != account
            || Key::read(&asked.old_key)?.thumbprint != self.account.thumbprint
        {
            return Err(malformed("what is within names another account, or another old key"));
        }
        let change = ChangeAccountRequest {
            id: self.account.id.clone(),
            thumbprint: key.thumbprint.clone(),
            public_jwk: key.to_json()?,
            ..ChangeAccountRequest::default()
        };
        let changed = self.ctx.call(change).await?;
        Ok(account_told(self.place, 200, &changed.account))
    }
}

#[derive(Deserialize)]
struct Revocation {
    certificate: String,
    #[serde(default)]
    reason: i64,
}

/// Ends a certificate, for an account or, where that is empty, for whoever has its key (RFC 8555, 7.6).
async fn revoke(
    ctx: &Ctx, place: &Place<'_>, account_id: String, signed: &Signed,
) -> Result<HttpResponse> {
    let asked: Revocation = signed.says()?;
    let reason = model::revocation_reason(asked.reason)?;
    let certificate = BASE64.decode(&asked.certificate).ok();
    let certificate = certificate.and_then(|der| crypto::read_der(&der));
    let certificate = certificate.ok_or_else(|| malformed("`certificate` is none"))?;
    if account_id.is_empty() && !signed.is_by(&certificate) {
        return Err(Reason::Unauthorized.because("the key is not that of the certificate"));
    }
    let revoke = RevokeForAcmeRequest {
        authority_id: place.authority_id.to_owned(),
        certificate: crypto::pem(&certificate)?,
        account_id,
        reason: reason.into(),
    };
    ctx.call(revoke).await?;
    Ok(answer(200, Vec::new()))
}
