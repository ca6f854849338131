//! What somebody wants to watch.

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;
use stoa_kit::{Code, Error, Result};

/// Watches of one connection.
pub(crate) const WATCHES_MAX: usize = 1_000;
/// The longest name of a watch.
const ID_MAX: usize = 64;

/// A query to watch.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Watching {
    /// What the client calls it.
    pub(crate) id: String,
    /// The query's path.
    pub(crate) method: String,
    #[serde(default = "nothing")]
    pub(crate) request: Value,
    /// The etag of what was seen last.
    #[serde(default)]
    pub(crate) etag: String,
}

/// A message of a client.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Said {
    SignIn { authorization: String },
    Watch(Watching),
    Unwatch { id: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    watches: Vec<Watching>,
}

fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}

/// Reads a message.
pub(crate) fn said(text: &str) -> Result<Said> {
    let said = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    if let Said::Watch(watching) = &said {
        watching.check()?;
    }
    Ok(said)
}

/// Reads what a request wants to watch: `?watch={…}` as often as there are watches, or a body
/// `{"watches":[…]}`.
pub(crate) fn all(query: &str, body: &[u8]) -> Result<Vec<Watching>> {
    let mut watches = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some(text) = pair.strip_prefix("watch=") else {
            let name = pair.split('=').next().unwrap_or_default();
            return Err(Error::field(name, "query.unknown", "is not known here"));
        };
        let spaced = text.replace('+', " ");
        let text = percent_decode_str(&spaced).decode_utf8().map_err(|_| {
            Error::new(Code::InvalidArgument, "request.query", "the query is not UTF-8")
                .help("Encode what is not ASCII as the percent-encoded bytes of its UTF-8.")
        })?;
        watches.push(serde_json::from_str(&text).map_err(|error| malformed(&error))?);
    }
    if !body.is_empty() {
        let body: Body = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
        watches.extend(body.watches);
    }
    match watches.len() {
        0 => Err(Error::field("watches", "repeated.min_items", "must name a query to watch")),
        1..=WATCHES_MAX => watches.iter().try_for_each(Watching::check).map(|()| watches),
        _ => Err(too_many()),
    }
}

impl Watching {
    fn check(&self) -> Result<()> {
        if self.id.len() > ID_MAX {
            let message = format!("must have at most {ID_MAX} bytes");
            return Err(Error::field("id", "string.max_len", message));
        }
        Ok(())
    }
}

pub(crate) fn too_many() -> Error {
    let message = format!("a connection watches {WATCHES_MAX} queries at the most");
    Error::new(Code::ResourceExhausted, "live.watches", message)
        .help("Watch less at once, or a list instead of each of its rows.")
}

fn malformed(error: &serde_json::Error) -> Error {
    Error::new(Code::InvalidArgument, "json.malformed", format!("this is not understood: {error}"))
        .help("Send what docs/faces.md shows for /live.")
}
