//! Notary: says when it first saw a document, and keeps nothing of it but its hash.
//!
//! **Invariant:** an upload that did not come to its end was no document, and leaves nothing.
//!
//! **Invariant:** the time of a document is that of the first time, however often it comes.

#![forbid(unsafe_code)]

/// What notary promises: the Rust of `proto/stoa/notary/v1`.
pub mod contract {
    stoa_contract::contract!("notary", "proto");
}

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{Either, select};
use futures::stream::try_unfold;
use sha2::{Digest, Sha256};
use stoa_kit::{Code, Ctx, Error, Migration, Requests, Result, Service, Stream, Tx, View};

use contract::*;

/// The largest document, in bytes.
const DOCUMENT_MAX: i64 = 1 << 30;
/// How often a session says that it is still there.
const BEAT: Duration = Duration::from_secs(15);
const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_document", include_str!("../migrations/0001_document.sql"))];

/// The service.
pub fn service() -> Service {
    Service::new(serve(Notary)).migrations(MIGRATIONS)
}

struct Notary;

impl NotaryService for Notary {
    async fn register(
        &self, ctx: &Ctx, mut requests: Requests<RegisterRequest>,
    ) -> Result<RegisterResponse> {
        let (mut hash, mut size) = (Sha256::new(), 0);
        while let Some(RegisterRequest { piece }) = requests.next().await? {
            size += piece.len() as i64;
            if size > DOCUMENT_MAX {
                let message = format!("a document has {DOCUMENT_MAX} bytes at the most");
                return Err(Error::new(Code::InvalidArgument, "notary.too_large", message)
                    .help("Register the parts that it consists of."));
            }
            hash.update(&piece);
        }
        let kept = KeepDocumentRequest { hash: hex(&hash.finalize()), size };
        Ok(RegisterResponse { document: ctx.call(kept).await?.document })
    }

    async fn ask(&self, ctx: &Ctx, requests: Requests<AskRequest>) -> Result<Stream<AskResponse>> {
        let session = Session { ctx: ctx.clone(), requests };
        let replies = try_unfold(session, |mut session| async {
            Ok(session.next().await?.map(|reply| (reply, session)))
        });
        Ok(replies.boxed())
    }

    fn keep_document(
        &self, tx: &mut Tx, request: KeepDocumentRequest,
    ) -> Result<KeepDocumentResponse> {
        let KeepDocumentRequest { hash, size } = request;
        let document = Document { hash: hash.clone(), size, ..Document::default() };
        let document = match tx.add_new(document, "hash")? {
            Some(new) => new,
            None => tx.get(&hash)?.ok_or_else(|| Error::not_found("document", &hash))?,
        };
        Ok(KeepDocumentResponse { document: document.into() })
    }

    fn find_document(
        &self, view: &View, request: FindDocumentRequest,
    ) -> Result<FindDocumentResponse> {
        let document: Option<Document> = view.get(&request.hash)?;
        Ok(FindDocumentResponse { document: document.into() })
    }
}

/// Somebody who asks for one document after another.
struct Session {
    ctx: Ctx,
    requests: Requests<AskRequest>,
}

impl Session {
    /// What is said next; nothing once nobody asks any more.
    async fn next(&mut self) -> Result<Option<AskResponse>> {
        let beat = pin!(self.ctx.sleep(BEAT));
        let asked = match select(pin!(self.requests.next()), beat).await {
            Either::Left((asked, _)) => asked?,
            Either::Right(_) => return Ok(Some(AskResponse::default())),
        };
        let Some(AskRequest { hash }) = asked else { return Ok(None) };
        let document = self.ctx.call(FindDocumentRequest { hash: hash.clone() }).await?.document;
        Ok(Some(AskResponse { hash, document }))
    }
}

fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
