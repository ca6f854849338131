//! A request of HTTP, as GraphQL over HTTP reads it.

use std::borrow::Cow;

use apollo_compiler::response::JsonMap;
use http::request::Parts;
use http::{HeaderMap, Method, header};
use percent_encoding::percent_decode_str;
use serde_json::Value as Json;
use stoa_contract::Code;
use stoa_kit::{Error, Result};

/// The methods of HTTP that ask.
pub(crate) const ALLOW: &str = "GET, POST";

/// What is asked.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) query: String,
    pub(crate) operation: Option<String>,
    pub(crate) variables: JsonMap,
}

/// How the answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// `application/json`: a document that is wrong is answered with 200, as older clients expect.
    Json,
    /// `application/graphql-response+json`: the status says whether the document was right.
    Response,
    /// `text/event-stream`, by the protocol "distinct connections" of GraphQL over SSE.
    Events,
}

impl Wanted {
    /// The first kind of those that a request accepts.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT).iter();
        let kinds = values.filter_map(|value| value.to_str().ok()).flat_map(|it| it.split(','));
        let mut known = kinds.filter_map(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            match kind.as_str() {
                "application/graphql-response+json" => Some(Self::Response),
                "application/json" => Some(Self::Json),
                "text/event-stream" => Some(Self::Events),
                _ => None,
            }
        });
        known.next().unwrap_or(Self::Json)
    }
}

/// What can be said against a request by its head alone. Only `application/json` is taken: what a
/// form of a page in a browser could send without asking is not.
pub(crate) fn check(head: &Parts) -> Result<()> {
    match head.method {
        Method::GET => return Ok(()),
        Method::POST => {}
        _ => return Err(wrong_method(&format!("this is not asked for by {}", head.method))),
    }
    if head.headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        let message = "compressed requests are not accepted";
        return Err(Error::new(Code::Unimplemented, "request.compressed", message)
            .help("Send the request as it is, without a content encoding."));
    }
    let kind = head.headers.get(header::CONTENT_TYPE).map(|kind| kind.as_bytes());
    let essence = kind.and_then(|kind| kind.split(|byte| *byte == b';').next());
    if essence.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"application/json")) {
        return Ok(());
    }
    let message = "the content type is none that GraphQL is asked in";
    Err(Error::new(Code::Unimplemented, "request.content_type", message)
        .help("Send JSON as `Content-Type: application/json`."))
}

/// Refuses a method of HTTP.
pub(crate) fn wrong_method(message: &str) -> Error {
    Error::new(Code::Unimplemented, "request.method", message.to_owned())
        .help("Send a query by GET or POST, everything else by POST.")
}

/// What a request asks.
///
/// # Errors
/// `json.malformed`, `request.query`, `graphql.batch`, `graphql.request`.
pub(crate) fn read(head: &Parts, body: &[u8]) -> Result<Request> {
    if head.method == Method::GET {
        return of_query(head.uri.query().unwrap_or_default());
    }
    let body: Json = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    of_json(body)
}

/// What a message of JSON asks.
pub(crate) fn of_json(body: Json) -> Result<Request> {
    let mut fields = match body {
        Json::Object(fields) => fields,
        Json::Array(_) => {
            let message = "a request is one question, not a list of them";
            return Err(Error::new(Code::InvalidArgument, "graphql.batch", message)
                .help("Ask for several fields in one document, or send several requests."));
        }
        _ => return Err(wrong("a request is an object")),
    };
    let mut take = |name: &str| fields.remove(name).filter(|value| !value.is_null());
    let query = match take("query") {
        Some(Json::String(query)) => query,
        Some(_) => return Err(wrong("`query` is text")),
        None => return Err(wrong("there is no `query`")),
    };
    let operation = match take("operationName") {
        None => None,
        Some(Json::String(name)) => Some(name),
        Some(_) => return Err(wrong("`operationName` is text")),
    };
    let variables = map(take("variables"), "`variables` is an object")?;
    map(take("extensions"), "`extensions` is an object")?;
    Ok(Request { query, operation, variables })
}

fn of_query(query: &str) -> Result<Request> {
    let mut fields = serde_json::Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (unescaped(name)?, unescaped(value)?);
        let value = match name.as_str() {
            "variables" | "extensions" if value.is_empty() => Json::Null,
            "variables" | "extensions" => {
                serde_json::from_str(&value).map_err(|error| malformed(&error))?
            }
            "operationName" if value.is_empty() => Json::Null,
            _ => Json::String(value),
        };
        fields.insert(name, value);
    }
    of_json(Json::Object(fields))
}

fn map(value: Option<Json>, wanted: &'static str) -> Result<JsonMap> {
    match value {
        None => Ok(JsonMap::new()),
        Some(value @ Json::Object(_)) => match value.into() {
            apollo_compiler::response::JsonValue::Object(map) => Ok(map),
            _ => Err(wrong(wanted)),
        },
        Some(_) => Err(wrong(wanted)),
    }
}

fn unescaped(text: &str) -> Result<String> {
    let spaced = text.replace('+', " ");
    let text = percent_decode_str(&spaced).decode_utf8();
    text.map(Cow::into_owned).map_err(|_| {
        Error::new(Code::InvalidArgument, "request.query", "the query is not UTF-8")
            .help("Encode what is not ASCII as the percent-encoded bytes of its UTF-8.")
    })
}

fn malformed(error: &serde_json::Error) -> Error {
    Error::new(Code::InvalidArgument, "json.malformed", format!("not JSON: {error}"))
        .help("Send `{\"query\": …, \"variables\": {…}}`.")
}

fn wrong(message: &'static str) -> Error {
    Error::new(Code::InvalidArgument, "graphql.request", message).help(
        "Send `{\"query\": …, \"variables\": {…}}`, and `operationName` to choose one of several.",
    )
}
