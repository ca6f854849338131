//! Blobs: bytes that do not belong into a row, and are held by one.
//!
//! A contract says which fields name blobs, `(stoa.v1.blob)`; the rest happens here, where rows are
//! written by the words that know the contract:
//!
//! ```ignore
//! string file = 3 [(stoa.v1.blob) = true, (stoa.v1.personal) = "owner_id"];
//! let picture = tx.add(Picture { file: request.upload, ..picture })?;   // holds what was uploaded
//! let path = view.link(&picture.file)?;                                 // where a browser gets it
//! tx.delete::<Picture>(&picture.id)?;                                   // lets go of it
//! ```
//!
//! Bytes are uploaded first, to the node's own `/-/uploads` or by an [effect](crate::Ctx::upload), and
//! belong to whoever uploaded them. The first row of theirs that names them holds them; nobody else can
//! name them before, and no other row after. What no row holds is gone a day later.
//!
//! ```text
//! coming ──▶ staged ──▶ kept ──▶ going ──▶ (no row, no bytes)
//!    │          │                  ▲
//!    └──────────┴──────────────────┘  after a day
//! ```
//!
//! **Invariant:** there is a row before the first byte of a blob is written, and until after the last
//! is gone: no bytes lie anywhere of which the cell does not know.
//!
//! **Invariant:** a blob becomes `staged` after its bytes are durable, and `kept` in the commit whose row
//! names it.
//!
//! **Invariant:** bytes are sealed with a key of their own, which is wrapped by the key of whom they are
//! about, or by the tenant's.

mod kept;
mod link;

use std::ops::Range;

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::personal::value;
use crate::ports::Port;
use crate::value::Value;
use crate::{Code, Error, Result, Stream, Table, Tx};

pub use kept::{Blob, Coming, Uploaded, full};
pub use link::{Link, PATH};

/// Which columns of a table name blobs. Generated from the contract.
#[derive(Debug)]
pub struct Blobs {
    /// The table.
    pub table: &'static str,
    /// The places of the columns that name a row.
    pub key: &'static [usize],
    /// The columns.
    pub fields: &'static [Named],
    /// How its rows are added, saved and deleted: no other statement writes them, so that none forgets
    /// what they hold.
    pub words: &'static [&'static str],
}

/// A column that names blobs.
#[derive(Debug)]
pub struct Named {
    /// Its place among the columns of the table.
    pub place: usize,
    /// Its name.
    pub column: &'static str,
    /// The place of the column that says whom the bytes are about, if they are about somebody.
    pub subject: Option<usize>,
}

impl Blobs {
    /// Whether a statement that touches what rows hold is one of the words for it.
    pub fn knows(&self, sql: &str) -> bool {
        self.words.iter().any(|word| {
            // Further columns stand behind those of the contract when a row is added, and before them
            // when it is saved.
            let added = word.split_once(") VALUES").is_some_and(|(head, _)| sql.starts_with(head));
            let saved = word
                .split_once(" SET ")
                .is_some_and(|(head, rest)| sql.starts_with(head) && sql.ends_with(rest));
            added || saved || sql == *word
        })
    }

    /// Whether a column names blobs.
    pub fn names(&self, column: &str) -> bool {
        self.fields.iter().any(|field| field.column == column)
    }
}

/// Where the bytes of blobs lie, as the driver of this port keeps them.
///
/// An object is put once and never changed. Whoever puts it has said in the database before that it is
/// on its way, so a driver need not list what it has, nor clear up after itself.
pub trait Objects: Send + Sync + 'static {
    /// Puts an object under a name that has none: whole and durable once this is done. Where it fails,
    /// or is given up, some of it may lie there.
    ///
    /// # Errors
    /// That of the stream, as it is, and `unavailable` where the bytes cannot be kept.
    fn put(&self, name: &str, bytes: Stream<Bytes>) -> BoxFuture<'static, Result<()>>;

    /// Gives the bytes of an object from one place to another.
    ///
    /// # Errors
    /// `objects.missing` where there is no such object, and `unavailable`.
    fn get(&self, name: &str, range: Range<u64>) -> BoxFuture<'static, Result<Stream<Bytes>>>;

    /// Deletes an object, and durably so; one that is not there is deleted already.
    ///
    /// # Errors
    /// `unavailable`.
    fn delete(&self, name: &str) -> BoxFuture<'static, Result<()>>;
}

impl Port for dyn Objects {
    const NAME: &'static str = "objects";
    const PROVIDE: &'static str = "Set `blobs` to a directory, which all nodes of the cell share.";
}

/// What a driver says of an object that is not there.
pub fn missing(name: &str) -> Error {
    Error::new(Code::DataLoss, "objects.missing", format!("there is no object `{name}`"))
        .help("Put the objects back that belong to this database, or see docs/runbooks/backup.md.")
}

/// The object that says of which cell all others are.
pub const MARK: &str = "cell";

/// What an object is called that is a blob of a tenant.
pub fn object(tenant: &str, id: &str) -> String {
    format!("{tenant}/{id}")
}

impl Tx<'_> {
    /// Has a row hold the blobs that it names, and no others.
    pub(crate) fn hold<T: Table>(&mut self, row: &T) -> Result<()> {
        let Some(blobs) = T::BLOBS else { return Ok(()) };
        row.with(|values| {
            for field in blobs.fields {
                let key: Vec<Value<'_>> = blobs.key.iter().map(|&place| values[place]).collect();
                let holder = Holder::of(blobs, field, &key);
                let id = text(values[field.place]);
                let subject = field.subject.map(|place| text(values[place]));
                self.hold_one(&holder, id, subject)?;
            }
            Ok(())
        })
    }

    fn hold_one(&mut self, holder: &Holder, id: &str, subject: Option<&str>) -> Result<()> {
        const HELD: &str = "SELECT id FROM stoa_blob \
             WHERE tenant = :tenant AND holder = $1 AND state = 'kept'";
        let held = self.of_kernel().row::<(String,)>(HELD, (holder.hash.as_slice(),))?;
        match held {
            Some((held,)) if held == id => return Ok(()),
            Some(_) => self.let_go_of(holder)?,
            None => {}
        }
        if id.is_empty() { Ok(()) } else { self.keep(holder, id, subject) }
    }

    /// Lets go of what the row of a key holds.
    pub(crate) fn let_go(&mut self, blobs: &Blobs, key: &[Value<'_>]) -> Result<()> {
        blobs.fields.iter().try_for_each(|field| self.let_go_of(&Holder::of(blobs, field, key)))
    }

    fn let_go_of(&mut self, holder: &Holder) -> Result<()> {
        const LET_GO: &str = "UPDATE stoa_blob SET state = 'going', time = $2 \
             WHERE tenant = :tenant AND holder = $1 AND state = 'kept'";
        let now = self.now().0;
        self.execute_as_kernel(LET_GO, (holder.hash.as_slice(), now)).map(|_| ())
    }
}

/// What holds a blob: a column of a row.
pub(crate) struct Holder {
    /// `album_picture.file`.
    place: String,
    /// That, and the key of the row.
    hash: [u8; 16],
}

impl Holder {
    fn of(blobs: &Blobs, field: &Named, key: &[Value<'_>]) -> Self {
        let place = format!("{}.{}", blobs.table, field.column);
        let mut hasher = blake3::Hasher::new();
        let parts = key.iter().map(|part| value(*part));
        for part in std::iter::once(place.clone().into_bytes()).chain(parts) {
            // Lengths keep ("ab", "c") and ("a", "bc") apart.
            hasher.update(&(part.len() as u64).to_le_bytes()).update(&part);
        }
        let mut hash = [0; 16];
        hasher.finalize_xof().fill(&mut hash);
        Self { place, hash }
    }
}

fn text(value: Value<'_>) -> &str {
    match value {
        Value::Text(text) => text,
        _ => "",
    }
}
