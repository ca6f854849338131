//! An application that people signed in to: what it refreshes, and what it asks about.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};
use stoa_kit::{Error, Result};

use super::load::{Case, Random, Way};
use crate::setup::{Api, Secrets, text};
use crate::wire::Prefix;

/// Sign-ins whose tokens are refreshed: more than there are callers, so that each has one.
const SIGN_INS: usize = 128;
const FORM: &str = "application/x-www-form-urlencoded";
const BACK: &str = "https://bench.example/signed-in";
/// A verifier and its challenge (RFC 7636, App. B).
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// What the measurements need of the provider.
pub(crate) struct Application {
    /// What an application says that it is, as a form.
    client: String,
    access: String,
    /// Tokens that are nobody's: whoever refreshes takes one and puts its successor back.
    refresh: Arc<Mutex<VecDeque<String>>>,
}

impl Application {
    /// Makes an application known, and signs the administrator in to it.
    pub(crate) async fn prepare(admin: &mut Api, secrets: &Secrets) -> Result<Self> {
        for (name, value) in
            [("issuer", "\"https://bench.example\""), ("access_life_seconds", "86400")]
        {
            let set = json!({"service": "oidc", "name": name, "value": value});
            admin.call("system", "UpdateSetting", &set, None).await?;
        }
        let client = json!({
            "name": "bench", "redirect_uris": [BACK], "first_party": true,
            "id_token_algorithm": "SIGNING_ALGORITHM_ES256",
        });
        let made = admin.call("oidc", "CreateClient", &client, None).await?.body;
        let (id, secret) =
            (text(&made["client"]["id"]).to_owned(), text(&made["secret"]).to_owned());
        let client = format!("client_id={id}&client_secret={secret}");
        let cookie =
            format!("stoa_session={}", secrets.get("administrator_token").unwrap_or_default());
        let query = format!(
            "client_id={id}&redirect_uri={BACK}&response_type=code&scope=openid\
             &code_challenge={CHALLENGE}&code_challenge_method=S256"
        );
        let (mut refresh, mut access) = (VecDeque::new(), String::new());
        for _ in 0..SIGN_INS {
            let ask = json!({"http": {
                "method": "GET", "path": "/oauth2/authorize", "query": query,
                "headers": [{"name": "cookie", "value": cookie}],
            }});
            let reply = admin.call("oidc", "ServeOauth", &ask, None).await?.body;
            let code = code(&reply["http"]).ok_or_else(|| Error::internal("no code came"))?;
            let form = format!(
                "{client}&grant_type=authorization_code&code={code}&redirect_uri={BACK}\
                 &code_verifier={VERIFIER}"
            );
            let ask = json!({"http": {
                "method": "POST", "path": "/oauth2/token", "body": BASE64.encode(form),
                "headers": [{"name": "content-type", "value": FORM}],
            }});
            let reply = admin.call("oidc", "ServeOauth", &ask, None).await?.body;
            let body = BASE64.decode(text(&reply["http"]["body"])).map_err(Error::internal)?;
            let tokens: Value = serde_json::from_slice(&body).map_err(Error::internal)?;
            text(&tokens["access_token"]).clone_into(&mut access);
            refresh.push_back(text(&tokens["refresh_token"]).to_owned());
        }
        Ok(Self { client, access, refresh: Arc::new(Mutex::new(refresh)) })
    }

    /// Refreshes, each time with the token that came last: a rotation, and a signed ID token.
    pub(crate) fn refreshes(&self, token: &str) -> Case {
        let (client, pool) = (self.client.clone(), Arc::clone(&self.refresh));
        let take = move |_: &mut Random, out: &mut Vec<u8>| {
            let token = pool.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            out.extend_from_slice(client.as_bytes());
            out.extend_from_slice(b"&grant_type=refresh_token&refresh_token=");
            out.extend_from_slice(token.unwrap_or_default().as_bytes());
        };
        let pool = Arc::clone(&self.refresh);
        let put = move |answer: &[u8]| {
            let tokens: Value = serde_json::from_slice(answer).unwrap_or_default();
            let next = text(&tokens["refresh_token"]).to_owned();
            pool.lock().unwrap_or_else(PoisonError::into_inner).push_back(next);
        };
        Case {
            name: "refresh",
            callers: 64,
            way: Way::Post(Prefix::form("/oauth2/token", token)),
            keyed: false,
            body: Arc::new(take),
            told: Some(Arc::new(put)),
        }
    }

    /// Asks whether a token is good.
    pub(crate) fn introspections(&self, token: &str) -> Case {
        let form = format!("{}&token={}", self.client, self.access);
        let body = move |_: &mut Random, out: &mut Vec<u8>| out.extend_from_slice(form.as_bytes());
        Case {
            name: "introspect",
            callers: 64,
            way: Way::Post(Prefix::form("/oauth2/introspect", token)),
            keyed: false,
            body: Arc::new(body),
            told: None,
        }
    }
}

/// The code in the address that somebody is sent to.
fn code(http: &Value) -> Option<String> {
    let headers = http["headers"].as_array()?;
    let sent = headers.iter().find(|header| header["name"] == "location")?;
    let rest = text(&sent["value"]).split_once("code=")?.1;
    rest.split('&').next().map(str::to_owned)
}
