//! Watching a query.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use stoa_contract::Format;
use stoa_kit::{Ctx, Error, Result, Stream};

use crate::Node;
use crate::contract::{WatchRequest, WatchResponse};

pub(super) async fn watch(ctx: Ctx, request: WatchRequest) -> Result<Stream<WatchResponse>> {
    let node = Arc::clone(ctx.node::<Arc<Node>>()?);
    let registry = Arc::clone(node.registry());
    let bound = registry.find(&request.method)?;
    let text = if request.request.is_empty() { "{}" } else { &request.request };
    let inner = bound.decode_request(text.as_bytes(), Format::Json)?;
    let watch = node.watch(ctx.caller(), bound.method, inner, &request.etag).await?;
    let seconds = if request.heartbeat_seconds == 0 { 10 } else { request.heartbeat_seconds };
    let heartbeat = Duration::from_secs(seconds.unsigned_abs().into());
    let steps = futures::stream::unfold(Some((node, watch)), move |following| async move {
        let (node, mut watch) = following?;
        let told = tokio::select! {
            biased;
            told = watch.next() => told,
            () = node.world().sleep(heartbeat) => Ok(None),
        };
        let response = told.and_then(|reply| {
            let Some(reply) = reply else { return Ok(WatchResponse::default()) };
            let json = reply.json(node.registry())?;
            Ok(WatchResponse {
                reply: String::from_utf8(json.into()).map_err(Error::internal)?,
                etag: reply.etag.clone(),
                position: reply.position.to_string(),
            })
        });
        let rest = response.is_ok().then_some((node, watch));
        Some((response, rest))
    });
    Ok(steps.boxed())
}
