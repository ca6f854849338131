//! Live: any query, watched.
//!
//! `/live` is a WebSocket (`stoa.live.v1`) on which many queries are watched at once, or, for a plain
//! GET or POST, server-sent events of those that the request names. Both say the same, in JSON:
//!
//! ```text
//! {"type":"reply","id":"a","position":"p1f","etag":"09f3…","reply":{…}}   what it says now
//! {"type":"unchanged","id":"a"}                                          what its watcher has seen
//! {"type":"error","id":"a","error":{…}}                                  it is over
//! ```
//!
//! **Invariant:** no service is named here: a query is named by its path.
//!
//! **Invariant:** each watch is let in by itself, as a call of its query would be.

#![forbid(unsafe_code)]

mod asked;
mod events;
mod follow;
mod socket;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{HeaderValue, Method, Response, header};
use stoa_kit::{Code, Error, Result};
use stoa_node::{Asked, Content, Face, Visit, shown, status};

/// Where it is.
const PATH: &str = "/live";
const ALLOW: &str = "GET, POST, OPTIONS";

/// Live, as a face of a node.
pub struct Live;

impl Face for Live {
    fn name(&self) -> &str {
        "live"
    }

    fn prefixes(&self) -> Vec<String> {
        vec![PATH.to_owned()]
    }

    fn asked(&self, head: &Parts) -> Result<Asked> {
        if head.uri.path() != PATH {
            return Err(Error::not_found("path", "below /live"));
        }
        match head.method {
            Method::GET | Method::POST | Method::OPTIONS => {
                Ok(Asked { method: None, body_max: None })
            }
            _ => {
                let message = format!("this is not asked for by {}", head.method);
                Err(Error::new(Code::Unimplemented, "request.method", message)
                    .help(format!("Send one of: {ALLOW}.")))
            }
        }
    }

    fn answer(&self, visit: Visit) -> BoxFuture<'static, Result<Response<Content>>> {
        async move {
            match visit.head.method {
                Method::OPTIONS => {
                    let answer = Response::builder().status(204).header(header::ALLOW, ALLOW);
                    answer.body(Content::from("")).map_err(Error::internal)
                }
                Method::GET if stoa_node::socket::is_wanted(&visit.head.headers) => {
                    visit.upgrade(&[socket::PROTOCOL], None, socket::talk)
                }
                _ => events::respond(&visit),
            }
        }
        .boxed()
    }

    fn refuse(&self, _: &str, _: &str, error: &Error) -> Response<Content> {
        let text = serde_json::to_vec(&shown(error)).unwrap_or_default();
        let mut refusal = Response::new(Content::from(text));
        *refusal.status_mut() = status(error);
        let headers = refusal.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if error.reason() == "request.method" {
            headers.insert(header::ALLOW, HeaderValue::from_static(ALLOW));
        }
        refusal
    }
}
