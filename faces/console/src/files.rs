//! The files that a browser loads, as they were built, and what it is told beside them.

use http::{HeaderMap, HeaderValue, Response, header};
use stoa_node::Content;

/// One file.
pub(crate) struct File {
    /// Its path, without a slash in front.
    name: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

/// What `web/console` was built into; nothing where it was not built.
const FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// What is shown where the console was not built.
const ABSENT: File =
    File { name: "absent.html", plain: include_bytes!("absent.html"), brotli: None, gzip: None };

/// Everything comes from here, nothing is written into a page, and no page is framed.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

const DAY_SECONDS: u32 = 24 * 60 * 60;

/// The file at a path. What is no file is a page, which finds its own way from the first one.
pub(crate) fn at(path: &str) -> Option<&'static File> {
    let name = path.trim_start_matches('/');
    let file = FILES.iter().find(|file| file.name == name);
    file.or_else(|| (!name.contains('.')).then(index))
}

fn index() -> &'static File {
    FILES.iter().find(|file| file.name == "index.html").unwrap_or(&ABSENT)
}

impl File {
    /// The answer that it is, to somebody who reads some encodings.
    pub(crate) fn respond(&self, asked: &HeaderMap) -> Response<Content> {
        let packed = [("br", self.brotli), ("gzip", self.gzip)];
        let readable = packed.into_iter().find_map(|(name, bytes)| {
            bytes.filter(|_| accepts(asked, name)).map(|bytes| (name, bytes))
        });
        let bytes = readable.map_or(self.plain, |(_, bytes)| bytes);
        let mut response = Response::new(Content::from(bytes));
        let headers = response.headers_mut();
        if let Some((name, _)) = readable {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind()));
        headers.insert(header::CACHE_CONTROL, self.life());
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
        response
    }

    /// What is named after its content stays what it is; a page is asked for anew.
    fn life(&self) -> HeaderValue {
        let is_named_by_content = self.name.starts_with("assets/");
        let text = match is_named_by_content {
            true => format!("public, max-age={}, immutable", 365 * DAY_SECONDS),
            false => "no-cache".to_owned(),
        };
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("no-cache"))
    }

    fn kind(&self) -> &'static str {
        match self.name.rsplit('.').next().unwrap_or_default() {
            "html" => "text/html; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            "woff2" => "font/woff2",
            _ => "application/octet-stream",
        }
    }
}

/// Whether a reader takes an encoding (RFC 9110, §12.5.3).
pub(crate) fn accepts(asked: &HeaderMap, encoding: &str) -> bool {
    let values = asked.get_all(header::ACCEPT_ENCODING).iter();
    let wishes = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    wishes.into_iter().any(|wish| {
        let (name, weight) = wish.split_once(';').unwrap_or((wish, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case(encoding) && weight.is_some_and(|weight| weight > 0.0)
    })
}
