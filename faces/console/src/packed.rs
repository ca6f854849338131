//! What is made at the start and asked for with every first page: packed once.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, Response, header};
use stoa_kit::{Error, Result};
use stoa_node::Content;

use crate::files::accepts;

/// Descriptors, as they are and packed.
#[derive(Clone)]
pub(crate) struct Packed {
    plain: Bytes,
    gzip: Arc<OnceLock<Bytes>>,
}

impl Packed {
    pub(crate) fn new(plain: Bytes) -> Self {
        Self { plain, gzip: Arc::default() }
    }

    /// The answer that they are, to somebody who reads some encodings.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub(crate) fn respond(&self, asked: &HeaderMap) -> Result<Response<Content>> {
        let response = Response::builder()
            .header(header::CONTENT_TYPE, "application/protobuf")
            .header(header::CACHE_CONTROL, "private, no-cache")
            .header(header::VARY, "accept-encoding, cookie");
        let response = match accepts(asked, "gzip") {
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
