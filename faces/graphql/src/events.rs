//! Responses as server-sent events, by the protocol "distinct connections" of GraphQL over SSE: an
//! event `next` for each response, and `complete` at the end.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderValue, header};
use stoa_kit::{Stream, World};
use stoa_node::Content;

use crate::answer::Response;

/// What ends a stream. `EventSource` of browsers wants a line of data.
const COMPLETE: &[u8] = b"event: complete\ndata:\n\n";

/// The answer that tells one response.
pub(crate) fn once(response: &Response) -> http::Response<Content> {
    events(Content::from([&next(response), COMPLETE].concat()))
}

/// The answer that tells responses as they come.
pub(crate) fn stream(
    responses: Stream<Response>, world: &Arc<dyn World>,
) -> http::Response<Content> {
    let told = responses.map(|response| Ok(next(&response?)));
    let end = futures::stream::once(async { Ok(Bytes::from_static(COMPLETE)) });
    events(Content::events(told.chain(end).boxed(), world))
}

fn next(response: &Response) -> Bytes {
    [b"event: next\ndata: ", response.text().as_slice(), b"\n\n"].concat().into()
}

fn events(content: Content) -> http::Response<Content> {
    let mut answer = http::Response::new(content);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
