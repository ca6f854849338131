//! Watches as server-sent events, of HTML.

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::SelectAll;
use http::{HeaderValue, Response, header};
use stoa_kit::Result;
use stoa_node::{Content, Visit};

use crate::asked;
use crate::follow::follow;

/// The answer that tells what is watched, until all of it is over.
pub(crate) fn respond(visit: &Visit) -> Result<Response<Content>> {
    let watches = asked::all(visit.head.uri.query().unwrap_or_default(), &visit.body)?;
    let guest = visit.guest();
    let all: SelectAll<_> =
        watches.into_iter().map(|watching| follow(guest.clone(), watching)).collect();
    let told = all.map(|said| Ok(Bytes::from(format!("data: {said}\n\n"))));
    let mut response = Response::new(Content::events(told.boxed(), visit.node().world()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
