//! Blobs on their way: taken in and sealed as they come, opened and handed out from anywhere in them.
//!
//! ```text
//! commit `coming` ─▶ bytes, durable ─▶ commit `staged` ┄▶ a command's commit `kept`
//! ```
//!
//! A process that dies between two of these leaves a row that tells of it; the sweep does the rest. What
//! goes wrong while it lives is cleared away at once.
//!
//! **Invariant:** nothing is handed out that does not open where it stands.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use sha2::{Digest, Sha256};
use stoa_kit::blobs::{Blob, Coming, MARK, Objects, Uploaded, full, object};
use stoa_kit::ports::{self, Port};
use stoa_kit::registry::ServiceId;
use stoa_kit::ring::Pieces;
use stoa_kit::session::Session;
use stoa_kit::tx::Run;
use stoa_kit::{Caller, Cause, Code, Error, KERNEL, Result, Stream, Tx, View};
use stoa_store::kernel;

use crate::Node;
use crate::background::housekeep;

/// The largest blob, in bytes.
pub(crate) const BLOB_MAX: u64 = 1 << 30;

/// What comes, on its way to be sealed.
struct Sealing {
    coming: Stream<Bytes>,
    pieces: Pieces,
    buffer: BytesMut,
    place: u32,
    ended: bool,
    size: u64,
    hash: Sha256,
    /// How much may come, and what is said to more.
    most: (u64, Error),
    /// What came, once it has ended.
    came: Arc<Mutex<Option<(u64, [u8; 32])>>>,
}

/// What is sealed, on its way to be read.
struct Opening {
    sealed: Stream<Bytes>,
    buffer: BytesMut,
    blob: Blob,
    /// Which piece is next, and how many there are.
    place: u32,
    count: u32,
    /// What of it is wanted.
    range: Range<u64>,
}

impl Node {
    /// What keeps the bytes of blobs.
    pub(crate) fn objects(&self) -> Result<Arc<dyn Objects>> {
        let port = <dyn Objects>::NAME;
        let absent = || ports::absent(KERNEL, port, <dyn Objects>::PROVIDE);
        self.ports.shared::<dyn Objects>().ok_or_else(absent)
    }

    /// Takes in bytes for a caller, whose SHA-256 may be known: a row of theirs can name them then.
    ///
    /// # Errors
    /// That of the stream, as it is; `blob.too_large`, `blob.digest`, `blob.late`, `tenant.blobs`, and
    /// those of the objects and of the store.
    pub(crate) async fn upload(
        &self, caller: &Caller, media_type: &str, bytes: Stream<Bytes>, digest: Option<[u8; 32]>,
    ) -> Result<Uploaded> {
        let objects = self.objects()?;
        self.check_objects(true).await?;
        let quota = self.tenants().await?.active(&caller.tenant)?.blob_bytes_max;
        let quota = Some(quota).filter(|most| *most > 0);
        let room = self.room(caller, quota).await?;
        let mut chance = [[0; 32]; 2];
        chance.iter_mut().for_each(|bytes| self.world.entropy(bytes));
        let said = media_type.to_owned();
        let coming = self.as_kernel(caller, move |tx| tx.expect_blob(&said, chance)).await?;
        let Coming { id, pieces } = coming;
        let uploaded = async {
            let (sealed, came) = Sealing::begin(bytes, pieces, room);
            objects.put(&object(&caller.tenant, &id), sealed).await?;
            let came = came.lock().unwrap_or_else(PoisonError::into_inner).take();
            let (size, hash) =
                came.ok_or_else(|| Error::internal("objects kept half of a blob"))?;
            if digest.is_some_and(|digest| digest != hash) {
                return Err(other_digest());
            }
            let blob = Uploaded { id: id.clone(), size, hash };
            let staged = blob.clone();
            self.as_kernel(caller, move |tx| tx.stage_blob(&staged, quota)).await?;
            Ok(blob)
        };
        let uploaded = uploaded.await;
        if uploaded.is_err() {
            // Where this fails too, the sweep comes by.
            let _ = self.drop_blob(&caller.tenant, &id).await;
        }
        uploaded
    }

    /// How many bytes may come, and what is said to more.
    async fn room(&self, caller: &Caller, quota: Option<i64>) -> Result<(u64, Error)> {
        let message = format!("a blob has {BLOB_MAX} bytes at the most");
        let too_large = Error::new(Code::InvalidArgument, "blob.too_large", message)
            .help("Upload the parts that it consists of.");
        let Some(most) = quota else { return Ok((BLOB_MAX, too_large)) };
        let used = self.look(&caller.tenant, |view| view.blob_bytes()).await?;
        match u64::try_from(most - used).unwrap_or(0) {
            0 => Err(full(most)),
            room if room < BLOB_MAX => Ok((room, full(most))),
            _ => Ok((BLOB_MAX, too_large)),
        }
    }

    /// Lets go of a blob that nobody holds, and of its bytes; false if somebody does.
    pub(crate) async fn drop_blob(&self, tenant: &str, id: &str) -> Result<bool> {
        let objects = self.objects()?;
        let (caller, own) = (Caller::system(tenant), id.to_owned());
        if !self.as_kernel(&caller, move |tx| tx.abandon_blob(&own)).await? {
            return Ok(false);
        }
        objects.delete(&object(tenant, id)).await?;
        let own = id.to_owned();
        self.as_kernel(&caller, move |tx| tx.forget_blob(&own)).await?;
        Ok(true)
    }

    /// A blob that a row of a tenant holds, and what opens it.
    pub(crate) async fn blob(&self, tenant: &str, id: &str) -> Result<Blob> {
        let own = id.to_owned();
        let found = self.look(tenant, move |view| view.blob(&own));
        found.await?.ok_or_else(|| Error::not_found("blob", id))
    }

    /// The bytes of a blob from one place to another.
    pub(crate) async fn bytes(
        &self, tenant: &str, id: &str, blob: Blob, range: Range<u64>,
    ) -> Result<Stream<Bytes>> {
        let length = Pieces::LENGTH as u64;
        let (count, sealed) = (Pieces::count(blob.size)?, Pieces::sealed(blob.size)?);
        let place = u32::try_from(range.start / length).map_err(Error::internal)?;
        let whole = (Pieces::LENGTH + Pieces::TAG) as u64;
        let from = u64::from(place) * whole;
        let to = (range.end.div_ceil(length) * whole).min(sealed);
        let sealed = self.objects()?.get(&object(tenant, id), from..to.max(from)).await?;
        let opening = Opening { sealed, buffer: BytesMut::new(), blob, place, count, range };
        let pieces = futures::stream::try_unfold(opening, |mut opening| async move {
            Ok(opening.next().await?.map(|piece| (piece, opening)))
        });
        Ok(pieces.boxed())
    }

    /// Looks at the kernel's own rows of a tenant.
    async fn look<T: Send + 'static>(
        &self, tenant: &str, mut body: impl FnMut(&View) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (registry, caller) = (Arc::clone(&self.registry), Caller::system(tenant));
        self.read(None, move |session, stamp| {
            let (registry, cause) = (&*registry, &Cause::Request);
            let run = Run { registry, caller: &caller, cause, stamp, nested: true };
            run.query(session, ServiceId::KERNEL, &mut body)
        })
        .await
    }

    /// Runs something on the kernel's own rows, on behalf of somebody, in a commit that leaves no record.
    async fn as_kernel<T: Send + 'static>(
        &self, caller: &Caller, mut body: impl FnMut(&mut Tx) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (registry, caller) = (Arc::clone(&self.registry), caller.clone());
        let tenant = Arc::clone(&caller.tenant);
        housekeep(self, &tenant, move |session, stamp| {
            let (registry, cause) = (&*registry, &Cause::Request);
            let run = Run { registry, caller: &caller, cause, stamp, nested: true };
            Ok(run.command(session, ServiceId::KERNEL, &mut body)?.0)
        })
        .await
    }

    /// Whether the objects are those of this cell. Where they are another's, none of its blobs is there,
    /// and what it lets go of would be deleted from among those. `begin` says that the first is to come.
    ///
    /// # Errors
    /// `blobs.elsewhere`.
    pub(crate) async fn check_objects(&self, begin: bool) -> Result<()> {
        const ANY: &str = "SELECT id FROM stoa_blob LIMIT 1";
        let objects = self.objects()?;
        let mark: [u8; 16] = self.registry.ring()?.cell().derive(&[b"objects"]);
        let there = match objects.get(MARK, 0..mark.len() as u64).await {
            Ok(mut bytes) => bytes.next().await.transpose()?.unwrap_or_default(),
            Err(error) if error.reason() == "objects.missing" => Bytes::new(),
            Err(error) => return Err(error),
        };
        if there == mark.as_slice() {
            return Ok(());
        }
        let any = |session: &mut dyn Session, _| {
            kernel::rows::<(String,)>(session, "", ANY, ()).map(|rows| !rows.is_empty())
        };
        // Half of a mark is one whose writer died; no blob came before it was whole.
        if !mark.starts_with(&there) || self.read(None, any).await? {
            return Err(elsewhere());
        }
        if begin {
            objects.delete(MARK).await?;
            let mark = Bytes::copy_from_slice(&mark);
            objects.put(MARK, futures::stream::iter([Ok(mark)]).boxed()).await?;
        }
        Ok(())
    }
}

impl Sealing {
    /// Seals what comes, and says elsewhere what came.
    fn begin(
        coming: Stream<Bytes>, pieces: Pieces, most: (u64, Error),
    ) -> (Stream<Bytes>, Arc<Mutex<Option<(u64, [u8; 32])>>>) {
        let came = Arc::default();
        let sealing = Self {
            coming,
            pieces,
            buffer: BytesMut::new(),
            place: 0,
            ended: false,
            size: 0,
            hash: Sha256::new(),
            most,
            came: Arc::clone(&came),
        };
        let sealed = futures::stream::try_unfold(sealing, |mut sealing| async move {
            Ok(sealing.next().await?.map(|piece| (piece, sealing)))
        });
        (sealed.boxed(), came)
    }

    /// The next piece, sealed; none after the last.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.ended {
            return Ok(None);
        }
        // One that is full is the last one only if nothing follows.
        while self.buffer.len() <= Pieces::LENGTH {
            let Some(more) = self.coming.next().await.transpose()? else {
                self.ended = true;
                break;
            };
            self.size += more.len() as u64;
            if self.size > self.most.0 {
                return Err(self.most.1.clone());
            }
            self.hash.update(&more);
            self.buffer.extend_from_slice(&more);
        }
        let length = self.buffer.len().min(Pieces::LENGTH);
        let sealed = self.pieces.seal(self.place, self.ended, &self.buffer.split_to(length))?;
        self.place += 1;
        if self.ended {
            let came = (self.size, std::mem::take(&mut self.hash).finalize().into());
            *self.came.lock().unwrap_or_else(PoisonError::into_inner) = Some(came);
        }
        Ok(Some(sealed.into()))
    }
}

impl Opening {
    /// The next piece, as far as it is wanted; none after the last.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let start = u64::from(self.place) * Pieces::LENGTH as u64;
        if start >= self.range.end {
            return Ok(None);
        }
        let length = (self.blob.size - start).min(Pieces::LENGTH as u64);
        let sealed = length as usize + Pieces::TAG;
        while self.buffer.len() < sealed {
            let more = self.sealed.next().await.transpose()?.ok_or_else(damaged)?;
            self.buffer.extend_from_slice(&more);
        }
        let last = self.place + 1 == self.count;
        let piece = self.blob.pieces.open(self.place, last, &self.buffer.split_to(sealed));
        let piece = Bytes::from(piece.ok_or_else(damaged)?);
        self.place += 1;
        let from = self.range.start.saturating_sub(start).min(length) as usize;
        let to = (self.range.end - start).min(length) as usize;
        Ok(Some(piece.slice(from..to)))
    }
}

fn other_digest() -> Error {
    let message = "what came has not the SHA-256 that was said";
    Error::new(Code::InvalidArgument, "blob.digest", message)
        .help("Upload it again; if it happens twice, the digest is of something else.")
}

fn damaged() -> Error {
    Error::new(Code::DataLoss, "blob.damaged", "a blob does not open")
        .help("It was changed behind the node's back. Put its object back from a backup.")
}

fn elsewhere() -> Error {
    let message = "the objects that this node is to use are not those of its database";
    Error::new(Code::FailedPrecondition, "blobs.elsewhere", message).help(
        "Set `blobs` to the directory that belongs to this database, or put a copy of it back: it has \
         a file `cell`.",
    )
}
