//! What a query says to a caller, looked at again and again.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use stoa_contract::{AnyMessage, Format, Method};
use stoa_kit::session::{Reads, Session, Stamp};
use stoa_kit::tx::Run;
use stoa_kit::{Caller, Cause, Error, Registry, Result};
use stoa_store::kernel;

use super::group::{Groups, Look};
use super::hub::Hub;
use super::untold;
use crate::{Node, Position};

/// A query, as somebody asks it.
pub(crate) struct Query {
    caller: Caller,
    method: &'static Method,
    request: Arc<[u8]>,
}

/// What a query says.
pub struct Reply {
    /// A position of which it shows every commit.
    pub position: Position,
    /// A hash of it: two replies are the same if theirs are.
    pub etag: String,
    method: &'static Method,
    binary: Bytes,
    json: OnceLock<Bytes>,
}

impl Reply {
    /// The message, as binary protobuf.
    pub fn binary(&self) -> Bytes {
        self.binary.clone()
    }

    /// The message.
    ///
    /// # Errors
    /// Those of [`stoa_kit::registry::Bound::decode_reply`].
    pub fn message(&self, registry: &Registry) -> Result<Box<dyn AnyMessage>> {
        let bound = registry.find(self.method.path)?;
        bound.decode_reply(&self.binary, Format::Binary)
    }

    /// The message as JSON, which is made once for all who are told.
    ///
    /// # Errors
    /// As [`Reply::message`].
    pub fn json(&self, registry: &Registry) -> Result<Bytes> {
        if let Some(json) = self.json.get() {
            return Ok(json.clone());
        }
        let json = Bytes::from(self.message(registry)?.encode(Format::Json)?);
        Ok(self.json.get_or_init(|| json).clone())
    }
}

impl Query {
    pub(super) fn new(caller: &Caller, method: &'static Method, request: &Arc<[u8]>) -> Self {
        Self { caller: caller.clone(), method, request: Arc::clone(request) }
    }
}

impl Look for Query {
    /// Tenant, subject, credential, what they may, method and request: whatever a reply can depend on.
    type Key = [u8; 32];
    type Seen = Arc<Reply>;
    const EVERY: Option<Duration> = None;
    const ANEW: bool = true;

    fn key(&self) -> Self::Key {
        let Caller { tenant, subject, permissions, credential, scope, proof } = &self.caller;
        let mut hash = blake3::Hasher::new();
        let mut part = |bytes: &[u8]| {
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        for text in [tenant, subject, credential] {
            part(text.as_bytes());
        }
        part(self.method.path.as_bytes());
        part(&self.request);
        for patterns in std::iter::once(permissions).chain(scope) {
            part(&(patterns.len() as u64).to_le_bytes());
            patterns.iter().for_each(|pattern| part(pattern.as_str().as_bytes()));
        }
        if let Some(proof) = proof {
            part(&proof.time.0.to_le_bytes());
            part(&[u8::from(proof.full)]);
            proof.methods.iter().for_each(|method| part(method.as_bytes()));
        }
        *hash.finalize().as_bytes()
    }

    fn tenant(&self) -> &Arc<str> {
        &self.caller.tenant
    }

    fn look(&self, node: &Arc<Node>) -> BoxFuture<'_, Result<(Arc<Reply>, Reads)>> {
        let node = Arc::clone(node);
        async move {
            let (registry, caller) = (Arc::clone(node.registry()), self.caller.clone());
            let (method, request) = (self.method, Arc::clone(&self.request));
            let read = move |session: &mut dyn Session, stamp: Stamp| {
                let bound = registry.find(method.path)?;
                let request = bound.decode_request(&request, Format::Binary)?;
                let (registry, caller, cause) = (&*registry, &caller, &Cause::Request);
                session.watch();
                let query = Run { registry, caller, cause, stamp, nested: false };
                let reply = query.query(session, bound.service, |view| {
                    bound.run_query(view, request.as_ref())
                })?;
                let (reads, position) = (session.reads(), session.position());
                Ok((reply.encode(Format::Binary)?, reads, Position(position)))
            };
            let (binary, reads, position) = node.read(None, read).await?;
            check(method, &reads)?;
            let etag = blake3::hash(&binary).to_hex()[..32].to_owned();
            let (binary, json) = (binary.into(), OnceLock::new());
            Ok((Arc::new(Reply { position, etag, method, binary, json }), reads))
        }
        .boxed()
    }

    fn groups(hub: &Hub) -> &Groups<Self> {
        &hub.queries
    }
}

/// Whether all that a query rests on is told of when it changes.
fn check(method: &Method, reads: &Reads) -> Result<(), Error> {
    let kernels = |table: &&Arc<str>| table.starts_with("stoa_");
    let mut unseen = reads.keys().filter(kernels).filter(|t| !kernel::SEEN.contains(&&***t));
    unseen.next().map_or(Ok(()), |table| Err(untold(method.path, table)))
}
