//! Blobs over HTTP: `POST /-/uploads` takes bytes in, `GET /-/blobs/…` gives them to whoever has a path
//! that a query gave. `docs/spec/blobs.md` says both from outside.

use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures::StreamExt;
use serde_json::json;
use stoa_kit::blobs::{Blob, Link};
use stoa_kit::v1::{HttpHeader, HttpRequest, HttpResponse};
use stoa_kit::{Code, Ctx, Error, Micros, Requests, Result, Stream};

use crate::Node;
use crate::contract::*;

/// What bytes are that nobody says anything of.
const UNKNOWN: &str = "application/octet-stream";
/// Types that a browser shows and does not run. All others it is told to save.
const SHOWN: [&str; 16] = [
    "audio/aac",
    "audio/flac",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "audio/webm",
    "image/avif",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/plain",
    "video/mp4",
    "video/ogg",
    "video/webm",
];

pub(super) async fn upload(
    ctx: Ctx, mut requests: Requests<UploadBlobRequest>,
) -> Result<UploadBlobResponse> {
    let node = Arc::clone(ctx.node::<Arc<Node>>()?);
    let head = requests.next().await?.and_then(|head| head.http.into_option()).unwrap_or_default();
    if !matches!(head.method.as_str(), "POST" | "PUT") {
        let http = says(405, [("allow", "POST, PUT".to_owned())]);
        return Ok(UploadBlobResponse { http: http.into() });
    }
    let media_type = media_type(header(&head, "content-type"))?;
    let digest = digest(&head)?;
    let first = futures::stream::iter(Some(Ok(Bytes::from(head.body))));
    let rest = futures::stream::unfold(requests, |mut requests| async {
        let next = requests.next().await.transpose()?;
        let body = |next: UploadBlobRequest| next.http.into_option().unwrap_or_default().body;
        Some((next.map(|next| Bytes::from(body(next))), requests))
    });
    let bytes = first.chain(rest).boxed();
    let uploaded = node.upload(ctx.caller(), &media_type, bytes, digest).await?;
    let body = json!({
        "id": uploaded.id,
        "size": uploaded.size.to_string(),
        "sha256": hex(&uploaded.hash),
    });
    let http = says(201, [("content-type", "application/json".to_owned())]);
    Ok(UploadBlobResponse { http: HttpResponse { body: body.to_string().into(), ..http }.into() })
}

pub(super) async fn read(ctx: Ctx, request: ReadBlobRequest) -> Result<Stream<ReadBlobResponse>> {
    let node = Arc::clone(ctx.node::<Arc<Node>>()?);
    let http = request.http.into_option().unwrap_or_default();
    let reply = |http: HttpResponse| Ok(ReadBlobResponse { http: http.into() });
    let only = |http: HttpResponse| Ok(futures::stream::iter([reply(http)]).boxed());
    if !matches!(http.method.as_str(), "GET" | "HEAD") {
        return only(says(405, [("allow", "GET, HEAD".to_owned())]));
    }
    let now = node.store().lease_now().await?;
    let link = Link::read(node.registry(), &http.path, &http.query, now)?.ok_or_else(stale)?;
    node.tenants().await?.active(&link.tenant)?;
    let blob = node.blob(&link.tenant, &link.id).await?;
    let etag = format!("\"{}\"", hex(&blob.hash));
    if names(header(&http, "if-none-match"), &etag) {
        return only(says(304, [("etag", etag)]));
    }
    let ranged = matches!(header(&http, "if-range"), tag if tag.is_empty() || tag == etag);
    let asked = if ranged { range(header(&http, "range"), blob.size) } else { Asked::Whole };
    let (status, range) = match asked {
        Asked::Whole => (200, 0..blob.size),
        Asked::Part(range) => (206, range),
        Asked::Nothing => {
            return only(says(416, [("content-range", format!("bytes */{}", blob.size))]));
        }
    };
    let mut head = says(status, told(&blob, etag, link.until, now));
    head.headers.push(named("content-length", (range.end - range.start).to_string()));
    if status == 206 {
        let part = format!("bytes {}-{}/{}", range.start, range.end - 1, blob.size);
        head.headers.push(named("content-range", part));
    }
    if http.method == "HEAD" {
        return only(head);
    }
    let bytes = node.bytes(&link.tenant, &link.id, blob, range).await?;
    let pieces = bytes
        .map(move |piece| reply(HttpResponse { body: piece?.into(), ..HttpResponse::default() }));
    Ok(futures::stream::iter([reply(head)]).chain(pieces).boxed())
}

/// What is said of a blob: that it stays what it is, and that nothing in it is to be run.
fn told(blob: &Blob, etag: String, until: Micros, now: Micros) -> Vec<(&'static str, String)> {
    let shown = SHOWN.contains(&blob.media_type.as_str());
    let text = if blob.media_type == "text/plain" { "; charset=utf-8" } else { "" };
    let seconds = until.since(now).as_secs();
    vec![
        ("content-type", format!("{}{text}", blob.media_type)),
        ("content-disposition", if shown { "inline" } else { "attachment" }.to_owned()),
        ("content-security-policy", "default-src 'none'; sandbox".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        ("cache-control", format!("private, max-age={seconds}, immutable")),
        ("accept-ranges", "bytes".to_owned()),
        ("etag", etag),
    ]
}

/// What somebody asks for of so many bytes.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    Part(Range<u64>),
    /// There is nothing of what is asked for.
    Nothing,
}

/// Reads a header `Range` (RFC 9110, 14.2). One that is malformed, or asks for several parts, asks for
/// the whole.
fn range(text: &str, size: u64) -> Asked {
    let parts = || {
        let (first, last) = text.strip_prefix("bytes=")?.trim().split_once('-')?;
        let number = |text: &str| match text {
            "" => Some(None),
            text if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse::<u64>().ok().map(Some)
            }
            _ => None,
        };
        Some((number(first)?, number(last)?))
    };
    let range = match parts() {
        Some((Some(first), last)) if last.is_none_or(|last| first <= last) => {
            first..last.map_or(size, |last| last.saturating_add(1).min(size))
        }
        Some((None, Some(suffix))) => size.saturating_sub(suffix)..size,
        _ => return Asked::Whole,
    };
    if range.start < range.end { Asked::Part(range) } else { Asked::Nothing }
}

/// Whether a list of tags, as a condition has it (RFC 9110, 13.1.2), names one.
fn names(tags: &str, etag: &str) -> bool {
    let mut tags = tags.split(',').map(|tag| tag.trim().trim_start_matches("W/"));
    tags.any(|tag| tag == etag || tag == "*")
}

/// Reads what a header says that bytes are, without its parameters.
fn media_type(text: &str) -> Result<String> {
    let said = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let good = |part: &str| {
        let byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte);
        (1..=127).contains(&part.len()) && part.bytes().all(byte)
    };
    match said.split_once('/') {
        Some((kind, of)) if good(kind) && good(of) => Ok(said),
        None if said.is_empty() => Ok(UNKNOWN.to_owned()),
        _ => {
            let message = "the header `content-type` is no type and subtype";
            Err(Error::new(Code::InvalidArgument, "blob.media_type", message)
                .help("Send one such as `image/png`, or none."))
        }
    }
}

/// Reads the SHA-256 of a header `Content-Digest` (RFC 9530), if it says one.
fn digest(head: &HttpRequest) -> Result<Option<[u8; 32]>> {
    let all = head.headers.iter().filter(|header| header.name == "content-digest");
    let mut said = all.flat_map(|header| header.value.split(','));
    let Some(text) = said.find_map(|one| one.trim().strip_prefix("sha-256=")) else {
        return Ok(None);
    };
    let bytes = text.strip_prefix(':').and_then(|text| text.strip_suffix(':'));
    let bytes = bytes.and_then(|text| BASE64_STANDARD.decode(text).ok()?.try_into().ok());
    bytes.map(Some).ok_or_else(|| {
        let message = "the header `content-digest` says no SHA-256";
        Error::new(Code::InvalidArgument, "blob.digest", message)
            .help("Write it as `sha-256=:…:`, in base64, as RFC 9530 has it.")
    })
}

fn header<'a>(http: &'a HttpRequest, name: &str) -> &'a str {
    let found = http.headers.iter().find(|header| header.name == name);
    found.map_or("", |header| header.value.as_str())
}

fn says(status: i32, headers: impl IntoIterator<Item = (&'static str, String)>) -> HttpResponse {
    let headers = headers.into_iter().map(|(name, value)| named(name, value)).collect();
    HttpResponse { status, headers, body: Vec::new() }
}

fn named(name: &str, value: String) -> HttpHeader {
    HttpHeader { name: name.to_owned(), value }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn stale() -> Error {
    Error::new(Code::PermissionDenied, "blob.link", "this path is not good, or not any more")
        .help("Ask again for what the blob belongs to: the answer has a path that is.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_rfc_9110_has_it() {
        for (text, asked) in [
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=2-", Asked::Part(2..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=-30", Asked::Part(0..10)),
            ("bytes=4-99", Asked::Part(4..10)),
            ("bytes=10-", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=5-4", Asked::Whole),
            ("bytes=0-1,3-4", Asked::Whole),
            ("bytes=+1-2", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("lines=0-1", Asked::Whole),
            ("", Asked::Whole),
        ] {
            assert_eq!(range(text, 10), asked, "{text}");
        }
        assert_eq!(range("bytes=0-", 0), Asked::Nothing);
    }

    #[test]
    fn a_type_is_a_type_and_a_subtype() {
        assert_eq!(media_type("").unwrap(), UNKNOWN);
        assert_eq!(media_type("Image/SVG+xml; charset=x").unwrap(), "image/svg+xml");
        for bad in ["png", "image/", "a/b/c", "image/p ng", "image/p\u{e9}"] {
            assert_eq!(media_type(bad).unwrap_err().reason(), "blob.media_type", "{bad}");
        }
    }
}
