//! HTTP to the outside, for an effect: whether its service may go there, what is sent along, and
//! where the answer sends it on.
//!
//! **Invariant:** a service reaches the hosts that its manifest names, and others only where the
//! manifest says that users name them: at the first hop as at every other one.
//!
//! **Invariant:** what a request carries goes to the origin that it was meant for. Elsewhere a
//! redirect takes no body and none but harmless headers, and never from `https` to `http`.
//!
//! **Invariant:** no address, header or body stands in an error or in the log; an address may hold a
//! secret anywhere but in its origin.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use stoa_kit::outbound::{Fetch, Fetched, Hosts, Http, Outbound, origin};
use stoa_kit::ports::{Port as _, absent};
use stoa_kit::{Basis, Code, Error, Registry, Result, Service};
use url::Url;

use crate::Node;

/// The longest address, in bytes.
const URL_MAX: usize = 8 << 10;
/// What the connection says, and not whoever asks.
const OF_THE_CONNECTION: [HeaderName; 9] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
    header::ACCEPT_ENCODING,
];
/// What another origin may be told.
const HARMLESS: [HeaderName; 3] = [header::ACCEPT, header::ACCEPT_LANGUAGE, header::USER_AGENT];
const USER_AGENT: &str = concat!("stoa/", env!("CARGO_PKG_VERSION"));

/// The hosts that each service names.
pub(crate) struct Reach(Vec<Hosts>);

impl Reach {
    /// # Errors
    /// `node.catalogue` for a name that is none of a host.
    pub(crate) fn new(registry: &Registry) -> Result<Self> {
        let hosts = |service: &Service| {
            let hosts = Hosts::parse(service.reaches.iter().copied());
            hosts.ok().filter(|hosts| !hosts.are_all()).ok_or_else(|| {
                let message = format!("`{}` reaches what is no host", service.name);
                Error::new(Code::FailedPrecondition, "node.catalogue", message)
                    .help("Name hosts in the manifest as `api.example.com` or `*.example.com`.")
            })
        };
        registry.services().iter().map(hosts).collect::<Result<_>>().map(Self)
    }

    /// Whether it is a user who names the host of an address, and not the manifest.
    fn is_given(&self, basis: &Basis, service: &Service, address: &Uri) -> Result<bool> {
        if self.0[usize::from(basis.service.0)].contain(address) {
            return Ok(false);
        }
        if service.reaches_given {
            return Ok(true);
        }
        let message = format!("`{}` does not reach {}", service.name, origin(address));
        Err(Error::new(Code::FailedPrecondition, "http.refused_host", message)
            .help("Name the host in the manifest of the service, if it is meant to be reached."))
    }
}

impl Node {
    /// Fetches for an effect; `key` is what the other side may tell a repetition by.
    pub(crate) async fn fetch(
        self: &Arc<Self>, basis: &Basis, fetch: Fetch, key: Option<String>,
    ) -> Result<Fetched> {
        let service = self.registry.service(basis.service);
        let outcome = self.follow(basis, service, fetch, key).await;
        let told = match &outcome {
            Ok(fetched) => format!("{}xx", fetched.status.as_u16() / 100),
            Err(error) => error.reason().to_owned(),
        };
        self.metrics.fetched(service.name, told);
        outcome
    }

    async fn follow(
        &self, basis: &Basis, service: &Service, fetch: Fetch, key: Option<String>,
    ) -> Result<Fetched> {
        let http = self
            .ports
            .get::<dyn Http>()
            .ok_or_else(|| absent(service.name, <dyn Http>::NAME, <dyn Http>::PROVIDE))?;
        let end = self.world.uptime().saturating_add(fetch.wait_max);
        let end = basis.deadline.map_or(end, |deadline| deadline.min(end));
        let (answer_max, mut left) = (fetch.answer_max, fetch.redirects_max);
        let mut hop = Hop::first(fetch, key, self.trace_parent(&basis.trace))?;
        loop {
            let wait_max = end.saturating_sub(self.world.uptime());
            if wait_max.is_zero() {
                return Err(Error::unavailable("http.timeout", "there was no time left to ask"));
            }
            let request = hop.request()?;
            let given = self.reach.is_given(basis, service, request.uri())?;
            let asked = origin(request.uri());
            let answer = http.send(Outbound { request, given, answer_max, wait_max }).await;
            let (service, method) = (service.name, hop.method.as_str());
            let status = answer.as_ref().map(|answer| answer.status.as_u16());
            tracing::debug!(
                service,
                method,
                origin = asked,
                trace = basis.trace,
                ?status,
                "fetched"
            );
            let answer = answer?;
            match next(&answer) {
                Some(location) if left > 0 => hop = hop.next(answer.status, location)?,
                Some(_) if hop.redirected => return Err(redirect("it redirects too often")),
                _ => return Ok(answer),
            }
            left -= 1;
        }
    }

    /// The trace, as the W3C has it sent along; none where there is none.
    fn trace_parent(&self, trace: &str) -> Option<String> {
        let mut span = [0; 8];
        self.world.entropy(&mut span);
        let span = u64::from_le_bytes(span).max(1);
        (!trace.is_empty()).then(|| format!("00-{trace}-{span:016x}-01"))
    }
}

/// Where an answer sends on.
fn next(answer: &Fetched) -> Option<&HeaderValue> {
    let redirects = matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308);
    redirects.then(|| answer.headers.get(header::LOCATION)).flatten()
}

/// One request on the way to an answer.
struct Hop {
    url: Url,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
    redirected: bool,
}

impl Hop {
    fn first(fetch: Fetch, key: Option<String>, trace_parent: Option<String>) -> Result<Self> {
        let url = address(&fetch.url)?;
        let mut headers = HeaderMap::new();
        for (name, value) in &fetch.headers {
            let name = HeaderName::try_from(name.as_str()).ok();
            let name = name.filter(|name| !OF_THE_CONNECTION.contains(name));
            let value = HeaderValue::try_from(value.as_str());
            let (Some(name), Ok(value)) = (name, value) else {
                return Err(malformed("a header is none, or belongs to the connection"));
            };
            headers.append(name, value);
        }
        let key = key.filter(|_| !is_safe(&fetch.method));
        for (name, value) in [
            (HeaderName::from_static("idempotency-key"), key),
            (HeaderName::from_static("traceparent"), trace_parent),
            (header::USER_AGENT, Some(USER_AGENT.to_owned())),
        ] {
            if let (Some(value), false) = (value, headers.contains_key(&name)) {
                headers.insert(name, HeaderValue::try_from(value).map_err(Error::internal)?);
            }
        }
        let Fetch { method, body, .. } = fetch;
        Ok(Self { url, method, headers, body, redirected: false })
    }

    fn request(&self) -> Result<Request<Bytes>> {
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() =
            self.url.as_str().parse().map_err(|_| malformed("an address is none"))?;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }

    /// The request that an answer asks for, as browsers understand it (Fetch, "HTTP-redirect
    /// fetch"), but for what may not leave an origin.
    fn next(self, status: StatusCode, location: &HeaderValue) -> Result<Self> {
        let Self { url: from, mut method, mut headers, mut body, .. } = self;
        let to = location.to_str().ok().and_then(|location| from.join(location).ok());
        let url = address(to.as_ref().map_or("", Url::as_str))?;
        if from.scheme() == "https" && url.scheme() != "https" {
            return Err(redirect("it redirects from https to http"));
        }
        let becomes_get = match status.as_u16() {
            301 | 302 => method == Method::POST,
            303 => !is_safe(&method),
            _ => false,
        };
        if becomes_get {
            (method, body) = (Method::GET, Bytes::new());
            let about_body =
                ["content-type", "content-encoding", "content-language", "idempotency-key"];
            about_body.iter().for_each(|name| drop(headers.remove(*name)));
        }
        if from.origin() != url.origin() {
            if !is_safe(&method) {
                return Err(redirect("it redirects what is sent to another origin"));
            }
            body = Bytes::new();
            headers = HARMLESS
                .iter()
                .filter_map(|name| Some((name.clone(), headers.get(name)?.clone())))
                .collect();
        }
        Ok(Self { url, method, headers, body, redirected: true })
    }
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Reads an address as browsers do (the URL standard): whatever stands for an address of the network
/// is written as one, `http://0x7f.1` as `http://127.0.0.1`.
fn address(text: &str) -> Result<Url> {
    let url =
        Some(text).filter(|text| text.len() <= URL_MAX).and_then(|text| Url::parse(text).ok());
    let url = url.filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
    let mut url = url.ok_or_else(|| malformed("an address is none of `https` or `http`"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(malformed("an address holds a password; send it in a header"));
    }
    url.set_fragment(None);
    Ok(url)
}

fn malformed(what: &'static str) -> Error {
    Error::new(Code::InvalidArgument, "http.malformed", what)
        .help("Correct the request; sending the same again will fail again.")
}

fn redirect(what: &'static str) -> Error {
    Error::new(Code::FailedPrecondition, "http.redirect", what)
        .help("Ask where it redirects to, if that is what is meant.")
}
