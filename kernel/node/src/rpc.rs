//! Connect, gRPC and gRPC-Web, binary and JSON, on the node's own method table.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use connectrpc::dispatcher::codegen::{unimplemented_streaming, unimplemented_unary};
use connectrpc::dispatcher::{RequestStream, StreamingResult, UnaryResult};
use connectrpc::{
    CodecFormat, ConnectError, Dispatcher, EncodedResponse, ErrorCode, ErrorDetail,
    MethodDescriptor, Payload, RequestContext, Response,
};
use futures::StreamExt;
use stoa_contract::{Code, Error, Format, Kind, Permission, rpc};
use stoa_kit::registry::Bound;
use stoa_kit::{Caller, Result};

use crate::call::{Answer, Body, Call, unknown};
use crate::{Node, Position};

/// The node as connectrpc sees it.
pub(crate) struct Table(pub(crate) Arc<Node>);

impl Dispatcher for Table {
    fn lookup(&self, path: &str) -> Option<MethodDescriptor> {
        let bound = self.0.registry().method(path)?;
        if bound.method.permission == Permission::Internal {
            return None;
        }
        Some(if bound.method.streams {
            MethodDescriptor::server_streaming()
        } else {
            MethodDescriptor::unary(bound.method.kind == Kind::Query)
        })
    }

    fn call_unary(
        &self,
        path: &str,
        ctx: RequestContext,
        request: Payload,
        format: CodecFormat,
    ) -> UnaryResult {
        let (node, path) = (Arc::clone(&self.0), path.to_owned());
        Box::pin(async move {
            let body = request.encoded()?;
            let format = known(format)?;
            let answer = tokio::select! {
                biased;
                answer = call(&node, path, &ctx, &body, format) => answer,
                late = late(&node, &ctx) => Err(late),
            };
            answer.and_then(|answer| respond(answer, format)).map_err(|error| refuse(&error, &ctx))
        })
    }

    fn call_server_streaming(
        &self,
        path: &str,
        ctx: RequestContext,
        request: Bytes,
        format: CodecFormat,
    ) -> StreamingResult {
        let (node, path) = (Arc::clone(&self.0), path.to_owned());
        Box::pin(async move {
            let format = known(format)?;
            let answer = call(&node, path, &ctx, &request, format).await;
            let Body::Stream(items) = answer.map_err(|error| refuse(&error, &ctx))?.body else {
                return Err(ConnectError::internal("not a stream"));
            };
            let items = items.map(move |item| {
                let encoded = item.and_then(|item| item.encode(format));
                encoded.map(|bytes| Bytes::from(bytes).into()).map_err(|error| refuse(&error, &ctx))
            });
            Ok(Response::new(items.boxed() as connectrpc::EncodedStream))
        })
    }

    fn call_client_streaming(
        &self,
        path: &str,
        _: RequestContext,
        _: RequestStream,
        _: CodecFormat,
    ) -> UnaryResult {
        unimplemented_unary(path)
    }

    fn call_bidi_streaming(
        &self,
        path: &str,
        _: RequestContext,
        _: RequestStream,
        _: CodecFormat,
    ) -> StreamingResult {
        unimplemented_streaming(path)
    }
}

async fn call(
    node: &Arc<Node>,
    path: String,
    ctx: &RequestContext,
    body: &[u8],
    format: Format,
) -> Result<Answer> {
    let registry = Arc::clone(node.registry());
    let bound = registry.method(&path).ok_or_else(|| unknown(&path))?;
    let caller = caller(node, bound, ctx).await?;
    let request = bound.decode_request(body, format)?;
    let address = ctx.peer_addr().map_or(String::new(), |address| address.ip().to_string());
    let position = header(ctx, "stoa-position")?.map(Position::parse).transpose()?;
    node.call(Call {
        method: path,
        caller,
        request,
        key: header(ctx, "idempotency-key")?.map(str::to_owned),
        trace: trace(ctx),
        deadline: ctx.time_remaining().map(|left| node.world().uptime() + left),
        address,
        position: position.map(|position| position.0),
    })
    .await
}

/// Waits until the caller's deadline, just before connectrpc would end the call without a reason.
async fn late(node: &Node, ctx: &RequestContext) -> Error {
    match ctx.time_remaining() {
        Some(left) => node.world().sleep(left.saturating_sub(Duration::from_millis(2))).await,
        None => std::future::pending().await,
    }
    Error::new(Code::DeadlineExceeded, "request.deadline", "the deadline of this call has passed")
        .help("It may still happen; retry with the same idempotency key.")
}

async fn caller(node: &Arc<Node>, bound: &Bound, ctx: &RequestContext) -> Result<Caller> {
    let Some(value) = header(ctx, "authorization")? else { return Ok(node.anonymous()) };
    let token = value
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let found = match token {
        Some(token) if !token.is_empty() => node.authenticate(token).await,
        _ => Err(Error::new(Code::Unauthenticated, "auth.malformed", "not a bearer token")
            .help("Send `Authorization: Bearer <token>`.")),
    };
    match found {
        // Whoever signs in again with an old token in hand must not be kept out by it.
        Err(_) if bound.method.permission == Permission::Public => Ok(node.anonymous()),
        other => other,
    }
}

/// A header's value. One that cannot be read is refused: who sent a key must not go without it.
fn header<'a>(ctx: &'a RequestContext, name: &'static str) -> Result<Option<&'a str>> {
    let Some(value) = ctx.header(name) else { return Ok(None) };
    value.to_str().map(Some).map_err(|_| {
        let message = format!("the header `{name}` holds what is no visible ASCII");
        Error::new(Code::InvalidArgument, "request.header", message)
            .help("Send the header as it was given to you.")
    })
}

/// The trace id of a W3C `traceparent`: `00-<trace>-<span>-<flags>`.
fn trace(ctx: &RequestContext) -> String {
    // One that is not understood is as good as none, says the W3C.
    let parent = header(ctx, "traceparent").ok().flatten().unwrap_or("");
    let id = parent.split('-').nth(1).unwrap_or("");
    let good = id.len() == 32
        && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        && id.bytes().any(|b| b != b'0');
    if good { id.to_owned() } else { String::new() }
}

fn known(format: CodecFormat) -> Result<Format, ConnectError> {
    match format {
        CodecFormat::Proto => Ok(Format::Binary),
        CodecFormat::Json => Ok(Format::Json),
        _ => Err(ConnectError::unimplemented("this encoding is not spoken here")),
    }
}

fn respond(answer: Answer, format: Format) -> Result<EncodedResponse> {
    let Body::Message(message) = answer.body else {
        return Err(Error::internal("a stream where a message was expected"));
    };
    let bytes = Bytes::from(message.encode(format)?);
    let mut response = Response::new(bytes.into());
    if let Some(position) = answer.position {
        response = response.with_header("stoa-position", Position(position).to_string());
    }
    if answer.replayed {
        response = response.with_header("idempotency-replayed", "true");
    }
    Ok(response)
}

/// An error on its way out. Faults of ours are logged here, once, with what lies behind them.
fn refuse(error: &Error, ctx: &RequestContext) -> ConnectError {
    let trace = trace(ctx);
    if matches!(error.code(), Code::Internal | Code::DataLoss | Code::Unknown) {
        tracing::error!(method = ctx.path(), trace, error = ?error, "a call failed");
    } else {
        tracing::debug!(method = ctx.path(), trace, error = ?error, "a call was refused");
    }
    translate(error)
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
    error: ConnectError,
    message: &M,
    debug: serde_json::Value,
) -> ConnectError {
    let mut detail = ErrorDetail::from_message(M::NAME, message);
    detail.debug = Some(debug);
    error.with_detail(detail)
}
