//! Connect, gRPC and gRPC-Web, binary and JSON, on the node's own method table.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use connectrpc::dispatcher::{RequestStream, StreamingResult, UnaryResult};
use connectrpc::{
    CodecFormat, ConnectError, Dispatcher, EncodedResponse, EncodedStream, ErrorCode, ErrorDetail,
    MethodDescriptor, Payload, RequestContext, Response,
};
use futures::StreamExt;
use http::HeaderMap;
use stoa_contract::{AnyMessage, Code, Error, Format, Kind, Method, Permission, rpc};
use stoa_kit::{Result, Stream};

use crate::call::{Answer, Body, Call, Conversation};
use crate::dry;
use crate::guest::Guest;
use crate::incoming::Flow;
use crate::{Node, Position};

/// The node as connectrpc sees it.
pub(crate) struct Table(pub(crate) Arc<Node>);

impl Dispatcher for Table {
    fn lookup(&self, path: &str) -> Option<MethodDescriptor> {
        let bound = self.0.registry().method(path)?;
        if bound.method.permission == Permission::Internal {
            return None;
        }
        Some(match (bound.method.takes_stream.is_some(), bound.method.streams) {
            (false, false) => MethodDescriptor::unary(bound.method.kind == Kind::Query),
            (false, true) => MethodDescriptor::server_streaming(),
            (true, false) => MethodDescriptor::client_streaming(),
            (true, true) => MethodDescriptor::bidi_streaming(),
        })
    }

    fn call_unary(
        &self, path: &str, ctx: RequestContext, request: Payload, format: CodecFormat,
    ) -> UnaryResult {
        let (node, path) = (Arc::clone(&self.0), path.to_owned());
        Box::pin(async move {
            let body = request.encoded()?;
            let format = known(format)?;
            let answer = tokio::select! {
                biased;
                answer = call(&node, path, &ctx, &body, format) => answer,
                late = late(&node, ctx.time_remaining()) => Err(late),
            };
            let refused = |error| refuse(&error, ctx.path().unwrap_or(""), ctx.headers());
            answer.and_then(|answer| respond(answer, format)).map_err(refused)
        })
    }

    fn call_server_streaming(
        &self, path: &str, ctx: RequestContext, request: Bytes, format: CodecFormat,
    ) -> StreamingResult {
        let (node, path) = (Arc::clone(&self.0), path.to_owned());
        Box::pin(async move {
            let format = known(format)?;
            let answer = call(&node, path, &ctx, &request, format).await;
            respond_in_pieces(ctx, answer, format)
        })
    }

    fn call_client_streaming(
        &self, path: &str, ctx: RequestContext, requests: RequestStream, format: CodecFormat,
    ) -> UnaryResult {
        let (node, path) = (Arc::clone(&self.0), path.to_owned());
        Box::pin(async move {
            let format = known(format)?;
            let answer = tokio::select! {
                biased;
                answer = converse(&node, path, &ctx, requests, format) => answer,
                late = late(&node, ctx.time_remaining()) => Err(late),
            };
            let refused = |error| refuse(&error, ctx.path().unwrap_or(""), ctx.headers());
            answer.and_then(|answer| respond(answer, format)).map_err(refused)
        })
    }

    fn call_bidi_streaming(
        &self, path: &str, ctx: RequestContext, requests: RequestStream, format: CodecFormat,
    ) -> StreamingResult {
        let (node, path) = (Arc::clone(&self.0), path.to_owned());
        Box::pin(async move {
            let format = known(format)?;
            let answer = converse(&node, path, &ctx, requests, format).await;
            respond_in_pieces(ctx, answer, format)
        })
    }
}

async fn call(
    node: &Arc<Node>, path: String, ctx: &RequestContext, body: &[u8], format: Format,
) -> Result<Answer> {
    let registry = Arc::clone(node.registry());
    let bound = registry.find(&path)?;
    let request = bound.decode_request(body, format)?;
    let guest = at_door::<Guest>(ctx)?;
    let call = guest.asks(path, ctx.headers(), request)?;
    let deadline = ctx.time_remaining().map(|left| node.world().uptime() + left);
    guest.send(bound.method, Call { deadline, ..call }).await
}

/// Calls a method that takes a stream.
async fn converse(
    node: &Arc<Node>, path: String, ctx: &RequestContext, requests: RequestStream, format: Format,
) -> Result<Answer> {
    let method = node.registry().find(&path)?.method;
    let (guest, flow) = (at_door::<Guest>(ctx)?, at_door::<Flow>(ctx)?);
    let requests = decoded(guest, method, flow.messages(requests), format);
    let call = guest.asks(path, ctx.headers(), requests)?;
    let deadline = ctx.time_remaining().map(|left| node.world().uptime() + left);
    guest.converse(method, Conversation { deadline, ..call }).await
}

/// The requests that the messages of a stream are, at the rate at which their sender may call.
pub(crate) fn decoded(
    guest: &Arc<Guest>, method: &'static Method, messages: Stream<Bytes>, format: Format,
) -> Stream<Box<dyn AnyMessage>> {
    let registry = Arc::clone(guest.node.registry());
    let decoded = paced(Arc::clone(guest), messages).map(move |message| {
        let bound = registry.find(method.path)?;
        bound.decode_request(&message?, format)
    });
    decoded.boxed()
}

/// Messages of a stream, of which each but the first, which came with the call, counts as a call.
fn paced(guest: Arc<Guest>, messages: Stream<Bytes>) -> Stream<Bytes> {
    let each = messages.enumerate().then(move |(place, message)| {
        let guest = Arc::clone(&guest);
        async move {
            if place > 0 {
                guest.pace().await;
            }
            message
        }
    });
    each.boxed()
}

/// What the door left with a call.
fn at_door<T: Send + Sync + 'static>(ctx: &RequestContext) -> Result<&Arc<T>> {
    let left = ctx.extensions().get::<Arc<T>>();
    left.ok_or_else(|| Error::internal("a call came in beside the door"))
}

/// A stream of replies, or of requests, that ends once its caller may not have it any more: each is
/// handed on only after another look, and there is one whenever that may have changed.
pub(crate) fn watched(
    guest: &Guest, method: &'static Method, items: Stream<Box<dyn AnyMessage>>,
) -> Stream<Box<dyn AnyMessage>> {
    let access = guest.access();
    let steps = futures::stream::unfold(
        Some((guest.clone(), access, items)),
        move |following| async move {
            let (guest, mut access, mut items) = following?;
            loop {
                let item = tokio::select! {
                    biased;
                    () = access.changed() => None,
                    item = items.next() => Some(item?),
                };
                if let Err(error) = guest.still_good(method).await {
                    return Some((Err(error), None));
                }
                if let Some(item) = item {
                    return Some((item, Some((guest, access, items))));
                }
            }
        },
    );
    steps.boxed()
}

/// Waits until the caller's deadline, just before connectrpc would end the call without a reason.
pub(crate) async fn late(node: &Node, left: Option<Duration>) -> Error {
    match left {
        Some(left) => node.world().sleep(left.saturating_sub(Duration::from_millis(2))).await,
        None => std::future::pending().await,
    }
    Error::new(Code::DeadlineExceeded, "request.deadline", "the deadline of this call has passed")
        .help("It may still happen; retry with the same idempotency key.")
}

/// A header's value. One that cannot be read is refused: who sent a key must not go without it.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    value.to_str().map(Some).map_err(|_| {
        let message = format!("the header `{name}` holds what is no visible ASCII");
        Error::new(Code::InvalidArgument, "request.header", message)
            .help("Send the header as it was given to you.")
    })
}

/// The trace id of a W3C `traceparent`: `00-<trace>-<span>-<flags>`. Empty where there is none.
pub(crate) fn trace(headers: &HeaderMap) -> String {
    // One that is not understood is as good as none, says the W3C.
    let parent = header(headers, "traceparent").ok().flatten().unwrap_or("");
    let id = parent.split('-').nth(1).unwrap_or("");
    let good = id.len() == 32
        && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        && id.bytes().any(|b| b != b'0');
    if good { id.to_owned() } else { String::new() }
}

/// What is told about an answer beside it, as headers.
pub(crate) fn told(answer: &Answer) -> Vec<(&'static str, String)> {
    let position = answer.position.map(|place| ("stoa-position", Position(place).to_string()));
    let replayed = answer.replayed.then(|| ("idempotency-replayed", "true".to_owned()));
    let dry_run = answer.dry_run.as_ref().map(|told| (dry::HEADER, told.json()));
    position.into_iter().chain(replayed).chain(dry_run).collect()
}

fn known(format: CodecFormat) -> Result<Format, ConnectError> {
    match format {
        CodecFormat::Proto => Ok(Format::Binary),
        CodecFormat::Json => Ok(Format::Json),
        _ => Err(ConnectError::unimplemented("this encoding is not spoken here")),
    }
}

fn respond(answer: Answer, format: Format) -> Result<EncodedResponse> {
    let told = told(&answer);
    let Body::Message(message) = answer.body else {
        return Err(Error::internal("a stream where a message was expected"));
    };
    let bytes = Bytes::from(message.encode(format)?);
    let response = Response::new(bytes.into());
    Ok(told.into_iter().fold(response, |response, (name, value)| response.with_header(name, value)))
}

/// The same for an answer in pieces.
fn respond_in_pieces(
    ctx: RequestContext, answer: Result<Answer>, format: Format,
) -> Result<Response<EncodedStream>, ConnectError> {
    let refused = |error| refuse(&error, ctx.path().unwrap_or(""), ctx.headers());
    let Body::Stream(items) = answer.map_err(refused)?.body else {
        return Err(ConnectError::internal("not a stream"));
    };
    let items = items.map(move |item| {
        let encoded = item.and_then(|item| item.encode(format));
        encoded
            .map(|bytes| Bytes::from(bytes).into())
            .map_err(|error| refuse(&error, ctx.path().unwrap_or(""), ctx.headers()))
    });
    Ok(Response::new(items.boxed() as EncodedStream))
}

/// An error on its way out, in the words of RPC.
pub(crate) fn refuse(error: &Error, path: &str, headers: &HeaderMap) -> ConnectError {
    tell(error, path, &trace(headers));
    translate(error)
}

/// Logs an error on its way out: faults of ours once, with what lies behind them.
pub fn tell(error: &Error, path: &str, trace: &str) {
    if matches!(error.code(), Code::Internal | Code::DataLoss | Code::Unknown) {
        tracing::error!(method = path, trace, error = ?error, "a call failed");
    } else {
        tracing::debug!(method = path, trace, error = ?error, "a call was refused");
    }
}

/// An error in the words of Connect and gRPC, with Google's typed details.
pub(crate) fn translate(error: &Error) -> ConnectError {
    let code = ErrorCode::from_grpc_code(error.code() as u32).unwrap_or(ErrorCode::Unknown);
    let mut out = ConnectError::new(code, error.message());
    let domain = error.reason().split('.').next().unwrap_or("stoa").to_owned();
    let info = rpc::ErrorInfo {
        reason: error.reason().to_owned(),
        domain: format!("{domain}.stoa"),
        ..Default::default()
    };
    out = detail(out, &info, serde_json::json!({"reason": error.reason(), "next": error.next()}));
    if !error.violations().is_empty() {
        let violations =
            error.violations().iter().map(|violation| rpc::bad_request::FieldViolation {
                field: violation.path.clone(),
                description: violation.message.clone(),
                reason: violation.rule.to_string(),
                ..Default::default()
            });
        let bad = rpc::BadRequest { field_violations: violations.collect() };
        out = detail(out, &bad, serde_json::json!({"violations": error.violations()}));
    }
    if !error.next().is_empty() {
        let link = rpc::help::Link { description: error.next().to_owned(), ..Default::default() };
        let help = rpc::Help { links: vec![link] };
        out = detail(out, &help, serde_json::json!({"next": error.next()}));
    }
    if let Some(wait) = error.retry_after() {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        if let Ok(value) = http::HeaderValue::from_str(&seconds.to_string()) {
            out.response_headers_mut().insert("retry-after", value);
        }
    }
    out
}

fn detail<M: stoa_contract::Message>(
    error: ConnectError, message: &M, debug: serde_json::Value,
) -> ConnectError {
    let mut detail = ErrorDetail::from_message(M::NAME, message);
    detail.debug = Some(debug);
    error.with_detail(detail)
}
