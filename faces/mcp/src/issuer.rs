//! Who gives tokens for this server: the metadata of a protected resource (RFC 9728), by which a client
//! that was refused finds out where to sign in.

use http::request::Parts;
use http::{HeaderValue, Method, Response, Uri, header};
use serde_json::json;
use stoa_kit::{Error, Result};
use stoa_node::Content;

use crate::wrong_method;

/// Where it is said, with the path of the resource behind it.
pub(crate) const PATH: &str = "/.well-known/oauth-protected-resource";
/// How it is asked for.
pub(crate) const ALLOW: &str = "GET";

/// An authorization server, and what it gives tokens for.
#[derive(Debug, Clone)]
pub struct Issuer {
    issuer: String,
    resource: Uri,
}

impl Issuer {
    /// The server at an address, for the resource at another one: both are absolute.
    ///
    /// # Errors
    /// Which of them is not.
    pub fn new(issuer: &str, resource: &str) -> Result<Self, String> {
        let absolute = |text: &str| {
            let uri = text.parse::<Uri>().ok();
            let is_web = |uri: &Uri| matches!(uri.scheme_str(), Some("https" | "http"));
            uri.filter(is_web).ok_or_else(|| format!("`{text}` is no address of the web"))
        };
        absolute(issuer)?;
        Ok(Self { issuer: issuer.to_owned(), resource: absolute(resource)? })
    }

    /// What is said to whoever asks.
    ///
    /// # Errors
    /// `internal`.
    pub(crate) fn answer(&self) -> Result<Response<Content>> {
        let metadata = json!({
            "resource": self.resource.to_string(),
            "resource_name": "Stoa",
            "authorization_servers": [self.issuer],
            "bearer_methods_supported": ["header"],
        });
        Response::builder()
            .header(header::CONTENT_TYPE, "application/json")
            .body(Content::from(metadata.to_string()))
            .map_err(Error::internal)
    }

    /// What is said to whoever has to sign in.
    pub(crate) fn challenge(&self) -> Option<HeaderValue> {
        let scheme = self.resource.scheme_str()?;
        let (host, path) = (self.resource.authority()?, self.resource.path().trim_end_matches('/'));
        let known = format!("Bearer resource_metadata=\"{scheme}://{host}{PATH}{path}\"");
        HeaderValue::try_from(known).ok()
    }
}

/// Whether a request is about this.
pub(crate) fn is_asked(head: &Parts) -> bool {
    head.uri.path().starts_with(PATH)
}

/// # Errors
/// `request.method`.
pub(crate) fn check(method: &Method) -> Result<()> {
    match *method {
        Method::GET => Ok(()),
        _ => Err(wrong_method(method, ALLOW)),
    }
}
