//! A request on its way to becoming the JSON of a message.
//!
//! Only text is moved here: what the fields may be called and what they may hold, the decoder of
//! the message says. Where the place of a name decides — in a path, a query, a body — it is this.

use std::borrow::Cow;

use http::request::Parts;
use http::{HeaderMap, header};
use percent_encoding::percent_decode;
use serde::de::IgnoredAny;
use stoa_contract::{Code, Leaf, Shape, Value};
use stoa_kit::{Error, Result};

use crate::mask;
use crate::routes::Found;

/// How deeply a name in a query may reach into messages.
const DEPTH_MAX: usize = 8;

/// What can be said against a request by its head alone.
pub(crate) fn check(found: &Found, head: &Parts) -> Result<()> {
    let encoding = head.headers.get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| encoding != "identity") {
        let message = "compressed requests are not accepted";
        return Err(Error::new(Code::Unimplemented, "request.compressed", message)
            .help("Send the request as it is, without a content encoding."));
    }
    let kind = head.headers.get(header::CONTENT_TYPE);
    if found.binding.body.is_empty() || kind.is_none_or(|kind| is_json(kind.as_bytes())) {
        return Ok(());
    }
    let message = "the content type is none that this method speaks";
    Err(Error::new(Code::Unimplemented, "request.content_type", message)
        .help("Send JSON as `Content-Type: application/json`."))
}

fn is_json(kind: &[u8]) -> bool {
    let essence = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let essence = essence.to_ascii_lowercase();
    essence == b"application/json"
        || (essence.starts_with(b"application/") && essence.ends_with(b"+json"))
}

/// The JSON of the message that a request stands for.
///
/// # Errors
/// `request.query`, `request.body`, `request.header`, `json.malformed`; `request.invalid` for what
/// stands in the wrong place.
pub(crate) fn read<'a>(found: &Found, head: &Parts, body: &'a [u8]) -> Result<Cow<'a, [u8]>> {
    let shape = found.method.request;
    let whole_body = found.binding.body == "*";
    let mut fields = Members::default();
    for (name, value) in &found.values {
        fields.put(shape, name, value.clone(), DEPTH_MAX);
    }
    for pair in head.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (unescaped(name)?, unescaped(value)?);
        let first = name.split('.').next().unwrap_or_default();
        if whole_body && let Some(field) = shape.field(first) {
            let message = "belongs into the body";
            return Err(Error::field(field.name, "query.misplaced", message));
        }
        fields.put(shape, &name, value, DEPTH_MAX);
    }
    if let (Some(etag), Some(_)) = (if_match(&head.headers)?, shape.field("etag")) {
        fields.put(shape, "etag", etag, DEPTH_MAX);
    }
    if let Some(paths) = mask::of_sent(found, &fields, body) {
        fields.put(shape, "update_mask", paths, DEPTH_MAX);
    }
    let body = body.trim_ascii();
    match found.binding.body {
        "*" => Ok(before(&fields, body)),
        "" if body.is_empty() => Ok(fields.text().into()),
        "" => Err(Error::new(Code::InvalidArgument, "request.body", "this takes no body")
            .help("Send the fields in the path and in the query.")),
        _ if body.is_empty() => Ok(fields.text().into()),
        field => {
            let value = serde_json::from_slice::<IgnoredAny>(body);
            value.map_err(|error| malformed(&error))?;
            fields.0.push((field.to_owned(), Node::Json(body.to_vec())));
            Ok(fields.text().into())
        }
    }
}

/// Fields, and behind them those of a body. A body that is no object goes as it came: the decoder
/// will say what is wrong with it.
fn before<'a>(fields: &Members, body: &'a [u8]) -> Cow<'a, [u8]> {
    if fields.0.is_empty() {
        return body.into();
    }
    let mut text = fields.text();
    match body.strip_prefix(b"{") {
        _ if body.is_empty() => text.into(),
        None => body.into(),
        Some(rest) => {
            text.pop();
            if !rest.trim_ascii_start().starts_with(b"}") {
                text.push(b',');
            }
            text.extend_from_slice(rest);
            text.into()
        }
    }
}

/// The etag that a change insists on. `*` asks for no more than that there is something.
fn if_match(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let etag = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    match etag {
        _ if text == "*" => Ok(None),
        Some(etag) if !etag.is_empty() && !etag.contains('"') => Ok(Some(etag.to_owned())),
        _ => Err(Error::new(
            Code::InvalidArgument,
            "request.header",
            "`If-Match` is one etag in quotes, which is not weak, or `*`",
        )
        .help("Send the `ETag` of the last answer as it was.")),
    }
}

fn unescaped(text: &str) -> Result<String> {
    let spaced = text.replace('+', " ");
    let text = percent_decode(spaced.as_bytes()).decode_utf8();
    text.map(Cow::into_owned).map_err(|_| {
        Error::new(Code::InvalidArgument, "request.query", "the query is not UTF-8")
            .help("Encode what is not ASCII as the percent-encoded bytes of its UTF-8.")
    })
}

fn malformed(error: &serde_json::Error) -> Error {
    Error::new(Code::InvalidArgument, "json.malformed", format!("not JSON: {error}"))
        .help("Send the field that is the body, as the method's contract has it.")
}

/// Fields of a message, in the order in which they came. One that came twice stands there twice:
/// the decoder refuses it.
#[derive(Default)]
pub(crate) struct Members(Vec<(String, Node)>);

enum Node {
    Text(String),
    Bool(bool),
    List(Leaf, Vec<String>),
    Message(Members),
    Json(Vec<u8>),
}

impl Members {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// Puts a text where a path of names leads. Where it leads nowhere, it stays a name that the
    /// decoder does not know.
    fn put(&mut self, shape: &'static Shape, path: &str, text: String, depth: usize) {
        let (first, rest) = match path.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (path, None),
        };
        let Some(field) = shape.field(first) else {
            return self.0.push((path.to_owned(), Node::Text(text)));
        };
        match (field.value, rest) {
            (Value::Message(inner), Some(rest)) if depth > 0 => {
                let known = self.0.iter_mut().find_map(|(name, node)| match node {
                    Node::Message(members) if name == field.name => Some(members),
                    _ => None,
                });
                if let Some(known) = known {
                    return known.put(inner, rest, text, depth - 1);
                }
                let mut members = Self::default();
                members.put(inner, rest, text, depth - 1);
                self.0.push((field.name.to_owned(), Node::Message(members)));
            }
            (Value::Leaves(leaf), None) => {
                let known = self.0.iter_mut().find_map(|(name, node)| match node {
                    Node::List(_, texts) if name == field.name => Some(texts),
                    _ => None,
                });
                match known {
                    Some(texts) => texts.push(text),
                    None => self.0.push((field.name.to_owned(), Node::List(leaf, vec![text]))),
                }
            }
            (Value::Leaf(leaf), None) => self.0.push((field.name.to_owned(), of(leaf, text))),
            (_, None) => self.0.push((field.name.to_owned(), Node::Text(text))),
            (_, Some(_)) => self.0.push((path.to_owned(), Node::Text(text))),
        }
    }

    fn text(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (place, (name, node)) in self.0.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            quoted(name, out);
            out.push(b':');
            node.write(out);
        }
        out.push(b'}');
    }
}

/// A text as JSON has it. What is no bool stays text, which the decoder refuses as any other.
fn of(leaf: Leaf, text: String) -> Node {
    match (leaf, text.as_str()) {
        (Leaf::Bool, "true") => Node::Bool(true),
        (Leaf::Bool, "false") => Node::Bool(false),
        _ => Node::Text(text),
    }
}

impl Node {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => quoted(text, out),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Json(text) => out.extend_from_slice(text),
            Self::Message(members) => members.write(out),
            Self::List(leaf, texts) => {
                out.push(b'[');
                for (place, text) in texts.iter().enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    of(*leaf, text.clone()).write(out);
                }
                out.push(b']');
            }
        }
    }
}

fn quoted(text: &str, out: &mut Vec<u8>) {
    // A text can always be written.
    let _ = serde_json::to_writer(out, text);
}
