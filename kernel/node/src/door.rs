//! The door: what a request has to be before anybody looks at what it says.
//!
//! It asks for a method that is there, in an encoding that is spoken, is of bounded size, and all
//! of it comes in time. connectrpc refuses most of the rest as well, but gives no reason that a
//! program can rely on, and waits for a body for ever. `docs/spec/requests.md` lists the reasons.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use connectrpc::{
    Chain, ConnectError, ConnectRpcBody, ConnectRpcService, Dispatcher, Limits, MethodDescriptor,
    MethodKind, Protocol, Router,
};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use stoa_contract::{Code, Error};
use stoa_kit::World;
use tower::Service as _;

use crate::call::unknown;
use crate::rpc::{Table, translate};

/// The largest request.
const REQUEST_MAX: usize = 4 << 20;
/// How much is read of a request that is too large: a client that reads its answer only once it
/// has sent everything would otherwise find a connection that was reset, and no answer.
const DISCARD_MAX: usize = 64 << 20;
/// What is spoken here, for those who spoke otherwise.
const SPOKEN: &str = "application/json, application/proto, application/connect+json, \
     application/connect+proto, application/grpc, application/grpc-web";
/// Where each protocol says that a message is compressed.
const COMPRESSED: [&str; 3] = ["content-encoding", "connect-content-encoding", "grpc-encoding"];

/// Every method that can be called: those of the contracts, and those of RPC itself.
pub(crate) type Methods = Chain<Table, Router>;

/// Where calls come in.
#[derive(Clone)]
pub(crate) struct Door {
    methods: Arc<Methods>,
    rpc: ConnectRpcService<Methods>,
    world: Arc<dyn World>,
    receive_max: Duration,
}

impl Door {
    /// A door to some methods; `receive_max` is how long a request's body may take.
    pub(crate) fn new(methods: Methods, world: &Arc<dyn World>, receive_max: Duration) -> Self {
        let methods = Arc::new(methods);
        let limits = Limits::default()
            .with_max_request_body_size(REQUEST_MAX)
            .with_max_message_size(REQUEST_MAX);
        let rpc = ConnectRpcService::from_arc(Arc::clone(&methods)).with_limits(limits);
        Self { methods, rpc, world: Arc::clone(world), receive_max }
    }

    /// Answers a request.
    pub(crate) async fn call(&mut self, request: Request<Incoming>) -> Response<ConnectRpcBody> {
        let (head, body) = request.into_parts();
        let method = self.methods.lookup(path(&head));
        if method.is_some_and(|method| method.kind == MethodKind::BidiStreaming) {
            // A conversation is not there as a whole before it begins.
            return infallible(self.rpc.call(Request::from_parts(head, body)).await);
        }
        let verdict = check(&head, method);
        let awaited = head.headers.contains_key(header::EXPECT);
        let admitted = match self.receive(body, awaited).await {
            Ok(body) => verdict.map(|()| body),
            Err(error) => Err(verdict.err().unwrap_or(error)),
        };
        match admitted {
            Ok(body) => infallible(self.rpc.call(Request::from_parts(head, Full::new(body))).await),
            Err(refusal) => refusal.into_http_response(&head.headers),
        }
    }

    /// Takes the whole body in. `awaited` says that the client sends it only when asked to.
    async fn receive(&self, mut body: Incoming, awaited: bool) -> Result<Bytes, ConnectError> {
        if awaited && body.size_hint().lower() > REQUEST_MAX as u64 {
            return Err(too_large());
        }
        let whole = async {
            match Limited::new(&mut body, REQUEST_MAX).collect().await {
                Ok(whole) => Ok(whole.to_bytes()),
                Err(error) if error.is::<LengthLimitError>() => {
                    discard(&mut body).await;
                    Err(too_large())
                }
                Err(_) => Err(truncated()),
            }
        };
        tokio::select! {
            biased;
            whole = whole => whole,
            () = self.world.sleep(self.receive_max) => Err(too_slow()),
        }
    }
}

fn infallible<T>(result: Result<T, std::convert::Infallible>) -> T {
    match result {
        Ok(value) => value,
        Err(never) => match never {},
    }
}

fn path(head: &Parts) -> &str {
    let path = head.uri.path();
    path.strip_prefix('/').unwrap_or(path)
}

/// What can be said against a request by its head alone.
fn check(head: &Parts, method: Option<MethodDescriptor>) -> Result<(), ConnectError> {
    let Some(method) = method else {
        return Err(refuse(&unknown(head.uri.path()), StatusCode::NOT_FOUND));
    };
    let streams = method.kind != MethodKind::Unary;
    let gets = method.idempotent && !streams;
    if gets && head.method == Method::GET {
        return asked(head.uri.query().unwrap_or(""));
    }
    if head.method != Method::POST {
        return Err(wrong_method(&head.method, if gets { "GET, POST" } else { "POST" }));
    }
    let spoken = Protocol::detect(&head.headers).is_some_and(|spoken| {
        !spoken.is_text_mode
            && (spoken.protocol != Protocol::Connect || spoken.is_streaming == streams)
    });
    if !spoken {
        return Err(wrong_content_type(streams));
    }
    let plain = |name: &&str| head.headers.get(*name).is_none_or(|value| value == "identity");
    if !COMPRESSED.iter().all(plain) {
        return Err(compressed());
    }
    Ok(())
}

/// A GET carries its message in its query.
fn asked(query: &str) -> Result<(), ConnectError> {
    if query.split('&').any(|part| matches!(part, "encoding=json" | "encoding=proto")) {
        return Ok(());
    }
    let error = Error::new(
        Code::InvalidArgument,
        "request.query",
        "a GET carries its message in the query, and says how it is encoded",
    );
    let error = error.help("Add `?encoding=json&message=%7B%7D`, or send a POST.");
    Err(refuse(&error, StatusCode::BAD_REQUEST))
}

/// Reads on, up to a bound, what nobody wants.
async fn discard(body: &mut Incoming) {
    let mut left = DISCARD_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(less) => left = less,
            None => return,
        }
    }
}

fn too_large() -> ConnectError {
    let message = format!("a request has {REQUEST_MAX} bytes at the most");
    let error = Error::new(Code::ResourceExhausted, "request.too_large", message)
        .help("Send less at once.");
    refuse(&error, StatusCode::PAYLOAD_TOO_LARGE)
}

fn too_slow() -> ConnectError {
    let error = Error::new(
        Code::DeadlineExceeded,
        "request.too_slow",
        "the rest of the request did not come in time",
    );
    refuse(&error.help("Nothing happened; send it again."), StatusCode::REQUEST_TIMEOUT)
}

fn truncated() -> ConnectError {
    let error = Error::new(Code::Canceled, "request.truncated", "the request broke off");
    refuse(&error.help("Nothing happened; send it again."), StatusCode::BAD_REQUEST)
}

fn wrong_method(method: &Method, allowed: &'static str) -> ConnectError {
    let message = format!("this is not called by {method}");
    let error = Error::new(Code::Unimplemented, "request.method", message)
        .help(format!("Send one of: {allowed}."));
    let mut refusal = refuse(&error, StatusCode::METHOD_NOT_ALLOWED);
    refusal.response_headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    refusal
}

fn wrong_content_type(streams: bool) -> ConnectError {
    let wanted = if streams { "application/connect+json" } else { "application/json" };
    let error = Error::new(
        Code::Unimplemented,
        "request.content_type",
        "the content type is none that this method speaks",
    );
    let error = error.help(format!("Send JSON as `Content-Type: {wanted}`."));
    let mut refusal = refuse(&error, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    refusal.response_headers_mut().insert("accept-post", HeaderValue::from_static(SPOKEN));
    refusal
}

fn compressed() -> ConnectError {
    let error = Error::new(
        Code::Unimplemented,
        "request.compressed",
        "compressed requests are not accepted",
    );
    let error = error.help("Send the request as it is, without a content encoding.");
    refuse(&error, StatusCode::UNSUPPORTED_MEDIA_TYPE)
}

fn refuse(error: &Error, status: StatusCode) -> ConnectError {
    translate(error).with_http_status(status)
}
