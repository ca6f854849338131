//! HTTP to the outside (RFC 9112), over TLS.
//!
//! This driver is the port [`Http`] and nothing else: it sends one request and takes in one answer.
//! Which hosts a service may reach, what is sent along and whether a redirect is followed, the node
//! decides; where on the network a request may end up, and over what, is decided here, by
//! [`Egress`].
//!
//! **Invariant:** the address that a connection is made to is one that was checked. A name is
//! resolved once for a connection, and if one of its addresses may not be reached, none is.
//!
//! **Invariant:** what is not public is reached only where the configuration names its network, for
//! a user only at a host that it names in full, and in the clear only a host that it names. No variable of the environment changes the way.
//!
//! **Invariant:** an answer is as large as was asked for at the most, and came in the time that was
//! given. It is not decompressed.
//!
//! **Invariant:** no path, query, header or body stands in an error.

#![forbid(unsafe_code)]

mod connect;
mod egress;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderValue, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use stoa_kit::outbound::{Fetched, Http, Outbound, origin};
use stoa_kit::{Code, Error, Result};
use tokio::time::timeout;

pub use connect::{Resolve, system};
pub use egress::Egress;

use connect::Connector;

use std::sync::Arc;
use std::time::Duration;

/// The largest head of an answer, in bytes.
const HEAD_MAX: usize = 64 << 10;
/// How long a connection is kept that nobody uses, and how many for one host.
const IDLE: Duration = Duration::from_secs(30);
const IDLE_MAX: usize = 8;

/// Sends requests to the outside.
pub struct Client {
    /// To wherever the configuration says, and to public addresses alone. Connections are kept by
    /// host, and one that was made by the first would be found by the second.
    any: legacy::Client<Connector, Full<Bytes>>,
    public: legacy::Client<Connector, Full<Bytes>>,
    egress: Arc<Egress>,
}

impl Client {
    /// A client that goes where it may, and asks `resolve` for the addresses of names:
    /// [`system`], as everybody on this machine does.
    ///
    /// # Errors
    /// `http.configuration` where the roots hold no certificates.
    pub fn new(egress: Egress, resolve: Resolve) -> Result<Self> {
        let egress = Arc::new(egress);
        let connector = Connector::new(Arc::clone(&egress), resolve)?;
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_MAX)
            .http1_max_buf_size(HEAD_MAX);
        let public = builder.build(connector.public());
        Ok(Self { any: builder.build(connector), public, egress })
    }
}

impl Http for Client {
    fn send(&self, outbound: Outbound) -> BoxFuture<'static, Result<Fetched>> {
        let Outbound { mut request, given, answer_max, wait_max } = outbound;
        let (allowed, address) = (self.egress.check(request.uri(), given), request.uri().clone());
        request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let private = self.egress.may_be_private(&address, given);
        let client = if private { &self.any } else { &self.public }.clone();
        Box::pin(async move {
            allowed?;
            let exchange = async {
                let answer = client.request(request.map(Full::new)).await;
                take(answer.map_err(|error| failed(&error, &address))?, answer_max, &address).await
            };
            timeout(wait_max, exchange).await.unwrap_or_else(|_| Err(too_slow(&address)))
        })
    }
}

/// Takes an answer in.
async fn take(answer: Response<Incoming>, answer_max: usize, address: &Uri) -> Result<Fetched> {
    let (head, mut body) = answer.into_parts();
    if head.headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        let what = format!("{} compresses its answer, unasked", origin(address));
        return Err(useless("http.compressed", what));
    }
    let too_large = || {
        let what = format!("the answer of {} has more than {answer_max} bytes", origin(address));
        useless("http.too_large", what)
    };
    if body.size_hint().lower() > answer_max as u64 {
        return Err(too_large());
    }
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| broken(address))?.into_data() else { continue };
        if whole.len() + data.len() > answer_max {
            return Err(too_large());
        }
        whole.extend_from_slice(&data);
    }
    Ok(Fetched { status: head.status, headers: head.headers, body: whole.into() })
}

/// What a failure means: the connector says it in our words, the connection in its own.
fn failed(error: &legacy::Error, address: &Uri) -> Error {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<Error>() {
            return error.clone();
        }
        if inner.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse_too_large) {
            let what = format!("the head of the answer of {} is too large", origin(address));
            return useless("http.too_large", what);
        }
        cause = inner.source();
    }
    broken(address)
}

fn broken(address: &Uri) -> Error {
    let what =
        format!("the connection to {} broke off before the answer was whole", origin(address));
    Error::unavailable("http.broken", what)
}

fn too_slow(address: &Uri) -> Error {
    Error::unavailable("http.timeout", format!("{} did not answer in time", origin(address)))
}

/// An answer that the next attempt would bring again.
fn useless(reason: &'static str, what: String) -> Error {
    Error::new(Code::FailedPrecondition, reason, what)
        .help("What was asked for may have happened; asking again brings the same answer.")
}
