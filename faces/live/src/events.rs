//! Watches as server-sent events, of HTML.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::SelectAll;
use http::{HeaderValue, Response, header};
use stoa_kit::Result;
use stoa_node::{Content, Visit};

use crate::asked;
use crate::follow::follow;

/// How often somebody to whom nothing is said hears that the connection stands.
const BEAT: Duration = Duration::from_secs(10);

/// The answer that tells what is watched, until all of it is over.
pub(crate) fn respond(visit: &Visit) -> Result<Response<Content>> {
    let watches = asked::all(visit.head.uri.query().unwrap_or_default(), &visit.body)?;
    let guest = visit.guest();
    let all: SelectAll<_> =
        watches.into_iter().map(|watching| follow(guest.clone(), watching)).collect();
    let world = Arc::clone(visit.node().world());
    let pieces = futures::stream::unfold((all, world), |(mut all, world)| async move {
        let piece = tokio::select! {
            biased;
            said = all.next() => format!("data: {}\n\n", said?),
            () = world.sleep(BEAT) => ":\n\n".to_owned(),
        };
        Some((Ok(Bytes::from(piece)), (all, world)))
    });
    let mut response = Response::new(Content::Stream(pieces.boxed()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
