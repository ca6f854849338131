//! What becomes of one watch, as it is said.

use futures::{FutureExt, StreamExt};
use serde_json::{Value, json};
use stoa_contract::Format;
use stoa_kit::{Error, Result, Stream};
use stoa_node::{Guest, Reply, shown};

use crate::asked::Watching;

/// The messages about a watch, one after another; after an error there is none.
pub(crate) fn follow(
    guest: Guest, watching: Watching,
) -> futures::stream::BoxStream<'static, String> {
    let registry = guest.node().registry().clone();
    let id = Value::String(watching.id.clone());
    let started = async move {
        let stream = start(guest, watching).await;
        stream.unwrap_or_else(|error| futures::stream::iter([Err(error)]).boxed())
    };
    let said = started.flatten_stream().map(move |told| {
        let told = told.and_then(|reply| match reply {
            Some(reply) => said(&id, &reply, reply.json(&registry)?.as_ref()),
            None => Ok(json!({"type": "unchanged", "id": id}).to_string()),
        });
        told.unwrap_or_else(|error| failed(Some(&id), &error))
    });
    said.boxed()
}

async fn start(
    mut guest: Guest, watching: Watching,
) -> Result<Stream<Option<std::sync::Arc<Reply>>>> {
    let registry = guest.node().registry().clone();
    let bound = registry.method(&watching.method).ok_or_else(|| {
        let message = format!("there is no method {}", watching.method);
        Error::new(stoa_kit::Code::Unimplemented, "node.no_such_method", message)
            .help("Name a query by its path: stoa.ledger.v1.LedgerService/GetAccount.")
    })?;
    guest.enter(Some(bound.method)).await?;
    let text = serde_json::to_vec(&watching.request).map_err(Error::internal)?;
    let request = bound.decode_request(&text, Format::Json)?;
    Ok(guest.watch(bound.method, request, &watching.etag).await?.stream())
}

/// A reply is long, and is JSON already.
fn said(id: &Value, reply: &Reply, json: &[u8]) -> Result<String> {
    let json = std::str::from_utf8(json).map_err(Error::internal)?;
    let Reply { position, etag, .. } = reply;
    Ok(format!(
        r#"{{"type":"reply","id":{id},"position":"{position}","etag":"{etag}","reply":{json}}}"#
    ))
}

/// The message about an error: of a watch, or of what was said.
pub(crate) fn failed(id: Option<&Value>, error: &Error) -> String {
    let mut said = json!({"type": "error", "error": shown(error)});
    if let Some(id) = id {
        said["id"] = id.clone();
    }
    said.to_string()
}
