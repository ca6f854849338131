//! Sessions of a browser: the token is in a cookie that no script can read.

use std::time::Duration;

use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use stoa_auth_v1::{
    FinishPasskeySignInRequest, RedeemRequest, Session, SignInRequest, SignOutRequest,
    VerifySecondFactorRequest,
};
use stoa_contract::{AnyMessage as _, Format, decode};
use stoa_kit::{Error, Micros, Request, Result};
use stoa_node::{Body, Content, Visit};

/// Opens a session for whoever sent what `auth.SignIn` asks for, or `auth.VerifySecondFactor`,
/// `auth.FinishPasskeySignIn`, or `auth.Redeem` of a link that signs in: told apart by a field that no other
/// of them has. Where a second factor is asked for, the page is told with what, and no cookie is set.
pub(crate) async fn open(visit: &Visit) -> Result<Response<Content>> {
    let fields: Fields = serde_json::from_slice(&visit.body).unwrap_or_default();
    let has = |name: &str| fields.contains_key(name);
    let (token, session, asked) = if has("ticket") {
        let reply = call::<VerifySecondFactorRequest>(visit).await?;
        (reply.token, reply.session, None)
    } else if has("passkey") {
        let reply = call::<FinishPasskeySignInRequest>(visit).await?;
        (reply.token, reply.session, None)
    } else if has("signIn") {
        let reply = call::<RedeemRequest>(visit).await?;
        (reply.token, reply.session, reply.second_factor.into_option())
    } else {
        let reply = call::<SignInRequest>(visit).await?;
        (reply.token, reply.session, reply.second_factor.into_option())
    };
    match asked {
        Some(asked) => said(asked.encode(Format::Json)?),
        None => opened(visit, &token, &session),
    }
}

type Fields = serde_json::Map<String, serde_json::Value>;

/// Calls the method whose request came.
async fn call<R: Request>(visit: &Visit) -> Result<R::Reply> {
    let request = decode::<R>(&visit.body, Format::Json)?;
    let Body::Message(reply) = visit.call(R::METHOD, Box::new(request)).await?.body else {
        return Err(Error::internal("a session came as a stream"));
    };
    let reply = reply.into_any().downcast().map_err(|_| Error::internal("no session came"))?;
    Ok(*reply)
}

fn opened(visit: &Visit, token: &str, session: &Session) -> Result<Response<Content>> {
    let (now, end) = (visit.node().world().now(), Micros::of(&session.expire_time));
    answer(&cookie(&visit.head, token, end.since(now)))
}

/// Ends the session that a browser came with.
pub(crate) async fn close(visit: &Visit) -> Result<Response<Content>> {
    visit.call(SignOutRequest::METHOD, Box::new(SignOutRequest::default())).await?;
    answer(&cookie(&visit.head, "", Duration::ZERO))
}

/// Says who is signed in; nobody is a state of a page, and no error.
pub(crate) fn look(visit: &Visit) -> Result<Response<Content>> {
    let caller = visit.caller();
    let subject = if caller.is_anonymous() { "" } else { &*caller.subject };
    let text = serde_json::to_vec(&serde_json::json!({"subject": subject}));
    said(text.map_err(Error::internal)?)
}

fn said(text: Vec<u8>) -> Result<Response<Content>> {
    let response = Response::builder()
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::CONTENT_TYPE, "application/json");
    response.body(Content::from(text)).map_err(Error::internal)
}

/// A browser sends it to this node only, and not along with what another site's page asks for. On its
/// way to another machine it is sent under TLS or not at all.
fn cookie(head: &Parts, token: &str, life: Duration) -> String {
    let secure = if is_at_home(head) { "" } else { "; Secure" };
    let seconds = life.as_secs();
    let name = stoa_node::cookie(head);
    format!("{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

/// Whether a browser reaches the node on its own machine.
fn is_at_home(head: &Parts) -> bool {
    stoa_node::authority(head).is_some_and(|authority| {
        let host = authority.host().trim_matches(['[', ']']);
        let address = host.parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    })
}

fn answer(cookie: &str) -> Result<Response<Content>> {
    let mut cookie = HeaderValue::try_from(cookie).map_err(Error::internal)?;
    cookie.set_sensitive(true);
    let response = Response::builder()
        .status(StatusCode::NO_CONTENT)
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::SET_COOKIE, cookie);
    response.body(Content::from("")).map_err(Error::internal)
}
