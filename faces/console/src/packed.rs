//! What is made at the start and asked for with every first page: packed once, and not sent to whoever
//! has it.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use stoa_kit::{Error, Result};
use stoa_node::Content;

use crate::files::accepts;

/// Descriptors, as they are and packed.
#[derive(Clone)]
pub(crate) struct Packed {
    plain: Bytes,
    gzip: Arc<OnceLock<Bytes>>,
    etag: String,
}

/// What some descriptors are told from others by, as an `ETag`: whoever has them makes it of them.
pub fn etag(descriptors: &[u8]) -> String {
    // The same bytes, however they are packed.
    format!("W/\"{}\"", blake3::hash(descriptors).to_hex())
}

impl Packed {
    pub(crate) fn new(plain: Bytes) -> Self {
        Self { etag: etag(&plain), plain, gzip: Arc::default() }
    }

    /// The answer that they are, to somebody who reads some encodings.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub(crate) fn respond(&self, asked: &HeaderMap) -> Result<Response<Content>> {
        let response = Response::builder()
            .header(header::CONTENT_TYPE, "application/protobuf")
            .header(header::CACHE_CONTROL, "private, no-cache")
            .header(header::ETAG, &self.etag)
            .header(header::VARY, "accept-encoding, cookie");
        let known = asked.get(header::IF_NONE_MATCH).map(HeaderValue::as_bytes);
        let response = match accepts(asked, "gzip") {
            _ if known == Some(self.etag.as_bytes()) => {
                response.status(StatusCode::NOT_MODIFIED).body("".into())
            }
            true => response.header(header::CONTENT_ENCODING, "gzip").body(self.gzip()?.into()),
            false => response.body(self.plain.clone().into()),
        };
        response.map_err(Error::internal)
    }

    fn gzip(&self) -> Result<Bytes> {
        if let Some(packed) = self.gzip.get() {
            return Ok(packed.clone());
        }
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(&self.plain).map_err(Error::internal)?;
        let packed = packer.finish().map_err(Error::internal)?;
        Ok(self.gzip.get_or_init(|| packed.into()).clone())
    }
}
