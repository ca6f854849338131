//! HTTP to the outside: what an effect asks for, and the port that sends it.
//!
//! A manifest says which hosts a service reaches ([`Service::reaches`]), or that its users say which
//! ([`Service::reaches_given`]); [`Ctx::fetch`] reaches those and no others. The node sends along the
//! trace and, for whatever is no mere look, a key that stays the same when the effect runs again.
//!
//! ```ignore
//! let charge = Fetch::post("https://api.stripe.com/v1/charges", FORM, body).bearer(&secret);
//! let charge = ctx.fetch(charge).await?.success()?;
//! ```
//!
//! An address may hold a secret, in its path as in its query. So of an address errors and logs name
//! no more than the [`origin`].
//!
//! [`Service::reaches`]: crate::Service::reaches
//! [`Service::reaches_given`]: crate::Service::reaches_given
//! [`Ctx::fetch`]: crate::Ctx::fetch

use std::fmt;
use std::net::Ipv6Addr;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Method, Request, StatusCode, Uri, header};

use crate::ports::Port;
use crate::{Code, Error, Result};

/// How long an answer is waited for, if nothing is said.
const WAIT: Duration = Duration::from_secs(30);
/// The largest answer, if nothing is said.
const ANSWER_MAX: usize = 1 << 20;

/// A request to the outside, and what its answer may come to.
#[derive(Clone)]
pub struct Fetch {
    /// The verb.
    pub method: Method,
    /// The address: `https://hooks.example.com/a?b=c`.
    pub url: String,
    /// Headers, by name and value.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// How many redirects are followed; an answer that is one more is an error, and with none it is
    /// an answer like any other.
    pub redirects_max: u8,
    /// The largest body of an answer, in bytes.
    pub answer_max: usize,
    /// How long the whole may take, the redirects that are followed included.
    pub wait_max: Duration,
}

impl Fetch {
    /// A request without a body.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            redirects_max: 0,
            answer_max: ANSWER_MAX,
            wait_max: WAIT,
        }
    }

    /// A look at what is there.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::GET, url)
    }

    /// Sends something.
    pub fn post(url: impl Into<String>, content_type: &str, body: impl Into<Bytes>) -> Self {
        let post = Self { body: body.into(), ..Self::new(Method::POST, url) };
        post.header(header::CONTENT_TYPE.as_str(), content_type)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Shows a bearer token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header(header::AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }
}

/// What came back.
#[derive(Clone)]
pub struct Fetched {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Fetched {
    /// The answer, if it says that what was asked for happened.
    ///
    /// # Errors
    /// `http.status`: `unavailable` where the answer says that trying again may help,
    /// `failed_precondition` where not.
    pub fn success(self) -> Result<Self> {
        if self.status.is_success() {
            return Ok(self);
        }
        let what = format!("the answer was {}", self.status.as_u16());
        let passes =
            [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
        if !self.status.is_server_error() && !passes.contains(&self.status) {
            return Err(Error::new(Code::FailedPrecondition, "http.status", what)
                .help("Correct what is sent; sending the same again will be refused again."));
        }
        let error = Error::unavailable("http.status", what);
        Err(match self.retry_after() {
            Some(wait) => error.wait(wait),
            None => error,
        })
    }

    /// How long the answer asks to wait, where it says so in seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

/// Sends requests to the outside: the port behind [`Ctx::fetch`](crate::Ctx::fetch).
pub trait Http: Send + Sync + 'static {
    /// Sends one request and takes in one answer, a redirect as any other.
    ///
    /// # Errors
    /// `unavailable` where trying again may help, `failed_precondition` where not:
    /// `docs/spec/outbound.md` has the reasons.
    fn send(&self, outbound: Outbound) -> BoxFuture<'static, Result<Fetched>>;
}

impl Port for dyn Http {
    const NAME: &'static str = "http";
    const PROVIDE: &'static str = "Give the node a driver for HTTP, such as `stoa_http`.";
}

/// A request on its way out.
#[derive(Clone)]
pub struct Outbound {
    /// The request; its address is absolute.
    pub request: Request<Bytes>,
    /// Whether it is a user who said where it goes, and not the manifest.
    pub given: bool,
    /// The largest body of an answer, in bytes.
    pub answer_max: usize,
    /// How long it may take.
    pub wait_max: Duration,
}

// What somebody prints shows no secret.

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch").field("method", &self.method).finish_non_exhaustive()
    }
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched").field("status", &self.status).finish_non_exhaustive()
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, origin) = (self.request.method(), origin(self.request.uri()));
        let mut shown = f.debug_struct("Outbound");
        shown.field("method", method).field("origin", &origin).finish_non_exhaustive()
    }
}

/// The part of an address that may be told to anybody: `https://hooks.example.com:8443`.
pub fn origin(address: &Uri) -> String {
    let (scheme, host) = (address.scheme_str().unwrap_or(""), address.host().unwrap_or(""));
    let port = address.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{scheme}://{host}{port}")
}

/// Hosts by their names: `api.stripe.com`, `*.example.com` for all below one, `*` for all. What
/// names no port is meant at the usual ones, of `https` and `http`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts(Vec<(Box<str>, Option<u16>)>);

impl Hosts {
    /// Reads names, or says which of them is none.
    ///
    /// # Errors
    /// The name that is none.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        names.into_iter().map(|name| pattern(name).ok_or(name)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether every host is one of them.
    pub fn are_all(&self) -> bool {
        self.0.iter().any(|(name, _)| &**name == "*")
    }

    /// Whether an address is at one of them.
    pub fn contain(&self, address: &Uri) -> bool {
        self.any(address, |name, host| match name.strip_prefix('*') {
            Some(below) => host.len() > below.len() && host.ends_with(below),
            None => host == name,
        })
    }

    /// Whether an address is at one that is named in full, and not as one of many.
    pub fn name(&self, address: &Uri) -> bool {
        self.any(address, |name, host| host == name)
    }

    fn any(&self, address: &Uri, same: impl Fn(&str, &str) -> bool) -> bool {
        let usual = match address.scheme_str() {
            Some("https") => 443,
            Some("http") => 80,
            _ => return false,
        };
        let (host, port) = (address.host().unwrap_or(""), address.port_u16().unwrap_or(usual));
        self.0.iter().any(|(name, at)| same(name, host) && port == at.unwrap_or(usual))
    }
}

fn pattern(name: &str) -> Option<(Box<str>, Option<u16>)> {
    let name = name.trim().to_ascii_lowercase();
    let (host, port) = match name.rsplit_once(':') {
        Some((host, port)) if !name.ends_with(']') => (host, Some(port.parse().ok()?)),
        _ => (name.as_str(), None),
    };
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let label = |label: &str| !label.is_empty() && label.bytes().all(letter);
    let six = |host: &str| {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        bare.is_some_and(|bare| bare.parse::<Ipv6Addr>().is_ok())
    };
    let good =
        host == "*" || host.strip_prefix("*.").unwrap_or(host).split('.').all(label) || six(host);
    good.then(|| (host.into(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contain(names: &str, address: &str) -> bool {
        Hosts::parse(names.split(',')).unwrap().contain(&address.parse().unwrap())
    }

    #[test]
    fn a_host_is_one_of_those_that_are_named_or_none() {
        let names = "api.example.com, *.shop.example, [::1]:8443, 192.0.2.1, odd.example:444";
        for (address, is) in [
            ("https://api.example.com/a?b", true),
            ("https://api.example.com:443/", true),
            ("http://api.example.com/", true),
            ("https://api.example.com:80/", false),
            ("http://api.example.com:443/", false),
            ("https://api.example.com:8443/", false),
            ("https://www.api.example.com/", false),
            ("https://api.example.com.evil.example/", false),
            ("https://a.b.shop.example/", true),
            ("https://shop.example/", false),
            ("https://.shop.example/", false),
            ("https://workshop.example/", false),
            ("https://[::1]:8443/", true),
            ("https://[::1]/", false),
            ("https://192.0.2.1/", true),
            ("https://odd.example:444/", true),
            ("https://odd.example/", false),
            ("ftp://api.example.com/", false),
        ] {
            assert_eq!(contain(names, address), is, "{address}");
        }
        assert!(contain("*", "https://anything.example/") && contain("*", "https://192.0.2.7/"));
        assert!(!contain("*", "https://anything.example:8443/"));
        assert!(contain("*:8443", "https://anything.example:8443/"));
        assert!(!Hosts::default().contain(&"https://api.example.com/".parse().unwrap()));
        for wrong in
            ["", "a b", "https://a.example", "a.example/x", "*a.example", "a.*.example", "a:x"]
        {
            assert_eq!(Hosts::parse(["a.example", wrong]).unwrap_err(), wrong);
        }
    }

    #[test]
    fn an_answer_that_is_no_success_says_whether_to_try_again() {
        let answer = |status: u16, wait: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(wait) = wait {
                headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static(wait));
            }
            let status = StatusCode::from_u16(status).unwrap();
            Fetched { status, headers, body: Bytes::new() }.success()
        };
        assert!(answer(200, None).is_ok() && answer(204, None).is_ok());
        for (status, wait, code, after) in [
            (404, None, Code::FailedPrecondition, None),
            (302, None, Code::FailedPrecondition, None),
            (429, Some("7"), Code::Unavailable, Some(Duration::from_secs(7))),
            (503, Some("tomorrow"), Code::Unavailable, None),
            (408, None, Code::Unavailable, None),
            (500, None, Code::Unavailable, None),
        ] {
            let error = answer(status, wait).unwrap_err();
            assert_eq!((error.code(), error.retry_after()), (code, after), "{status}");
            assert_eq!(error.reason(), "http.status");
        }
    }

    #[test]
    fn what_may_be_secret_is_not_told() {
        let address = "https://hooks.example.com:8443/services/T0/secret?token=x".parse().unwrap();
        assert_eq!(origin(&address), "https://hooks.example.com:8443");
        let fetch = Fetch::post(address.to_string(), "text/plain", "secret").bearer("secret");
        let request = Request::get(&address).header("x", "secret").body("secret".into()).unwrap();
        let (given, answer_max, wait_max) = (true, 0, WAIT);
        let outbound = Outbound { request, given, answer_max, wait_max };
        let mut headers = HeaderMap::new();
        headers.insert("x", header::HeaderValue::from_static("secret"));
        let fetched = Fetched { status: StatusCode::OK, headers, body: "secret".into() };
        let shown = format!("{fetch:?} {outbound:?} {fetched:?}");
        assert!(!shown.contains("secret"), "{shown}");
        assert!(
            shown.contains("https://hooks.example.com:8443") && shown.contains("200"),
            "{shown}"
        );
    }
}
