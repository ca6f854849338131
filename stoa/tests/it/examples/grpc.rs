//! Examples by way of gRPC and of gRPC-Web, with JSON as their messages.
//!
//! A message has a length before it; how the call ended stands in trailers, on the web in a last
//! frame. The details of an error are a `google.rpc.Status`.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use bytes::{Buf as _, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use serde_json::Value;
use stoa_contract::buffa::{Enumeration as _, Message as _};
use stoa_contract::{Code, rpc};
use stoa_node::Face;
use stoa_testkit::Node;
use stoa_testkit::compliance::{Ask, Refusal, Speaker};

use super::sent;

pub(super) struct Grpc;

impl Speaker for Grpc {
    fn name(&self) -> &str {
        "gRPC"
    }

    fn faces(&self, _: &Node) -> Vec<Arc<dyn Face>> {
        Vec::new()
    }

    fn request(&self, ask: &Ask) -> Request<Bytes> {
        framed(ask, "application/grpc+json")
    }

    fn heard(&self, _: &Ask, answer: Response<Bytes>) -> Result<Value, Refusal> {
        let (head, body) = answer.into_parts();
        ended(&head.headers)?;
        let (_, message) = frames(body).remove(0);
        Ok(serde_json::from_slice(&message).unwrap())
    }
}

pub(super) struct GrpcWeb;

impl Speaker for GrpcWeb {
    fn name(&self) -> &str {
        "gRPC-Web"
    }

    fn faces(&self, _: &Node) -> Vec<Arc<dyn Face>> {
        Vec::new()
    }

    fn request(&self, ask: &Ask) -> Request<Bytes> {
        framed(ask, "application/grpc-web+json")
    }

    fn heard(&self, _: &Ask, answer: Response<Bytes>) -> Result<Value, Refusal> {
        let (head, body) = answer.into_parts();
        if body.is_empty() {
            ended(&head.headers)?;
        }
        let mut frames = frames(body);
        let (flags, trailers) = frames.pop().expect("how it ended");
        assert_eq!(flags, 0x80, "the last frame says how it ended");
        let trailers = std::str::from_utf8(&trailers).unwrap().lines();
        let trailers = trailers.filter_map(|line| line.split_once(':')).map(|(name, value)| {
            let name = HeaderName::try_from(name.trim()).unwrap();
            (name, HeaderValue::try_from(value.trim()).unwrap())
        });
        ended(&trailers.collect())?;
        let (_, message) = frames.remove(0);
        Ok(serde_json::from_slice(&message).unwrap())
    }
}

/// A question as one frame.
pub(super) fn framed(ask: &Ask, content_type: &'static str) -> Request<Bytes> {
    let request = Request::post(format!("/{}", ask.method.path));
    let mut request = sent(ask, request, ask.request.to_string());
    request.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
    request.headers_mut().insert("te", HeaderValue::from_static("trailers"));
    request.map(|body| {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[0], &length[..], &body].concat().into()
    })
}

/// The frames of a body: their flags and what they hold.
pub(super) fn frames(mut body: Bytes) -> Vec<(u8, Bytes)> {
    let mut frames = Vec::new();
    while body.has_remaining() {
        let (flags, length) = (body.get_u8(), body.get_u32());
        frames.push((flags, body.split_to(length as usize)));
    }
    frames
}

/// What the trailers say.
fn ended(trailers: &HeaderMap) -> Result<(), Refusal> {
    let status = trailers.get("grpc-status").expect("a status").to_str().unwrap();
    if status == "0" {
        return Ok(());
    }
    let code = Code::from_i32(status.parse().unwrap()).unwrap();
    let code = format!("{code:?}").trim_start_matches("CODE_").to_lowercase();
    let mut refusal = Refusal { code, reason: String::new(), paths: Vec::new() };
    let details = trailers.get("grpc-status-details-bin").map(|it| it.to_str().unwrap());
    let details = BASE64.decode(details.unwrap_or("").trim_end_matches('=')).unwrap();
    // `google.rpc.Status` has its details in field 3, each a `google.protobuf.Any`.
    for detail in held(&details, 3) {
        let name = held(detail, 1).next().unwrap();
        let value = held(detail, 2).next().unwrap_or_default();
        if name.ends_with(b"google.rpc.ErrorInfo") {
            refusal.reason = rpc::ErrorInfo::decode_from_slice(value).unwrap().reason;
        } else if name.ends_with(b"google.rpc.BadRequest") {
            let bad = rpc::BadRequest::decode_from_slice(value).unwrap();
            refusal.paths = bad.field_violations.into_iter().map(|it| it.field).collect();
        }
    }
    Err(refusal)
}

/// What a message holds in a field of texts, bytes or messages.
fn held(mut message: &[u8], field: u64) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        while message.has_remaining() {
            let tag = varint(&mut message);
            let length = varint(&mut message);
            if tag & 7 != 2 {
                continue;
            }
            let (value, rest) = message.split_at(length as usize);
            message = rest;
            if tag >> 3 == field {
                return Some(value);
            }
        }
        None
    })
}

fn varint(from: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = from.get_u8();
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}
