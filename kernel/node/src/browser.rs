//! What browsers ask for: pages of other origins are let in by name (CORS, of the Fetch standard),
//! pages of the node's own may come with a cookie, and gRPC-Web may come as text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, header};
use stoa_kit::{Code, Error, Result};

use crate::socket;

/// What a page may send along.
const SENT: &str = "authorization, connect-protocol-version, connect-timeout-ms, content-type, \
     grpc-timeout, idempotency-key, if-match, if-none-match, mcp-protocol-version, mcp-session-id, \
     stoa-dry-run, stoa-fence, stoa-position, stoa-tenant, traceparent, x-grpc-web, x-user-agent";
/// What a page may read of an answer.
const SHOWN: &str = "etag, grpc-message, grpc-status, grpc-status-details-bin, \
     idempotency-replayed, mcp-session-id, ratelimit, ratelimit-policy, retry-after, stoa-dry-run, \
     stoa-position";
/// Seconds for which a browser need not ask again.
const REMEMBERED: &str = "7200";
const TEXT: &str = "application/grpc-web-text";

/// The cookie that holds the token of a session: no script can read it.
const COOKIE: &str = "stoa_session";
/// By this a page says that its cookie is meant.
const CREDENTIAL: &str = "stoa-credential";

/// The host that a request is sent to, and the port where that is not the scheme's own.
pub fn authority(head: &Parts) -> Option<Authority> {
    let header = || head.headers.get(header::HOST)?.to_str().ok()?.parse::<Authority>().ok();
    head.uri.authority().cloned().or_else(header)
}

/// What the cookie of a session is called on the node that a request is sent to. A browser keeps one of
/// a name for all ports of a host, so that the port has to be in the name: otherwise whoever signs in on
/// one node of a machine is signed out of the others.
pub fn cookie(head: &Parts) -> String {
    match authority(head).and_then(|authority| authority.port_u16()) {
        Some(port) => format!("{COOKIE}_{port}"),
        None => COOKIE.to_owned(),
    }
}

/// Whether a request comes from a page of this node, and of no other site.
///
/// A browser adds cookies to whatever any page makes it send here. The header it adds to nothing by
/// itself, and it lets a page of another origin send one only where [`SENT`] names it, which it does
/// not. Where the browser says whence a request comes, it has to come from here as well.
pub fn is_own_page(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    headers.get(CREDENTIAL).is_some_and(|value| value == "cookie")
        && site.is_none_or(|site| site == "same-origin")
}

/// Whether a WebSocket is asked for by a page of this node. It can send no header of its own, and whence
/// it comes is what every browser says of it.
fn is_own_socket(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    socket::is_wanted(headers)
        && is_own_origin(headers)
        && site.is_none_or(|site| site == "same-origin")
}

/// Whether a request names the origin that it is sent to.
fn is_own_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let authority = text(header::ORIGIN).and_then(|origin| origin.split_once("://"));
    authority.is_some_and(|(_, authority)| {
        text(header::HOST).is_some_and(|host| host.eq_ignore_ascii_case(authority))
    })
}

/// The token in the cookie of a request, if it comes from a page of this node.
pub(crate) fn session(head: &Parts) -> Option<&str> {
    let headers = &head.headers;
    if !is_own_page(headers) && !is_own_socket(headers) {
        return None;
    }
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let ours = cookie(head);
    let (_, token) = pairs.find(|(name, _)| name.trim() == ours)?;
    Some(token.trim()).filter(|token| !token.is_empty())
}

/// The origins whose pages may call. Tokens of theirs travel in a header that no browser adds by
/// itself, so that to be let in is to be heard, and nothing more.
#[derive(Debug, Clone, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Origins such as `https://shop.example`, separated by commas, or `*` for all.
    ///
    /// # Errors
    /// `config.invalid` for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let texts = text.split(',').map(str::trim).filter(|text| !text.is_empty());
        let origin = |text: &str| {
            let host = text.split_once("://").map_or("", |(_, host)| host);
            if text == "*" || !(host.is_empty() || host.contains(['/', '*', '?', '#', '@'])) {
                return Ok(text.to_ascii_lowercase());
            }
            let message = format!("cors_origins: `{text}` is no origin");
            Err(Error::new(Code::InvalidArgument, "config.invalid", message)
                .help("Write an origin as https://shop.example, without a path."))
        };
        texts.map(origin).collect::<Result<_>>().map(Self)
    }

    /// Whether the pages of the origin that a request comes from may call; not where it names none.
    pub fn name(&self, headers: &HeaderMap) -> bool {
        self.allowed(headers).is_some()
    }

    /// The origin of a request, if its pages may call.
    fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        let text = origin.to_str().ok()?;
        self.0.iter().any(|known| known == "*" || known == text).then(|| origin.clone())
    }

    /// Whether a page of the origin that a request names may open a WebSocket: one of those that may
    /// call, or one of this node's own. Who names none is no browser.
    ///
    /// # Errors
    /// `request.origin` for another one: no browser asks before it opens one, and every page may.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<()> {
        let names_none = !headers.contains_key(header::ORIGIN);
        if names_none || is_own_origin(headers) || self.allowed(headers).is_some() {
            return Ok(());
        }
        let message = "pages of this origin may not open a WebSocket here";
        Err(Error::new(Code::PermissionDenied, "request.origin", message)
            .help("Name the origin in `cors_origins` of the node."))
    }

    /// The answer to a browser that asks before it calls, if this is what is asked.
    pub(crate) fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<HeaderMap> {
        let asks = headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let origin = (method == Method::OPTIONS && asks).then(|| self.allowed(headers))??;
        let mut answer = HeaderMap::new();
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, PATCH, DELETE"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, SENT),
            (header::ACCESS_CONTROL_MAX_AGE, REMEMBERED),
        ] {
            answer.insert(name, HeaderValue::from_static(value));
        }
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        answer.insert(header::VARY, HeaderValue::from_static("origin"));
        Some(answer)
    }

    /// What tells a browser that the page which called may read the answer.
    pub(crate) fn reveal(&self, request: &HeaderMap) -> HeaderMap {
        let mut answer = HeaderMap::new();
        if let Some(origin) = self.allowed(request) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(SHOWN));
        }
        if !self.0.is_empty() {
            // A cache must not give one origin what was said to another.
            answer.insert(header::VARY, HeaderValue::from_static("origin"));
        }
        answer
    }
}

/// Whether a request is gRPC-Web as text, which then is read as what it stands for.
pub(crate) fn is_text(head: &mut Parts) -> bool {
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    let text = kind
        .and_then(|kind| kind.strip_prefix(TEXT))
        .is_some_and(|format| matches!(format, "" | "+proto"));
    if text {
        let binary = HeaderValue::from_static("application/grpc-web+proto");
        head.headers.insert(header::CONTENT_TYPE, binary);
    }
    text
}

/// The content type of an answer as text.
pub(crate) const TEXT_ANSWER: HeaderValue =
    HeaderValue::from_static("application/grpc-web-text+proto");

/// Reads base64 that may be padded wherever its sender paused.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut rest = text;
    while !rest.is_empty() {
        let padding = rest.iter().position(|byte| *byte == b'=');
        // A padded group is as long as any other.
        let end = padding.map_or(rest.len(), |place| place / 4 * 4 + 4).min(rest.len());
        bytes.extend(BASE64.decode(&rest[..end]).ok()?);
        rest = &rest[end..];
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(pairs: &[(&'static str, &'static str)]) -> Parts {
        let pairs = pairs.iter().map(|(name, value)| {
            (header::HeaderName::from_static(name), HeaderValue::from_static(value))
        });
        let (mut head, ()) = http::Request::new(()).into_parts();
        head.headers = pairs.collect();
        head
    }

    #[test]
    fn text_may_be_padded_where_its_sender_paused() {
        for (text, bytes) in [
            ("", Some(&b""[..])),
            ("AAAAAAA=", Some(&[0; 5])),
            ("QQ==QkM=REVG", Some(b"ABCDEF")),
            ("QQ", None),
            ("QQ=", None),
            ("====", None),
            ("QUJD\n", None),
        ] {
            assert_eq!(decode(text.as_bytes()).as_deref(), bytes, "{text}");
        }
    }

    #[test]
    fn a_cookie_is_a_credential_for_pages_of_the_node_alone() {
        let token =
            |pairs: &[(&'static str, &'static str)]| session(&head(pairs)).map(str::to_owned);
        let (cookie, said) =
            (("cookie", "a=b; stoa_session=stoa_s_x; c=d"), (CREDENTIAL, "cookie"));
        let from = |site| ("sec-fetch-site", site);
        assert_eq!(token(&[cookie, said]).as_deref(), Some("stoa_s_x"));
        assert_eq!(token(&[cookie, said, from("same-origin")]).as_deref(), Some("stoa_s_x"));
        for wrong in [
            &[cookie][..],
            &[cookie, from("same-origin")],
            &[cookie, said, from("cross-site")],
            &[cookie, said, from("same-site")],
            &[cookie, said, from("none")],
            &[cookie, (CREDENTIAL, "bearer")],
            &[said],
            &[("cookie", "stoa_session="), said],
            &[("cookie", "not_stoa_session=x"), said],
        ] {
            assert_eq!(token(wrong), None, "{wrong:?}");
        }
        let (upgrade, host) = (("upgrade", "websocket"), ("host", "stoa.example"));
        let origin = |origin| ("origin", origin);
        let own = origin("https://stoa.example");
        let socket = [cookie, upgrade, host, own, from("same-origin")];
        assert_eq!(token(&socket).as_deref(), Some("stoa_s_x"));
        assert_eq!(token(&socket[..4]).as_deref(), Some("stoa_s_x"));
        for wrong in [
            &[cookie, host, own][..],
            &[cookie, upgrade, host],
            &[cookie, upgrade, own],
            &[cookie, upgrade, host, own, from("same-site")],
            &[cookie, upgrade, host, origin("https://stoa.example:8080")],
            &[cookie, upgrade, host, origin("https://other.example")],
            &[cookie, upgrade, host, origin("null")],
        ] {
            assert_eq!(token(wrong), None, "{wrong:?}");
        }
        assert!(!SENT.contains(CREDENTIAL), "pages of other origins must not say so");
    }

    #[test]
    fn each_port_of_a_host_has_a_cookie_of_its_own() {
        let both =
            ("cookie", "stoa_session=x; stoa_session_8080=stoa_s_a; stoa_session_8081=stoa_s_b");
        for (host, token) in [
            ("localhost:8080", Some("stoa_s_a")),
            ("[::1]:8081", Some("stoa_s_b")),
            ("localhost:8082", None),
            ("localhost", Some("x")),
        ] {
            let mut head = head(&[both, (CREDENTIAL, "cookie"), ("host", host)]);
            assert_eq!(session(&head), token, "{host}");
            // HTTP/2 says it elsewhere.
            head.headers.remove(header::HOST);
            head.uri = format!("https://{host}/").parse().unwrap();
            assert_eq!(session(&head), token, "{host}");
        }
    }

    #[test]
    fn an_origin_is_let_in_by_name_or_not_at_all() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, HeaderValue::from_static("https://shop.example"));
        headers.insert(header::ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
        for (known, let_in) in [
            ("", false),
            ("https://other.example", false),
            ("https://shop.example:444", false),
            ("https://other.example, https://shop.example", true),
            ("*", true),
        ] {
            let origins = Origins::parse(known).unwrap();
            assert_eq!(origins.preflight(&Method::OPTIONS, &headers).is_some(), let_in, "{known}");
            let shown = origins.reveal(&headers);
            assert_eq!(shown.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), let_in);
            assert!(origins.preflight(&Method::POST, &headers).is_none());
            assert_eq!(origins.check(&headers).is_ok(), let_in, "{known}");
        }
        let origins = Origins::default();
        for (host, let_in) in [("SHOP.example", true), ("shop.example:444", false)] {
            headers.insert(header::HOST, HeaderValue::from_static(host));
            assert_eq!(origins.check(&headers).is_ok(), let_in, "{host}");
        }
        headers.remove(header::ORIGIN);
        assert!(origins.check(&headers).is_ok(), "no page asks");
        for wrong in ["shop.example", "https://", "https://shop.example/", "https://*.example"] {
            assert_eq!(Origins::parse(wrong).unwrap_err().reason(), "config.invalid");
        }
    }
}
