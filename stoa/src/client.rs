//! A client of a node's public API: JSON over HTTP/1.1, as any other client would speak it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use http::request::Builder;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use serde_json::Value;
use stoa_contract::{Code, Violation};
use stoa_kit::{Error, Result};

use crate::dial::{Origin, UNREACHABLE};

/// How long a call may take, unless something else is said. Every call says so: one that had all the
/// time in the world could still happen after a later attempt was refused, and to be refused would
/// mean nothing.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// The largest message of a stream, as large as a node takes one.
const MESSAGE_MAX: usize = 4 << 20;
/// How often a call is made that is safe to be made again.
pub(crate) const ATTEMPTS_MAX: u32 = 5;
/// The wait before the second attempt, doubled for each later one.
pub(crate) const BACKOFF: Duration = Duration::from_millis(100);

/// One connection to a node.
pub struct Client {
    origin: Origin,
    /// The file of those who speak for it over TLS; those whom this machine believes if absent.
    authorities: Option<PathBuf>,
    token: Option<String>,
    tenant: Option<String>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// A call of a method.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method's path, without the leading slash.
    pub path: String,
    /// The request, as JSON.
    pub body: Bytes,
    /// An idempotency key.
    pub key: Option<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// Whether it changes nothing, so that it can be made again whatever became of it.
    pub is_query: bool,
    /// Whether the command is undone once it has told what it would write.
    pub dry_run: bool,
}

/// A reply and what surrounds it.
#[derive(Debug)]
pub struct Reply {
    /// The message.
    pub body: Value,
    /// Where the commit stands, for a command.
    pub position: Option<String>,
    /// Whether it was remembered from an earlier call with the same key.
    pub replayed: bool,
    /// What would have been written, of a command that was undone.
    pub dry_run: Option<Value>,
}

impl Call {
    /// A call of the method at a path.
    pub fn new(path: impl Into<String>, body: impl Into<Bytes>) -> Self {
        let (path, body) = (path.into(), body.into());
        Self { path, body, key: None, timeout: TIMEOUT, is_query: false, dry_run: false }
    }

    /// The same, under an idempotency key.
    #[must_use]
    pub fn under(self, key: Option<&str>) -> Self {
        Self { key: key.map(str::to_owned), ..self }
    }
}

impl Client {
    /// A client of the node at a URL such as `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// `client.url` for what is no such URL.
    pub fn new(url: &str, token: Option<String>) -> Result<Self> {
        let origin = Origin::read(url)?;
        Ok(Self { origin, authorities: None, token, tenant: None, sender: None })
    }

    /// The same, which believes the authorities in a file.
    #[must_use]
    pub fn believing(self, authorities: Option<PathBuf>) -> Self {
        Self { authorities, ..self }
    }

    /// The same, for a tenant that the node's host does not mean.
    #[must_use]
    pub fn of_tenant(self, tenant: Option<String>) -> Self {
        Self { tenant, ..self }
    }

    /// Calls a method: the short name of a service, the method's name, the request as JSON.
    ///
    /// # Errors
    /// What the node answers, or `client.unreachable`.
    pub async fn call(
        &mut self, service: &str, method: &str, request: &Value, key: Option<&str>,
    ) -> Result<Reply> {
        let mut name = service.to_owned();
        if let Some(first) = name.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let path = format!("stoa.{service}.v1.{name}Service/{method}");
        let body = serde_json::to_vec(request).map_err(Error::internal)?;
        self.send(&Call::new(path, body).under(key)).await
    }

    /// Makes a call, once.
    ///
    /// # Errors
    /// What the node answers, `client.unreachable` where nothing was sent, or `client.lost`.
    pub async fn send(&mut self, call: &Call) -> Result<Reply> {
        let request = self.request(call)?;
        let outcome = self.exchange(request).await;
        if outcome.is_err() {
            self.sender = None;
        }
        heard(outcome?)
    }

    /// Makes a call until it has an answer, as often as that is safe and its time allows: where nothing
    /// was sent, where nothing is changed, or where a key keeps it from happening twice.
    ///
    /// # Errors
    /// What the node answers, `client.unreachable`, `client.lost`, or `client.timeout`.
    pub async fn insist(&mut self, call: &Call) -> Result<Reply> {
        let attempts = async {
            let (mut left, mut wait, started) = (ATTEMPTS_MAX, BACKOFF, now());
            loop {
                // What is left of the time is all that the node may take.
                let timeout = call.timeout.saturating_sub(started.elapsed());
                let outcome = self.send(&Call { timeout, ..call.clone() }).await;
                left -= 1;
                match outcome {
                    Err(error) if left > 0 && is_safe(call, &error) => pause(wait).await,
                    outcome => return outcome,
                }
                wait *= 2;
            }
        };
        match tokio::time::timeout(call.timeout, attempts).await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.sender = None;
                Err(late())
            }
        }
    }

    /// Makes a call whose replies come one by one.
    ///
    /// # Errors
    /// What the node answers, `client.unreachable`, or `client.lost`.
    pub async fn follow(&mut self, call: &Call) -> Result<Following> {
        const STREAM: HeaderValue = HeaderValue::from_static("application/connect+json");
        let length = u32::try_from(call.body.len()).map_err(Error::internal)?;
        let body = [&[0], &length.to_be_bytes()[..], &call.body].concat();
        let mut request = self.request(&Call { body: body.into(), ..call.clone() })?;
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, STREAM);
        // It lasts as long as somebody listens.
        headers.remove("connect-timeout-ms");
        let response = self.connected().await?.send_request(request).await.map_err(lost)?;
        let (head, body) = response.into_parts();
        if head.headers.get(header::CONTENT_TYPE) == Some(&STREAM) {
            return Ok(Following { body, came: BytesMut::new() });
        }
        let body = body.collect().await.map_err(lost)?.to_bytes();
        let said = heard(http::Response::from_parts(head, body));
        Err(said.err().unwrap_or_else(|| Error::internal("a reply came instead of a stream")))
    }

    /// What the node shows at a path that is no method; nothing where that is what an `ETag` names.
    ///
    /// # Errors
    /// What the node answers, `client.unreachable`, `client.lost`, or `client.timeout`.
    pub(crate) async fn fetch(
        &mut self, path: &str, etag: &str, timeout: Duration,
    ) -> Result<Option<Bytes>> {
        let request = self.addressed(Request::get(path)).header(header::IF_NONE_MATCH, etag);
        let request = request.body(Full::default()).map_err(Error::internal)?;
        let answer = tokio::time::timeout(timeout, self.exchange(request)).await;
        let (head, body) = answer.map_err(|_| late())??.into_parts();
        match head.status {
            StatusCode::OK => Ok(Some(body)),
            StatusCode::NOT_MODIFIED => Ok(None),
            status => Err(refusal(status, &serde_json::from_slice(&body).unwrap_or_default())),
        }
    }

    /// A call, as it is sent.
    ///
    /// # Errors
    /// Where a header of it cannot be sent.
    pub fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>> {
        let mut request = self
            .addressed(Request::post(format!("/{}", call.path)))
            .header(header::CONTENT_TYPE, "application/json")
            .header("connect-timeout-ms", call.timeout.as_millis().to_string());
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key);
        }
        if call.dry_run {
            request = request.header("stoa-dry-run", "true");
        }
        request.body(Full::new(call.body.clone())).map_err(Error::internal)
    }

    /// A request that says whom it is for, and who sends it.
    fn addressed(&self, request: Builder) -> Builder {
        let mut request = request.header(header::HOST, &self.origin.authority);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(tenant) = &self.tenant {
            request = request.header("stoa-tenant", tenant);
        }
        request
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>> {
        let response = self.connected().await?.send_request(request).await.map_err(lost)?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(lost)?.to_bytes();
        Ok(Response::from_parts(parts, body))
    }

    async fn connected(&mut self) -> Result<&mut SendRequest<Full<Bytes>>> {
        if self.sender.as_ref().is_none_or(SendRequest::is_closed) {
            self.sender = Some(self.origin.connect(self.authorities.as_deref()).await?);
        }
        self.sender.as_mut().ok_or_else(|| Error::internal("no connection"))
    }
}

/// Replies that come one by one.
pub struct Following {
    body: Incoming,
    came: BytesMut,
}

impl Following {
    /// The next one; none at the end.
    ///
    /// # Errors
    /// What the node ended it with, or `client.lost`.
    pub async fn next(&mut self) -> Result<Option<Value>> {
        loop {
            if let Some((is_last, message)) = message(&mut self.came)? {
                let message: Value = serde_json::from_slice(&message).map_err(Error::internal)?;
                return match (is_last, &message["error"]) {
                    (false, _) => Ok(Some(message)),
                    (true, Value::Null) => Ok(None),
                    (true, error) => Err(refusal(StatusCode::OK, error)),
                };
            }
            let frame = self.body.frame().await.ok_or_else(|| lost("the stream broke off"))?;
            if let Ok(data) = frame.map_err(lost)?.into_data() {
                self.came.extend_from_slice(&data);
            }
        }
    }
}

/// Whether a call that failed may be made again.
fn is_safe(call: &Call, error: &Error) -> bool {
    let nothing_sent = error.reason() == UNREACHABLE;
    let is_harmless = call.is_query || call.dry_run || call.key.is_some();
    error.code() == Code::Unavailable && (nothing_sent || is_harmless)
}

/// What a node answered.
///
/// # Errors
/// What it refused the call with.
pub fn heard(response: Response<Bytes>) -> Result<Reply> {
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        let body = serde_json::from_slice(&body).unwrap_or_default();
        return Err(refusal(head.status, &body));
    }
    let text = |name: &str| head.headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    Ok(Reply {
        body: serde_json::from_slice(&body).map_err(Error::internal)?,
        position: text("stoa-position"),
        replayed: text("idempotency-replayed").is_some(),
        dry_run: text("stoa-dry-run").and_then(|told| serde_json::from_str(&told).ok()),
    })
}

/// Takes a message of a stream off what came, once it is there as a whole; the last one says how the
/// stream ended.
fn message(came: &mut BytesMut) -> Result<Option<(bool, Bytes)>> {
    let Some((head, _)) = came.split_first_chunk::<5>() else { return Ok(None) };
    let [flags, length @ ..] = *head;
    let length = u32::from_be_bytes(length) as usize;
    if length > MESSAGE_MAX {
        return Err(lost("a message of the stream is too large"));
    }
    if came.len() < 5 + length {
        return Ok(None);
    }
    came.advance(5);
    Ok(Some((flags & 2 != 0, came.split_to(length).freeze())))
}

#[allow(clippy::disallowed_methods, reason = "a client outside the node waits on the real clock")]
pub(crate) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

#[allow(clippy::disallowed_methods, reason = "a client outside the node reads the real clock")]
fn now() -> Instant {
    Instant::now()
}

/// What was sent may have happened.
pub(crate) fn lost(error: impl std::fmt::Display) -> Error {
    Error::unavailable("client.lost", format!("the connection to the node was lost: {error}"))
}

fn late() -> Error {
    Error::new(Code::DeadlineExceeded, "client.timeout", "the time is over")
        .help("It may still have happened: ask again with the same key, and more time.")
}

/// An error as the node told it.
fn refusal(status: StatusCode, body: &Value) -> Error {
    let message = body["message"].as_str().unwrap_or("no message").to_owned();
    let wanted = body["code"].as_str().unwrap_or("unknown");
    let code = CODES.iter().find(|(name, _)| *name == wanted).map_or(Code::Unknown, |(_, c)| *c);
    let details = body["details"].as_array().cloned().unwrap_or_default();
    let find =
        |key: &str| details.iter().map(|detail| &detail["debug"][key]).find(|v| !v.is_null());
    let violations: Vec<Violation> = find("violations")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|violation| Violation {
            path: violation["path"].as_str().unwrap_or("").to_owned(),
            rule: violation["rule"].as_str().unwrap_or("").to_owned().into(),
            message: violation["message"].as_str().unwrap_or("").to_owned(),
        })
        .collect();
    if !violations.is_empty() {
        return Error::invalid(violations);
    }
    let reason = find("reason").and_then(Value::as_str).map(str::to_owned);
    let reason = reason.unwrap_or_else(|| format!("http.{}", status.as_u16()));
    let next = find("next").and_then(Value::as_str).unwrap_or("").to_owned();
    Error::new(code, reason, message).help(next)
}

const CODES: [(&str, Code); 16] = [
    ("canceled", Code::Canceled),
    ("unknown", Code::Unknown),
    ("invalid_argument", Code::InvalidArgument),
    ("deadline_exceeded", Code::DeadlineExceeded),
    ("not_found", Code::NotFound),
    ("already_exists", Code::AlreadyExists),
    ("permission_denied", Code::PermissionDenied),
    ("resource_exhausted", Code::ResourceExhausted),
    ("failed_precondition", Code::FailedPrecondition),
    ("aborted", Code::Aborted),
    ("out_of_range", Code::OutOfRange),
    ("unimplemented", Code::Unimplemented),
    ("internal", Code::Internal),
    ("unavailable", Code::Unavailable),
    ("data_loss", Code::DataLoss),
    ("unauthenticated", Code::Unauthenticated),
];
