//! A blob as the kernel keeps it: from before the first byte comes until after the last is gone.

use super::Holder;
use crate::ring::Pieces;
use crate::{Code, Error, Result, Tx, View, id};

/// A blob that is to come.
#[derive(Debug)]
pub struct Coming {
    /// Its identifier.
    pub id: String,
    /// What it is sealed with.
    pub pieces: Pieces,
}

/// A blob whose bytes have come, and lie where they stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// Its identifier, by which a row names it.
    pub id: String,
    /// How many bytes it has.
    pub size: u64,
    /// Their SHA-256.
    pub hash: [u8; 32],
}

/// A blob that a row holds.
#[derive(Debug)]
pub struct Blob {
    /// How many bytes it has.
    pub size: u64,
    /// Their SHA-256.
    pub hash: [u8; 32],
    /// What they are, as whoever uploaded them says.
    pub media_type: String,
    /// What opens them.
    pub pieces: Pieces,
}

/// Those who upload: by their identifier, or by what the node calls itself.
fn uploader<'a>(view: &'a View) -> &'a str {
    let caller = view.caller();
    caller.owner().unwrap_or(&caller.subject)
}

impl Tx<'_> {
    /// Says of a blob that its bytes are on their way: for the node.
    ///
    /// # Errors
    /// Those of [`Tx::execute`].
    pub fn expect_blob(
        &mut self, media_type: &str, [key, chance]: [[u8; 32]; 2],
    ) -> Result<Coming> {
        const EXPECT: &str = "INSERT INTO stoa_blob (tenant, id, state, uploader, media_type, size, \
             hash, key, subject, place, time) VALUES (:tenant, $1, 'coming', $2, $3, 0, $4, $5, '', '', $6)";
        let chance = chance.first_chunk().map_or(0, |chance| u128::from_le_bytes(*chance));
        let id = id::format("blob", self.now(), chance);
        let wrapped = self.tenant_key()?.seal(&[b"blob", id.as_bytes()], &key)?;
        let (uploader, now) = (uploader(self).to_owned(), self.now().0);
        let row = (&id, &uploader, media_type, &[0_u8; 0], wrapped.as_slice(), now);
        self.execute_as_kernel(EXPECT, row)?;
        Ok(Coming { id, pieces: Pieces::new(&key) })
    }

    /// Says of a blob that its bytes are there, where `most` bytes are as many as its tenant may have,
    /// if there is such a bound: for the node.
    ///
    /// # Errors
    /// `blob.late` where it was waited for too long, and `tenant.blobs`.
    pub fn stage_blob(&mut self, blob: &Uploaded, most: Option<i64>) -> Result<()> {
        const STAGE: &str = "UPDATE stoa_blob SET state = 'staged', size = $2, hash = $3, time = $4 \
             WHERE tenant = :tenant AND id = $1 AND state = 'coming'";
        const COUNT: &str = "INSERT INTO stoa_usage (tenant, blob_bytes) VALUES (:tenant, $1) \
             ON CONFLICT (tenant) DO UPDATE SET blob_bytes = stoa_usage.blob_bytes + excluded.blob_bytes";
        let size = i64::try_from(blob.size).map_err(Error::internal)?;
        let row = (&blob.id, size, blob.hash.as_slice(), self.now().0);
        if self.execute_as_kernel(STAGE, row)? == 0 {
            let message = "the upload took so long that it is waited for no more";
            return Err(Error::new(Code::Aborted, "blob.late", message).help("Upload it again."));
        }
        self.execute_as_kernel(COUNT, (size,))?;
        match most {
            Some(most) if self.blob_bytes()? > most => Err(full(most)),
            _ => Ok(()),
        }
    }

    /// Lets go of a blob, whoever holds it not: for the node.
    ///
    /// # Errors
    /// Those of [`Tx::execute`].
    pub fn abandon_blob(&mut self, id: &str) -> Result<bool> {
        const ABANDON: &str = "UPDATE stoa_blob SET state = 'going' \
             WHERE tenant = :tenant AND id = $1 AND state <> 'kept'";
        Ok(self.execute_as_kernel(ABANDON, (id,))? == 1)
    }

    /// Forgets a blob whose bytes are gone: for the node.
    ///
    /// # Errors
    /// Those of [`Tx::execute`].
    pub fn forget_blob(&mut self, id: &str) -> Result<()> {
        const SIZE: &str =
            "SELECT size FROM stoa_blob WHERE tenant = :tenant AND id = $1 AND state = 'going'";
        const FORGET: &str =
            "DELETE FROM stoa_blob WHERE tenant = :tenant AND id = $1 AND state = 'going'";
        const COUNT: &str =
            "UPDATE stoa_usage SET blob_bytes = blob_bytes - $1 WHERE tenant = :tenant";
        let Some((size,)) = self.of_kernel().row::<(i64,)>(SIZE, (id,))? else { return Ok(()) };
        self.execute_as_kernel(FORGET, (id,))?;
        self.execute_as_kernel(COUNT, (size,)).map(|_| ())
    }

    /// Has a holder keep what its caller uploaded.
    pub(super) fn keep(&mut self, holder: &Holder, id: &str, subject: Option<&str>) -> Result<()> {
        const STAGED: &str = "SELECT key FROM stoa_blob \
             WHERE tenant = :tenant AND id = $1 AND state = 'staged' AND uploader = $2";
        const KEEP: &str = "UPDATE stoa_blob SET state = 'kept', key = $2, subject = $3, place = $4, \
             holder = $5, time = $6 WHERE tenant = :tenant AND id = $1 AND state = 'staged'";
        let uploader = uploader(self).to_owned();
        let staged = self.of_kernel().row::<(Vec<u8>,)>(STAGED, (id, &uploader))?;
        let (wrapped,) = staged.ok_or_else(|| unknown(id))?;
        let wrapped = match subject {
            None => wrapped,
            Some(subject) => {
                let key = self.tenant_key()?.open(&[b"blob", id.as_bytes()], &wrapped);
                let key = key.ok_or_else(|| damaged(id))?;
                match self.subject_key(subject, true)? {
                    Some(of) => of.seal(&[b"blob", id.as_bytes()], &key)?,
                    // Nothing more is kept about somebody who was erased.
                    None => return self.abandon_blob(id).map(|_| ()),
                }
            }
        };
        let (subject, now) = (subject.unwrap_or_default(), self.now().0);
        let row = (id, wrapped.as_slice(), subject, &holder.place, holder.hash.as_slice(), now);
        self.execute_as_kernel(KEEP, row).map(|_| ())
    }

    /// Lets go of what is about somebody who is erased, and of what they uploaded and nobody holds.
    pub(crate) fn erase_blobs(&mut self, subject: &str) -> Result<()> {
        const ABOUT: &str = "UPDATE stoa_blob SET state = 'going', key = $2, time = $3 \
             WHERE tenant = :tenant AND subject = $1 AND subject <> '' AND state = 'kept'";
        const STAGED: &str = "UPDATE stoa_blob SET state = 'going', key = $2, time = $3 \
             WHERE tenant = :tenant AND uploader = $1 AND state IN ('coming', 'staged')";
        for words in [ABOUT, STAGED] {
            let now = self.now().0;
            self.execute_as_kernel(words, (subject, &[0_u8; 0], now))?;
        }
        Ok(())
    }
}

impl View<'_> {
    /// A blob that a row of this tenant holds, and what opens it: for the node.
    ///
    /// # Errors
    /// `ring.damaged`, and those of the store.
    pub fn blob(&self, id: &str) -> Result<Option<Blob>> {
        const FIND: &str = "SELECT size, hash, media_type, key, subject FROM stoa_blob \
             WHERE tenant = :tenant AND id = $1 AND state = 'kept'";
        type Row = (i64, Vec<u8>, String, Vec<u8>, String);
        let found = self.of_kernel().row::<Row>(FIND, (id,))?;
        let Some((size, hash, media_type, wrapped, subject)) = found else { return Ok(None) };
        let by = match subject.as_str() {
            "" => Some(self.tenant_key()?),
            subject => self.subject_key(subject, false)?,
        };
        let Some(by) = by else { return Ok(None) };
        let key = by.open(&[b"blob", id.as_bytes()], &wrapped);
        let key = key.and_then(|key| key.try_into().ok()).ok_or_else(|| damaged(id))?;
        let (size, hash) = (u64::try_from(size), hash.try_into());
        let (Ok(size), Ok(hash)) = (size, hash) else { return Err(damaged(id)) };
        Ok(Some(Blob { size, hash, media_type, pieces: Pieces::new(&key) }))
    }

    /// How many bytes of blobs this tenant has.
    ///
    /// # Errors
    /// Those of the store.
    pub fn blob_bytes(&self) -> Result<i64> {
        const USED: &str = "SELECT blob_bytes FROM stoa_usage WHERE tenant = :tenant";
        Ok(self.of_kernel().row::<(i64,)>(USED, ())?.map_or(0, |(bytes,)| bytes))
    }
}

/// What is said where a row names no upload that it could hold; whose it is, is not.
fn unknown(id: &str) -> Error {
    let message = format!("there is no upload `{id}` that can be named");
    Error::new(Code::FailedPrecondition, "blob.unknown", message).help(
        "Upload the bytes again, and name them within a day: once, and by whoever uploaded them.",
    )
}

fn damaged(id: &str) -> Error {
    let message = format!("the key of blob `{id}` does not open");
    Error::new(Code::DataLoss, "ring.damaged", message)
        .help("It was changed behind the node's back. Put a backup of the database back.")
}

/// What is said where a tenant has as many bytes as it may.
pub fn full(most: i64) -> Error {
    let message = format!("this tenant may have {most} bytes of blobs");
    Error::new(Code::ResourceExhausted, "tenant.blobs", message)
        .help("Delete what holds some of them, or ask whoever runs this cell for more room.")
}
