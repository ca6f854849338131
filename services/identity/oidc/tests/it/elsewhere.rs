//! A provider that says whatever a test has it say, and a browser that goes there and comes back.

use http::Method;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use p256::pkcs8::EncodePrivateKey as _;
use serde_json::{Value, json};
use stoa_auth_v1::{IntrospectTokenRequest, IntrospectTokenResponse};
use stoa_kit::outbound::{Fetched, Outbound};
use stoa_oidc_v1::{CreateProviderRequest, Provider};
use stoa_testkit::{Node, answer};
use url::{Url, form_urlencoded};

use crate::world::*;

pub(crate) const ELSEWHERE: &str = "https://accounts.example";

/// A key that signs there.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) kid: &'static str,
    pub(crate) private: EncodingKey,
}

impl Key {
    pub(crate) fn new(kid: &'static str, seed: u8) -> Self {
        let private = p256::SecretKey::from_slice(&[seed; 32]).unwrap().to_pkcs8_der().unwrap();
        Self { kid, private: EncodingKey::from_ec_der(private.as_bytes()) }
    }

    pub(crate) fn public(&self) -> Value {
        let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&self.private, Algorithm::ES256);
        let mut jwk = serde_json::to_value(jwk.unwrap()).unwrap();
        jwk["kid"] = self.kid.into();
        jwk["use"] = "sig".into();
        jwk
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.kid.into()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &self.private).unwrap()
    }
}

/// What a provider says.
#[derive(Clone)]
pub(crate) struct Says {
    pub(crate) discovery: Value,
    pub(crate) keys: Vec<Value>,
    pub(crate) id_token: String,
    pub(crate) user_info: Value,
}

impl Says {
    pub(crate) fn new() -> Self {
        Self {
            discovery: json!({
                "issuer": ELSEWHERE,
                "authorization_endpoint": format!("{ELSEWHERE}/authorize?realm=main"),
                "token_endpoint": format!("{ELSEWHERE}/token"),
                "userinfo_endpoint": format!("{ELSEWHERE}/userinfo"),
                "jwks_uri": format!("{ELSEWHERE}/keys"),
            }),
            keys: vec![Key::new("k1", 7).public()],
            id_token: String::new(),
            user_info: json!({}),
        }
    }

    pub(crate) fn on(self, node: &Node) {
        node.web(move |asked| Ok(self.answer(asked)));
    }

    fn answer(&self, asked: &Outbound) -> Fetched {
        let body = match (asked.request.method(), asked.request.uri().path()) {
            (&Method::GET, "/.well-known/openid-configuration") => self.discovery.clone(),
            (&Method::GET, "/keys") => json!({"keys": self.keys}),
            (&Method::GET, "/userinfo") => self.user_info.clone(),
            (&Method::POST, "/token") => {
                json!({"access_token": "at-1", "token_type": "Bearer", "id_token": self.id_token})
            }
            _ => return answer(404, &[], ""),
        };
        answer(200, &[("content-type", "application/json")], body.to_string())
    }
}

/// The provider as an administrator makes it known.
pub(crate) fn elsewhere() -> CreateProviderRequest {
    CreateProviderRequest {
        display_name: "Elsewhere".into(),
        issuer: ELSEWHERE.into(),
        client_id: "stoa".into(),
        client_secret: "hush hush & hush".into(),
        trusts_email: true,
        creates_accounts: true,
        ..CreateProviderRequest::default()
    }
}

pub(crate) async fn provider(node: &Node, request: CreateProviderRequest) -> Provider {
    open(node).await;
    Says::new().on(node);
    node.call(&node.admin(), request).await.unwrap().provider.into_option().unwrap()
}

/// A browser that was sent there: what it was sent with, and its cookie.
#[derive(Debug, Clone)]
pub(crate) struct Away {
    pub(crate) provider_id: String,
    pub(crate) address: Url,
    pub(crate) cookie: String,
}

impl Away {
    pub(crate) fn said(&self, name: &str) -> String {
        let found = self.address.query_pairs().find(|(known, _)| known == name);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    }
}

pub(crate) fn set_cookies(answer: &Answer) -> Vec<String> {
    let all = answer.headers.get_all("set-cookie").iter();
    all.map(|value| value.to_str().unwrap().to_owned()).collect()
}

/// Where an answer sends a browser that goes away.
pub(crate) fn away(provider_id: &str, sent: &Answer) -> Away {
    assert_eq!(sent.status, 303, "{sent:?}");
    let cookie = set_cookies(sent).remove(0);
    assert!(cookie.contains("; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
    Away {
        provider_id: provider_id.to_owned(),
        address: Url::parse(sent.header("location")).unwrap(),
        cookie: cookie.split(';').next().unwrap().to_owned(),
    }
}

/// Somebody goes there to sign in.
pub(crate) async fn leave(node: &Node, provider: &Provider) -> Away {
    let path = format!("/oauth2/sign-in?provider={}", provider.id);
    away(&provider.id, &send(node, "GET", &path, &[], String::new()).await)
}

/// What a good token says of somebody, for whoever was sent with this.
pub(crate) fn about(node: &Node, away: &Away, subject: &str, email: &str) -> Value {
    let now = node.now().0 / 1_000_000;
    json!({
        "iss": ELSEWHERE, "aud": "stoa", "sub": subject, "nonce": away.said("nonce"),
        "iat": now, "exp": now + 300, "email": email, "email_verified": true,
        "name": "Ada Lovelace", "preferred_username": "ada.l",
    })
}

/// The provider says this of somebody, and nothing else is wrong.
pub(crate) fn says(node: &Node, claims: &Value) {
    let user_info = json!({"sub": claims["sub"]});
    Says { id_token: Key::new("k1", 7).sign(claims), user_info, ..Says::new() }.on(node);
}

/// The browser comes back, with these cookies.
pub(crate) async fn return_with(
    node: &Node, away: &Away, cookie: &str, more: &[(&str, &str)],
) -> Answer {
    let state = away.said("state");
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("state", &state).append_pair("code", "c-1").extend_pairs(more);
    let path = format!("/oauth2/callback/{}?{}", away.provider_id, query.finish());
    let headers = [("cookie", cookie), ("sec-fetch-site", "cross-site")];
    send(node, "GET", &path, &headers, String::new()).await
}

pub(crate) async fn come_back(node: &Node, away: &Away) -> Answer {
    return_with(node, away, &away.cookie, &[]).await
}

/// Somebody signs in with an account there.
pub(crate) async fn sign_in_as(
    node: &Node, provider: &Provider, subject: &str, email: &str,
) -> Answer {
    let away = leave(node, provider).await;
    says(node, &about(node, &away, subject, email));
    come_back(node, &away).await
}

/// The session that a browser has got; an empty text if it has none.
pub(crate) fn session(answer: &Answer) -> String {
    let ours = set_cookies(answer).into_iter().find_map(|cookie| {
        let rest = cookie.strip_prefix("stoa_session=")?.to_owned();
        assert!(rest.contains("; Path=/;") && rest.contains("; HttpOnly; SameSite=Strict; Secure"));
        Some(rest.split(';').next().unwrap().to_owned())
    });
    ours.unwrap_or_default()
}

/// Whose a session is.
pub(crate) async fn whose(node: &Node, token: &str) -> IntrospectTokenResponse {
    node.call(&node.admin(), IntrospectTokenRequest { token: token.into() }).await.unwrap()
}

/// That a browser was told that this cannot go on, for a reason of this status, and got no session.
#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16) {
    assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    assert!(answer.text.contains("This cannot go on"), "{answer:?}");
    assert_eq!(session(answer), "");
}
