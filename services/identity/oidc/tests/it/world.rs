//! A provider that is open, people who are signed in, and applications; all that is asked comes by HTTP.

use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use stoa_auth_v1::{SetPasswordRequest, SignInRequest};
use stoa_oidc_v1::{Client, CreateClientRequest, SigningAlgorithm};
use stoa_testkit::Node;
use stoa_users_v1::CreateUserRequest;
use url::{Url, form_urlencoded};

pub(crate) const ISSUER: &str = "https://id.example";
pub(crate) const BACK: &str = "https://shop.example/signed-in";
pub(crate) const PASSWORD: &str = "correct horse battery";
/// RFC 7636, App. B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Says something of the provider.
pub(crate) async fn set(node: &Node, name: &str, value: Value) {
    let request = json!({"service": "oidc", "name": name, "value": value.to_string()});
    node.ask(&node.admin(), "UpdateSetting", request).await.unwrap();
}

/// Opens the provider.
pub(crate) async fn open(node: &Node) {
    set(node, "issuer", json!(ISSUER)).await;
}

/// Somebody with an account.
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) session_id: String,
    pub(crate) session: String,
}

pub(crate) async fn person(node: &Node, handle: &str) -> Person {
    let request = CreateUserRequest {
        handle: handle.into(),
        email: format!("{handle}@example.com"),
        ..CreateUserRequest::default()
    };
    let id = node.call(&node.admin(), request).await.unwrap().user.id.clone();
    let request = SetPasswordRequest { user_id: id.clone(), password: PASSWORD.into() };
    node.call(&node.admin(), request).await.unwrap();
    let (session_id, session) = sign_in(node, handle).await;
    Person { id, session_id, session }
}

/// Another session: its identifier and its token.
pub(crate) async fn sign_in(node: &Node, handle: &str) -> (String, String) {
    let request =
        SignInRequest { login: handle.into(), password: PASSWORD.into(), ..Default::default() };
    let reply = node.call(&node.nobody(), request).await.unwrap();
    (reply.session.id.clone(), reply.token)
}

/// What an application is, but for its secret.
pub(crate) fn shop() -> CreateClientRequest {
    CreateClientRequest {
        name: "Shop".into(),
        redirect_uris: vec![BACK.into()],
        id_token_algorithm: SigningAlgorithm::Es256.into(),
        ..CreateClientRequest::default()
    }
}

/// An application.
pub(crate) struct App {
    pub(crate) client: Client,
    pub(crate) secret: String,
}

pub(crate) async fn app(node: &Node, request: CreateClientRequest) -> App {
    let reply = node.call(&node.admin(), request).await.unwrap();
    App { client: reply.client.into_option().unwrap(), secret: reply.secret }
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{self:?}"))
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// That it says this error.
    #[track_caller]
    pub(crate) fn fails(self, error: &str) {
        assert!(self.status.is_client_error(), "{self:?}");
        assert_eq!(self.json()["error"], error, "{self:?}");
    }

    /// A parameter of the address that it sends a browser to.
    pub(crate) fn sent(&self, name: &str) -> String {
        assert_eq!(self.status, 303, "{self:?}");
        let address = Url::parse(ISSUER).unwrap().join(self.header("location")).unwrap();
        let found = address.query_pairs().find(|(known, _)| known == name);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    }

    /// A hidden field of its page.
    pub(crate) fn field(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let rest = self.text.split_once(&mark).unwrap_or_else(|| panic!("{self:?}")).1;
        rest.split('"').next().unwrap().replace("&amp;", "&")
    }

    /// Where its form is sent.
    pub(crate) fn action(&self) -> String {
        let rest = self.text.split_once("action=\"").unwrap_or_else(|| panic!("{self:?}")).1;
        rest.split('"').next().unwrap().replace("&amp;", "&")
    }
}

pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

pub(crate) async fn send(
    node: &Node, verb: &str, path: &str, headers: &[(&str, &str)], body: String,
) -> Answer {
    let mut request = Request::builder().method(verb).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "id.example");
    }
    if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/x-www-form-urlencoded");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (head, body) = node.http(request.body(body.into()).unwrap()).await.into_parts();
    let text = String::from_utf8(body.to_vec()).unwrap();
    Answer { status: head.status, headers: head.headers, text }
}

/// What a browser asks with a session.
pub(crate) async fn browse(node: &Node, session: &str, path: &str) -> Answer {
    send(node, "GET", path, &[("cookie", &format!("stoa_session={session}"))], String::new()).await
}

/// What a browser sends as a form, with a session.
pub(crate) async fn submit(
    node: &Node, session: &str, path: &str, fields: &[(&str, &str)],
) -> Answer {
    send(node, "POST", path, &[("cookie", &format!("stoa_session={session}"))], form(fields)).await
}

/// The address at which an application sends somebody here, with some parameters otherwise.
pub(crate) fn asking(app: &App, but: &[(&str, &str)]) -> String {
    let mut all = vec![
        ("client_id", &*app.client.id),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", "openid profile email"),
        ("state", "s t+a&te"),
        ("nonce", "n-0S6"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in but {
        all.retain(|(known, _)| known != name);
        if !value.is_empty() {
            all.push((name, value));
        }
    }
    format!("/oauth2/authorize?{}", form(&all))
}

/// Somebody signs in to an application, and says yes where they are asked: where they are sent.
pub(crate) async fn authorize(
    node: &Node, session: &str, app: &App, but: &[(&str, &str)],
) -> Answer {
    let answer = browse(node, session, &asking(app, but)).await;
    if answer.status != 200 {
        return answer;
    }
    let fields = [("page", &*answer.field("page")), ("decision", "allow")];
    submit(node, session, &answer.action(), &fields).await
}

/// A code of somebody's.
pub(crate) async fn code(node: &Node, session: &str, app: &App) -> String {
    let code = authorize(node, session, app, &[]).await.sent("code");
    assert!(code.starts_with("stoa_oc_"), "{code}");
    code
}

/// What an application asks of a path for programs.
pub(crate) async fn ask(node: &Node, app: &App, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut all = vec![("client_id", &*app.client.id)];
    if !app.secret.is_empty() {
        all.push(("client_secret", &*app.secret));
    }
    all.extend(fields);
    send(node, "POST", &format!("/oauth2/{path}"), &[], form(&all)).await
}

/// Tokens for a code.
pub(crate) async fn exchange(node: &Node, app: &App, code: &str) -> Answer {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    ask(node, app, "token", &fields).await
}

pub(crate) async fn refresh(node: &Node, app: &App, token: &str) -> Answer {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
    ask(node, app, "token", &fields).await
}

/// Tokens of somebody who signs in.
pub(crate) async fn tokens(node: &Node, session: &str, app: &App) -> Value {
    exchange(node, app, &code(node, session, app).await).await.ok()
}

/// Whether a token is good for anything.
pub(crate) async fn is_active(node: &Node, app: &App, token: &Value) -> bool {
    let token = token.as_str().unwrap();
    ask(node, app, "introspect", &[("token", token)]).await.ok()["active"] == true
}

/// The keys that are published.
pub(crate) async fn published(node: &Node) -> Vec<Value> {
    let answer = send(node, "GET", "/oauth2/jwks", &[], String::new()).await.ok();
    answer["keys"].as_array().unwrap().clone()
}

/// The claims of a token that one of the published keys signed.
pub(crate) async fn claims(node: &Node, token: &str) -> Value {
    verified(&published(node).await, token).unwrap()
}

/// The claims of a token that one of these keys signed, as its algorithm says; none if none did.
pub(crate) fn verified(keys: &[Value], token: &str) -> Option<Value> {
    let kid = jsonwebtoken::decode_header(token).ok()?.kid?;
    let key = keys.iter().find(|key| key["kid"] == *kid)?;
    let key: jsonwebtoken::jwk::Jwk = serde_json::from_value(key.clone()).ok()?;
    let algorithm = key.common.key_algorithm?.to_string().parse().ok()?;
    let mut rules = jsonwebtoken::Validation::new(algorithm);
    (rules.validate_exp, rules.validate_aud) = (false, false);
    let key = jsonwebtoken::DecodingKey::from_jwk(&key).ok()?;
    Some(jsonwebtoken::decode(token, &key, &rules).ok()?.claims)
}
