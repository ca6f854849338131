//! MCP: every method of every contract as a tool of agents, over streamable HTTP.
//!
//! A message of JSON-RPC is one request of HTTP, and its answer is what comes back: a whole message,
//! or a stream of events where there is more to say than the answer. `rmcp` has the words of the
//! protocol; its server would bring a listener, tasks and an unbounded memory of sessions of its own,
//! so what carries the words is here, behind the node's door.
//!
//! **Invariant:** no service is named here. A contract that is in the catalogue has its tools.
//!
//! **Invariant:** a call of a tool is one call of a method, and what is wrong with its arguments is
//! wrong for the same reason, at the same path, as on Connect: they are handed over as they were
//! written.
//!
//! **Invariant:** what is remembered between two messages is bounded, belongs to the caller whom it
//! was begun for, and can be lost: whoever comes with a session that is gone begins another one.

#![forbid(unsafe_code)]

mod call;
mod complete;
mod content;
mod elicit;
mod gather;
mod head;
mod hints;
mod issuer;
mod message;
mod prompts;
mod refusal;
mod resources;
mod search;
mod serve;
mod session;
mod subscribe;
mod tools;

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use stoa_contract::v1::Money;
use stoa_kit::{Error, Registry, Result};
use stoa_node::{Asked, Content, Face, Origins, Visit};

use crate::serve::Server;

pub use crate::issuer::Issuer;

/// Where it is.
const PATH: &str = "/mcp";
/// What can be done there. By GET, a session is told of what it subscribed to.
const ALLOW: &str = "GET, POST, DELETE";

/// MCP, as a face of a node.
pub struct Mcp(Arc<Server>);

/// What an operator decides.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The origins whose pages may call, besides those of the machine that the node is on.
    pub origins: Origins,
    /// How many calls a session may make; 0 for no limit.
    pub session_calls: u32,
    /// What the calls of a session may cost together; none for no limit.
    pub session_money: Option<Money>,
    /// Who gives tokens, and for which address.
    pub issuer: Option<Issuer>,
}

impl Mcp {
    /// MCP for the services of a node.
    pub fn new(registry: &Registry, settings: Settings) -> Self {
        Self(Arc::new(Server::new(registry, settings)))
    }
}

impl Face for Mcp {
    fn name(&self) -> &str {
        "mcp"
    }

    fn prefixes(&self) -> Vec<String> {
        let known = self.0.settings.issuer.iter().map(|_| issuer::PATH.to_owned());
        known.chain([PATH.to_owned()]).collect()
    }

    fn asked(&self, head: &Parts) -> Result<Asked> {
        if issuer::is_asked(head) {
            issuer::check(&head.method)?;
        } else {
            head::check(head, &self.0.settings.origins)?;
        }
        Ok(Asked { method: None, body_max: None })
    }

    /// A token that is no longer good is answered by 401, says the protocol.
    fn forgives(&self) -> bool {
        false
    }

    fn answer(&self, visit: Visit) -> BoxFuture<'static, Result<Response<Content>>> {
        let server = Arc::clone(&self.0);
        async move {
            match server.settings.issuer.as_ref().filter(|_| issuer::is_asked(&visit.head)) {
                Some(issuer) => issuer.answer(),
                None => server.answer(visit).await,
            }
        }
        .boxed()
    }

    fn refuse(&self, path: &str, trace: &str, error: &Error) -> Response<Content> {
        let mut refusal = refusal::respond(trace, error);
        if refusal.status() == StatusCode::UNAUTHORIZED {
            let issuer = self.0.settings.issuer.as_ref();
            let bearer = HeaderValue::from_static("Bearer");
            let challenge = issuer.and_then(Issuer::challenge).unwrap_or(bearer);
            refusal.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if error.reason() == "request.method" {
            let allow = if path.starts_with(issuer::PATH) { issuer::ALLOW } else { ALLOW };
            refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        refusal
    }
}

fn wrong_method(method: &Method, allow: &str) -> Error {
    let message = format!("this is not asked for by {method}");
    Error::new(stoa_kit::Code::Unimplemented, "request.method", message)
        .help(format!("Send one of: {allow}."))
}
