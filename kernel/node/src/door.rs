//! The door: what a request has to be before anybody looks at what it says.
//!
//! Its head tells what it asks for, in which encoding, and who sends it, and that is all it takes
//! to refuse most of what should not come in: a call of a method that is there, spoken as it is
//! spoken here, by somebody who may and does not come too often. Only then is its body taken, of
//! bounded size, in bounded time, out of a budget of bytes that all requests share.
//! `docs/spec/requests.md` lists the reasons.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use connectrpc::{
    Chain, ConnectError, ConnectRpcService, Dispatcher, Limits, MethodDescriptor, MethodKind,
    Protocol, Router,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use stoa_contract::{Code, Error, Permission};
use stoa_kit::{Caller, Request as _, Result, network_of};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Node;
use crate::auth::Visitor;
use crate::browser;
use crate::budget::{Budget, Held, crowded};
use crate::call::{authorize, unknown};
use crate::contract::ListServicesRequest;
use crate::outgoing::{Outgoing, Wire};
use crate::rpc::{Table, header, late, refuse as told, translate};
use crate::whence::Proxies;

/// The largest request, of a caller and of a stranger.
const REQUEST_MAX: usize = 4 << 20;
const STRANGERS_REQUEST_MAX: usize = 64 << 10;
/// Bytes of requests that are on their way or being worked on, of all and of strangers.
const INCOMING: (usize, usize) = (64 << 20, 8 << 20);
/// Bytes of replies that are not sent yet, of all and of strangers.
const OUTGOING: (usize, usize) = (128 << 20, 32 << 20);
/// How much is read of a request that is refused: a client that reads its answer only once it has
/// sent everything would otherwise find a connection that was reset, and no answer.
const DISCARD_MAX: usize = 64 << 20;
/// What is spoken here, for those who spoke otherwise.
const SPOKEN: &str = "application/json, application/proto, application/connect+json, \
     application/connect+proto, application/grpc, application/grpc-web, \
     application/grpc-web-text";
/// Where each protocol says that a message is compressed.
const COMPRESSED: [&str; 3] = ["content-encoding", "connect-content-encoding", "grpc-encoding"];

/// Every method that can be called: those of the contracts, and those of RPC itself.
pub(crate) type Methods = Chain<Table, Router>;

/// Where calls come in.
#[derive(Clone)]
pub(crate) struct Door {
    node: Arc<Node>,
    methods: Arc<Methods>,
    rpc: ConnectRpcService<Methods>,
    proxies: Arc<Proxies>,
    receive_max: Duration,
    incoming: Arc<Budget>,
    outgoing: Arc<Budget>,
}

/// One end of a connection that requests come in by.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) peer: SocketAddr,
    pub(crate) wire: Arc<Wire>,
}

/// Whoever was let in, as the rest of the call sees them.
#[derive(Clone)]
pub(crate) struct Guest {
    pub(crate) caller: Caller,
    pub(crate) visitor: Visitor,
}

impl Door {
    /// A door to some methods; `receive_max` is how long a request's body may take.
    pub(crate) fn new(
        node: &Arc<Node>, methods: Methods, proxies: Proxies, receive_max: Duration,
    ) -> Self {
        let methods = Arc::new(methods);
        let limits = Limits::default()
            .with_max_request_body_size(REQUEST_MAX)
            .with_max_message_size(REQUEST_MAX);
        Self {
            node: Arc::clone(node),
            rpc: ConnectRpcService::from_arc(Arc::clone(&methods)).with_limits(limits),
            methods,
            proxies: Arc::new(proxies),
            receive_max,
            incoming: Budget::new(INCOMING.0, INCOMING.1),
            outgoing: Budget::new(OUTGOING.0, OUTGOING.1),
        }
    }

    /// Answers a request.
    pub(crate) async fn call(
        &mut self, request: Request<Incoming>, line: &Line,
    ) -> Response<Outgoing> {
        let (mut head, body) = request.into_parts();
        let text = browser::is_text(&mut head);
        let headers = head.headers.clone();
        let answer = match self.answer(head, body, line, text).await {
            Ok(answer) => answer,
            Err(refusal) => refusal
                .into_http_response(&headers)
                .map(|body| Outgoing::plain(body, text, &line.wire)),
        };
        if text { as_text(answer) } else { answer }
    }

    async fn answer(
        &mut self, mut head: Parts, mut body: Incoming, line: &Line, text: bool,
    ) -> Result<Response<Outgoing>, ConnectError> {
        let awaited = head.headers.contains_key(header::EXPECT);
        let method = self.methods.lookup(path(&head));
        let entered = match check(&head, method) {
            Ok(()) => self.enter(&head, line).await,
            Err(refusal) => Err(refusal),
        };
        let guest = match entered {
            Ok(guest) => guest,
            Err(refusal) => return Err(self.discard(&mut body, awaited, refusal).await),
        };
        let (caller, network) = (&guest.caller, &guest.visitor.network);
        let (mut held, unsent) =
            (self.incoming.open(caller, network), self.outgoing.open(caller, network));
        head.extensions.insert(guest.clone());
        let kind = method.map(|method| method.kind);
        if kind == Some(MethodKind::BidiStreaming) {
            // A conversation is not there as a whole before it begins.
            let request = Request::from_parts(head, body);
            let response = infallible(tower::Service::call(&mut self.rpc, request).await);
            return Ok(response.map(|body| Outgoing::plain(body, text, &line.wire)));
        }
        let most = if caller.is_anonymous() { STRANGERS_REQUEST_MAX } else { REQUEST_MAX };
        let whole = match self.receive(&mut body, &mut held, most).await {
            Ok(whole) => whole,
            Err(refusal) => {
                // What was refused is not kept, and leaves its room to what is still coming:
                // otherwise requests that come at the same pace refuse one another, all of them.
                drop(held);
                return Err(self.discard(&mut body, awaited, refusal).await);
            }
        };
        let whole = if text { browser::decode(&whole).ok_or_else(not_text)?.into() } else { whole };
        let is_query = method.is_some_and(|method| method.idempotent);
        let query = if is_query { Some(self.turn(&line.wire.queries).await?) } else { None };
        let request = Request::from_parts(head, Full::new(whole));
        let (answer, body) =
            infallible(tower::Service::call(&mut self.rpc, request).await).into_parts();
        // What was asked is not kept any longer than what it came to.
        drop(held);
        let body = Outgoing::reply(body, text, &line.wire, unsent, query);
        Ok(Response::from_parts(answer, body.map_err(|error| translate(&error))?))
    }

    /// Lets in whoever sends a request, by its head.
    async fn enter(&self, head: &Parts, line: &Line) -> Result<Guest, ConnectError> {
        let entering = async {
            let visitor = self.visitor(head, line)?;
            let bound = self.node.registry().method(path(head)).map(|bound| bound.method);
            let public = match bound {
                Some(method) => method.permission == Permission::Public,
                None => self.is_open(head, line),
            };
            let caller = self.node.identify(&visitor, public).await?;
            match bound {
                Some(method) => authorize(method, &caller)?,
                None if public => {}
                // The catalogue, by reflection or by its own method, is one thing.
                None => authorize(ListServicesRequest::METHOD, &caller)?,
            }
            self.outgoing.open(&caller, &visitor.network).take(0)?;
            Ok(Guest { caller, visitor })
        };
        let entered = tokio::select! {
            biased;
            entered = entering => entered,
            late = late(&self.node, deadline(&head.headers)) => Err(late),
        };
        entered.map_err(|error| told(&error, head.uri.path(), &head.headers))
    }

    /// Who sends a request, as far as its head tells.
    pub(crate) fn visitor(&self, head: &Parts, line: &Line) -> Result<Visitor> {
        let authorization = header(&head.headers, "authorization")?.map(Arc::from);
        let client = self.proxies.client(line.peer.ip(), &head.headers);
        Ok(Visitor { authorization, network: network_of(client) })
    }

    /// Whether a request comes from this machine, and from nobody behind it.
    pub(crate) fn is_local(&self, head: &Parts, line: &Line) -> bool {
        self.proxies.is_local(line.peer.ip(), &head.headers)
    }

    /// Whether a method of RPC itself is open to everybody: health is, the catalogue at home.
    fn is_open(&self, head: &Parts, line: &Line) -> bool {
        path(head).starts_with("grpc.health.") || self.is_local(head, line)
    }

    /// Takes the whole body in.
    async fn receive(
        &self, body: &mut Incoming, held: &mut Held, most: usize,
    ) -> Result<Bytes, ConnectError> {
        if body.size_hint().lower() > most as u64 {
            return Err(too_large(most));
        }
        let whole = async {
            let mut whole = Vec::new();
            while let Some(frame) = body.frame().await {
                let Ok(data) = frame.map_err(|_| truncated())?.into_data() else { continue };
                if whole.len() + data.len() > most {
                    return Err(too_large(most));
                }
                held.take(data.len()).map_err(|error| translate(&error))?;
                if whole.is_empty() && body.is_end_stream() {
                    return Ok(data);
                }
                // A copy, for a piece of few bytes may keep a buffer of many.
                whole.extend_from_slice(&data);
            }
            Ok(whole.into())
        };
        tokio::select! {
            biased;
            whole = whole => whole,
            () = self.node.world().sleep(self.receive_max) => Err(too_slow()),
        }
    }

    /// Reads on, up to a bound, what nobody wants, unless it is sent only when asked for.
    async fn discard(
        &self, body: &mut Incoming, awaited: bool, refusal: ConnectError,
    ) -> ConnectError {
        if awaited {
            return refusal;
        }
        let rest = async {
            let mut left = DISCARD_MAX;
            while let Some(Ok(frame)) = body.frame().await {
                let length = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(length) {
                    Some(less) => left = less,
                    None => return,
                }
            }
        };
        tokio::select! {
            biased;
            () = rest => {}
            () = self.node.world().sleep(self.receive_max) => {}
        }
        refusal
    }

    /// Waits until a connection has read enough of what it asked for before.
    async fn turn(&self, queries: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ConnectError> {
        if let Ok(permit) = Arc::clone(queries).try_acquire_owned() {
            return Ok(permit);
        }
        tokio::select! {
            biased;
            Ok(permit) = Arc::clone(queries).acquire_owned() => Ok(permit),
            () = self.node.world().sleep(self.receive_max) => Err(translate(&crowded())),
        }
    }
}

/// An answer to whoever speaks text.
fn as_text(mut answer: Response<Outgoing>) -> Response<Outgoing> {
    answer.headers_mut().insert(header::CONTENT_TYPE, browser::TEXT_ANSWER);
    answer
}

/// How long the caller waits for an answer, by Connect's header or by gRPC's.
fn deadline(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(millis) = text("connect-timeout-ms") {
        return millis.parse::<u32>().ok().map(|millis| Duration::from_millis(millis.into()));
    }
    let value = text("grpc-timeout")?;
    let (count, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let nanos = match unit {
        "H" => 3_600_000_000_000,
        "M" => 60_000_000_000,
        "S" => 1_000_000_000,
        "m" => 1_000_000,
        "u" => 1_000,
        "n" => 1,
        _ => return None,
    };
    Some(Duration::from_nanos(count.parse::<u64>().ok()?.saturating_mul(nanos)))
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
        spoken.protocol != Protocol::Connect || spoken.is_streaming == streams
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

fn too_large(most: usize) -> ConnectError {
    let message = format!("a request has {most} bytes at the most");
    let help = match most {
        REQUEST_MAX => "Send less at once.",
        _ => "Send less at once, or sign in: callers who are known may send more.",
    };
    let error = Error::new(Code::ResourceExhausted, "request.too_large", message).help(help);
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

fn not_text() -> ConnectError {
    let message = "a body of application/grpc-web-text is base64";
    let error = Error::new(Code::InvalidArgument, "protobuf.malformed", message)
        .help("Encode the body in base64, or send it as application/grpc-web.");
    refuse(&error, StatusCode::BAD_REQUEST)
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
