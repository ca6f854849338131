//! Replies, compressed as their reader says that they can be read (RFC 9110, §12.5.3).

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, Response, header};
use stoa_node::Content;

/// What is shorter than this fits into a packet as it is.
const WORTH_IT: usize = 1 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Zstd,
    Brotli,
    Gzip,
}

/// From the one that is best for its time.
const KNOWN: [(&str, Encoding); 3] =
    [("zstd", Encoding::Zstd), ("br", Encoding::Brotli), ("gzip", Encoding::Gzip)];

/// Compresses a body if its reader can read that, and it is worth it. One that has an etag stays as
/// it is: a compressed one would have to have another (§8.8.3.3).
pub(crate) fn compress(asked: &HeaderMap, response: &mut Response<Content>) {
    let Content::Whole(text) = response.body() else { return };
    if text.len() < WORTH_IT || response.headers().contains_key(header::ETAG) {
        return;
    }
    let varies = HeaderValue::from_static("accept-encoding");
    response.headers_mut().append(header::VARY, varies);
    let Some((name, encoding)) = accepted(asked) else { return };
    let Content::Whole(text) = response.body() else { return };
    let Ok(packed) = encoding.pack(text) else { return };
    *response.body_mut() = Content::Whole(packed);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
}

fn accepted(asked: &HeaderMap) -> Option<(&'static str, Encoding)> {
    let values = asked.get_all(header::ACCEPT_ENCODING).iter();
    let wishes: Vec<(String, f32)> = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|wish| {
            let (name, rest) = wish.split_once(';').unwrap_or((wish, ""));
            let weight =
                rest.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.trim().parse().ok());
            (name.trim().to_ascii_lowercase(), weight.unwrap_or(0.0))
        })
        .collect();
    let weight = |name: &str| {
        let wish = |wanted: &str| wishes.iter().find(|(known, _)| known == wanted);
        wish(name).or_else(|| wish("*")).map_or(0.0, |(_, weight)| *weight)
    };
    let mut best: Option<(f32, (&'static str, Encoding))> = None;
    for known in KNOWN {
        let weight = weight(known.0);
        if weight > best.map_or(0.0, |(most, _)| most) {
            best = Some((weight, known));
        }
    }
    best.map(|(_, known)| known)
}

impl Encoding {
    fn pack(self, text: &[u8]) -> std::io::Result<Bytes> {
        let packed = match self {
            Self::Zstd => zstd::bulk::compress(text, 3)?,
            Self::Gzip => {
                let mut packer = GzEncoder::new(Vec::new(), Compression::default());
                packer.write_all(text)?;
                packer.finish()?
            }
            Self::Brotli => {
                let mut packed = Vec::new();
                {
                    let mut packer = brotli::CompressorWriter::new(&mut packed, 4096, 4, 20);
                    packer.write_all(text)?;
                }
                packed
            }
        };
        Ok(packed.into())
    }
}
