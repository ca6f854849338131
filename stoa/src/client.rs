//! A client of a node's public API: JSON over HTTP/1.1, as any other client would speak it.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use stoa_contract::{Code, Violation};
use stoa_kit::{Error, Result};
use tokio::net::TcpStream;

/// How long a call may take. Every call says so: one that had all the time in the world could still
/// happen after a later attempt was refused, and to be refused would mean nothing.
const DEADLINE: Duration = Duration::from_secs(60);

/// One connection to a node.
pub struct Client {
    authority: String,
    token: Option<String>,
    tenant: Option<String>,
    sender: Option<SendRequest<Full<Bytes>>>,
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
}

impl Client {
    /// A client of the node at a URL such as `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// `client.url` for anything else.
    pub fn new(url: &str, token: Option<String>) -> Result<Self> {
        let authority = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let authority = authority.filter(|rest| !rest.is_empty() && !rest.contains('/'));
        let authority = authority.ok_or_else(|| {
            Error::new(Code::InvalidArgument, "client.url", format!("`{url}` is not a node's URL"))
                .help("Write it as http://127.0.0.1:8080.")
        })?;
        let authority = authority.to_owned();
        Ok(Self { authority, token, tenant: None, sender: None })
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
        let path = format!("/stoa.{service}.v1.{name}Service/{method}");
        let body = serde_json::to_vec(request).map_err(Error::internal)?;
        self.send(&path, Bytes::from(body), key).await
    }

    /// Calls a method by its path, with a request that is JSON already.
    ///
    /// # Errors
    /// What the node answers, or `client.unreachable`.
    pub async fn send(&mut self, path: &str, body: Bytes, key: Option<&str>) -> Result<Reply> {
        let mut request = Request::post(path)
            .header(header::HOST, &self.authority)
            .header(header::CONTENT_TYPE, "application/json")
            .header("connect-timeout-ms", DEADLINE.as_millis().to_string());
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(tenant) = &self.tenant {
            request = request.header("stoa-tenant", tenant);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Full::new(body)).map_err(Error::internal)?;
        let outcome = self.exchange(request).await;
        if outcome.is_err() {
            self.sender = None;
        }
        let (status, headers, body) = outcome?;
        if status != StatusCode::OK {
            return Err(refusal(status, &body));
        }
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        Ok(Reply {
            body: serde_json::from_slice(&body).map_err(Error::internal)?,
            position: text("stoa-position"),
            replayed: text("idempotency-replayed").is_some(),
        })
    }

    async fn exchange(
        &mut self, request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, http::HeaderMap, Bytes)> {
        let sender = match &mut self.sender {
            Some(sender) => sender,
            None => self.sender.insert(connect(&self.authority).await?),
        };
        let response = sender.send_request(request).await.map_err(unreachable)?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(unreachable)?.to_bytes();
        Ok((parts.status, parts.headers, body))
    }
}

#[allow(clippy::disallowed_methods, reason = "a client's connection is driven in the background")]
async fn connect(authority: &str) -> Result<SendRequest<Full<Bytes>>> {
    let socket = TcpStream::connect(authority).await.map_err(unreachable)?;
    socket.set_nodelay(true).map_err(unreachable)?;
    let (sender, connection) = handshake(TokioIo::new(socket)).await.map_err(unreachable)?;
    // The connection ends when its sender is dropped.
    drop(tokio::spawn(connection));
    Ok(sender)
}

fn unreachable(error: impl std::fmt::Display) -> Error {
    Error::unavailable("client.unreachable", format!("the node does not answer: {error}"))
        .help("Is it running? Start one with `stoa up`.")
}

/// An error as the node told it.
fn refusal(status: StatusCode, body: &[u8]) -> Error {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
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
