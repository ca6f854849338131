//! The console: the pages of `web/console`, embedded, at every path that nobody else answers.
//!
//! Pages are files. What they show they ask of the services by RPC, as any program does, and which
//! services there are they learn from descriptors. What is theirs alone stands below `/-/`: sessions,
//! whose token no script can read, and those descriptors.
//!
//! **Invariant:** this knows one contract, `auth`, to sign somebody in, and no other.
//!
//! **Invariant:** no page loads anything from elsewhere, and none holds a script of its own: the
//! content-security policy says so to every browser.

#![forbid(unsafe_code)]

mod files;
mod packed;
mod session;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use packed::Packed;
pub use packed::etag;
use serde::Serialize;
use stoa_auth_v1::{SignInRequest, SignOutRequest, WhoAmIRequest};
use stoa_contract::{Code, Contract, IMPORTS, Violation, Words};
use stoa_kit::{Error, Registry, Request as _, Result};
use stoa_node::{Asked, Content, Face, Visit, is_own_page, status};

/// Looked at by GET, opened by POST, ended by DELETE.
const SESSION: &str = "/-/session";
/// What the services promise, as one `FileDescriptorSet`.
pub const DESCRIPTORS: &str = "/-/descriptors";
/// A page as any other: what pages are made of, in all its states.
const PARTS: &str = "/-/parts";
/// The largest request for a session: what a passkey signed, and what is said beside it.
const SESSION_MAX: usize = 20 << 10;

/// Asked by a browser before it knows anything.
const EVERYBODY: Asked = Asked { method: None, body_max: None };

/// The console, as a face of a node.
pub struct Console {
    descriptors: Packed,
}

impl Console {
    /// The console for the services of a node.
    pub fn new(registry: &Registry) -> Self {
        let contracts = registry.services().iter().filter_map(|service| service.contract);
        Self { descriptors: Packed::new(descriptors(contracts).into()) }
    }
}

/// What contracts promise, as one `FileDescriptorSet`: the same for the same contracts.
pub fn descriptors<'a>(contracts: impl Iterator<Item = &'a Contract>) -> Vec<u8> {
    let mut contracts: Vec<_> = contracts.collect();
    contracts.sort_by_key(|contract| contract.full_name);
    let sets = [IMPORTS].into_iter().chain(contracts.iter().map(|contract| contract.descriptors));
    // Messages of protobuf one after the other are one message, with the items of all.
    sets.collect::<Vec<_>>().concat()
}

impl Face for Console {
    fn name(&self) -> &str {
        "console"
    }

    fn prefixes(&self) -> Vec<String> {
        vec!["/".to_owned()]
    }

    fn asked(&self, head: &Parts) -> Result<Asked> {
        match (&head.method, head.uri.path()) {
            (&Method::POST, SESSION) if is_own_page(&head.headers) => {
                Ok(Asked { body_max: Some(SESSION_MAX), ..SignInRequest::METHOD.into() })
            }
            (&Method::DELETE, SESSION) => Ok(SignOutRequest::METHOD.into()),
            (&Method::GET, SESSION) => Ok(EVERYBODY),
            (&Method::GET, DESCRIPTORS) => Ok(WhoAmIRequest::METHOD.into()),
            (&Method::GET | &Method::HEAD, path) if path == PARTS || !path.starts_with("/-/") => {
                let found = files::at(path).ok_or_else(|| Error::not_found("page", path));
                found.map(|_| EVERYBODY)
            }
            (method, path) => Err(nothing_here(method, path)),
        }
    }

    fn answer(&self, visit: Visit) -> BoxFuture<'static, Result<Response<Content>>> {
        let descriptors = self.descriptors.clone();
        async move {
            match (&visit.head.method, visit.head.uri.path()) {
                (&Method::POST, SESSION) => session::open(&visit).await,
                (&Method::DELETE, SESSION) => session::close(&visit).await,
                (_, SESSION) => session::look(&visit),
                (_, DESCRIPTORS) => descriptors.respond(&visit.head.headers),
                (_, path) => {
                    let file = files::at(path).ok_or_else(|| Error::not_found("page", path))?;
                    Ok(file.respond(&visit.head.headers))
                }
            }
        }
        .boxed()
    }

    fn refuse(&self, _: &str, trace: &str, error: &Error) -> Response<Content> {
        refused(trace, error)
    }
}

fn nothing_here(method: &Method, path: &str) -> Error {
    let message = format!("{path} is not asked for by {method} from where this came");
    Error::new(Code::Unimplemented, "request.method", message)
        .help("Open the console in a browser; programs call the services themselves.")
}

/// An error, in the words of the console's pages.
#[derive(Serialize)]
struct Refusal<'a> {
    code: &'static str,
    reason: &'a str,
    message: &'a str,
    violations: &'a [Violation],
    next: &'a str,
    trace: &'a str,
}

fn refused(trace: &str, error: &Error) -> Response<Content> {
    let refusal = Refusal {
        code: error.code().word(),
        reason: error.reason(),
        message: error.message(),
        violations: error.violations(),
        next: error.next(),
        trace,
    };
    // Texts can always be written.
    let mut response =
        Response::new(Content::from(serde_json::to_vec(&refusal).unwrap_or_default()));
    *response.status_mut() = match error.reason() {
        "request.method" => StatusCode::METHOD_NOT_ALLOWED,
        _ => status(error),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(wait) = error.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    response
}
