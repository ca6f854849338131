//! What can be said against a request by its head alone.

use http::request::Parts;
use http::uri::Uri;
use http::{HeaderMap, Method, header};
use rmcp::model::ProtocolVersion;
use stoa_kit::{Code, Error, Result};
use stoa_node::Origins;

use crate::{ALLOW, PATH, wrong_method};

/// The revisions that a session can be of, the newest first.
pub(crate) const REVISIONS: [ProtocolVersion; 2] =
    [ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2025_06_18];
/// A request that names no revision is of this one, says each that came after it. What is asked in
/// it is asked in the others in the same way.
const UNNAMED: ProtocolVersion = ProtocolVersion::V_2025_03_26;

/// # Errors
/// `request.origin`, `request.method`, `request.content_type`, `request.compressed`, `mcp.revision`,
/// and `node.no_such_method` for another path.
pub(crate) fn check(head: &Parts, origins: &Origins) -> Result<()> {
    if head.uri.path() != PATH {
        let message = format!("there is nothing below {PATH}");
        return Err(Error::new(Code::Unimplemented, "node.no_such_method", message)
            .help(format!("Send the messages of MCP to {PATH}.")));
    }
    check_origin(head, origins)?;
    match head.method {
        Method::POST => check_body(&head.headers)?,
        Method::DELETE => {}
        Method::GET if takes_events(&head.headers) => {}
        _ => return Err(wrong_method(&head.method, ALLOW)),
    }
    let revision = head.headers.get("mcp-protocol-version").map(|value| value.as_bytes());
    let known = || REVISIONS.into_iter().chain([UNNAMED]);
    if revision.is_some_and(|named| !known().any(|known| known.as_str().as_bytes() == named)) {
        let message = "this revision of the protocol is not spoken here";
        let [newest, older] = REVISIONS;
        return Err(Error::new(Code::InvalidArgument, "mcp.revision", message)
            .help(format!("Send `MCP-Protocol-Version` as {newest} or {older}.")));
    }
    Ok(())
}

/// A page may call from an origin that the configuration names, or from the machine itself. Anything
/// else may be a page whose own name was made to lead here (DNS rebinding).
fn check_origin(head: &Parts, origins: &Origins) -> Result<()> {
    let Some(origin) = head.headers.get(header::ORIGIN) else { return Ok(()) };
    let is_local = origin.to_str().is_ok_and(is_local);
    if is_local || origins.name(&head.headers) {
        return Ok(());
    }
    let message = "pages of this origin may not call";
    Err(Error::new(Code::PermissionDenied, "request.origin", message)
        .help("Have the operator name the origin in `cors_origins`."))
}

fn is_local(origin: &str) -> bool {
    let uri = origin.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// Only JSON: a browser sends other types without asking whether it may.
fn check_body(headers: &HeaderMap) -> Result<()> {
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| encoding != "identity") {
        let message = "compressed requests are not accepted";
        return Err(Error::new(Code::Unimplemented, "request.compressed", message)
            .help("Send the request as it is, without a content encoding."));
    }
    let kind = headers.get(header::CONTENT_TYPE).map(|kind| kind.as_bytes()).unwrap_or_default();
    let essence = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(b"application/json") {
        return Ok(());
    }
    let message = "the content type is none that is spoken here";
    Err(Error::new(Code::Unimplemented, "request.content_type", message)
        .help("Send a message of JSON-RPC as `Content-Type: application/json`."))
}

/// Whether who asks reads an answer as a stream of events.
pub(crate) fn takes_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = accepted.flat_map(|value| value.split(','));
    kinds.any(|kind| kind.trim_start().starts_with("text/event-stream"))
}
