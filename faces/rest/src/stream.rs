//! A reply that streams: server-sent events where they are asked for, lines of JSON otherwise.

use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderValue, Response, header};
use stoa_contract::{AnyMessage, Format};
use stoa_kit::{Error, Stream};
use stoa_node::{Content, Visit};

use crate::problem;

#[derive(Clone, Copy)]
enum Lines {
    /// `text/event-stream`, of HTML: `data:` with a message, or an event `error` with a problem.
    Events,
    /// `application/x-ndjson`: `{"result":…}` each, and `{"error":…}` as the last one.
    Json,
}

/// The answer that tells messages as they come.
pub(crate) fn respond(visit: &Visit, items: Stream<Box<dyn AnyMessage>>) -> Response<Content> {
    let accepted = visit.head.headers.get_all(header::ACCEPT).iter();
    let events = accepted.filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').any(|kind| kind.trim_start().starts_with("text/event-stream"))
    });
    let (lines, kind) = match events {
        true => (Lines::Events, "text/event-stream"),
        false => (Lines::Json, "application/x-ndjson"),
    };
    let trace = visit.trace();
    let pieces = items.map(move |item| {
        let text = item.and_then(|item| item.encode(Format::Json));
        Ok(lines.write(&trace, text))
    });
    let content = match lines {
        Lines::Events => Content::events(pieces.boxed(), visit.node().world()),
        Lines::Json => Content::Stream(pieces.boxed()),
    };
    let mut response = Response::new(content);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Lines {
    fn write(self, trace: &str, text: Result<Vec<u8>, Error>) -> Bytes {
        let (before, text, after): (&[u8], Vec<u8>, &[u8]) = match (self, text) {
            (Self::Events, Ok(text)) => (b"data: ", text, b"\n\n"),
            (Self::Json, Ok(text)) => (b"{\"result\":", text, b"}\n"),
            (Self::Events, Err(error)) => {
                (b"event: error\ndata: ", problem::text(trace, &error), b"\n\n")
            }
            (Self::Json, Err(error)) => (b"{\"error\":", problem::text(trace, &error), b"}\n"),
        };
        [before, &text, after].concat().into()
    }
}
