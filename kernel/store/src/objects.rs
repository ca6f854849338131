//! Objects in a directory: the bytes of blobs, beside an embedded database or where all nodes reach them.
//!
//! ```text
//! <directory>/<tenant>/<last two characters>/<id>
//! ```
//!
//! **Invariant:** what was put is on the disk, and so is its name, before anybody is told.
//!
//! **Invariant:** a name leads nowhere but below the directory.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use stoa_kit::blobs::{Objects, missing};
use stoa_kit::{Error, Result, Stream};

/// How much is read at once.
const READ: usize = 256 << 10;

/// Objects in a directory.
#[derive(Debug, Clone)]
pub struct Directory(PathBuf);

impl Directory {
    /// Those of a directory, which is made with the first of them.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where an object lies.
    ///
    /// # Errors
    /// `internal` for a name that none can have.
    pub fn path(&self, name: &str) -> Result<PathBuf> {
        let good = |part: &str| {
            let byte = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            !part.is_empty() && part.bytes().all(byte)
        };
        let (folder, file) = name.split_once('/').unwrap_or(("", name));
        if !good(file) || !(folder.is_empty() || good(folder)) {
            return Err(Error::internal(format!("`{name}` is the name of no object")));
        }
        // An identifier begins with its time, and ends with chance.
        let shard = &file[file.len().saturating_sub(2)..];
        Ok(if folder.is_empty() {
            self.0.join(file)
        } else {
            self.0.join(folder).join(shard).join(file)
        })
    }

    /// Copies an object from another directory: it is on the disk then.
    pub(crate) fn copy(&self, from: &Self, name: &str) -> std::io::Result<()> {
        let path = |of: &Self| of.path(name).map_err(std::io::Error::other);
        let (mut read, to) = (File::open(path(from)?)?, path(self)?);
        let mut written = self.create(&to)?;
        std::io::copy(&mut read, &mut written)?;
        written.sync_all()?;
        self.settle(&to)
    }

    /// Makes the file of an object, and the directories above it.
    fn create(&self, path: &Path) -> std::io::Result<File> {
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
    }

    /// Has the disk know every name that leads to an object.
    fn settle(&self, path: &Path) -> std::io::Result<()> {
        for folder in path.ancestors().skip(1) {
            File::open(folder)?.sync_all()?;
            if folder == self.0 {
                break;
            }
        }
        Ok(())
    }
}

impl Objects for Directory {
    fn put(&self, name: &str, mut bytes: Stream<Bytes>) -> BoxFuture<'static, Result<()>> {
        let (own, path) = (self.clone(), self.path(name));
        Box::pin(async move {
            let path = path?;
            let (to, at) = (own.clone(), path.clone());
            let mut file =
                work(move || to.create(&at)).await?.map_err(|error| own.failed(&error))?;
            while let Some(piece) = bytes.next().await {
                let piece = piece?;
                let written = work(move || file.write_all(&piece).map(|()| file)).await?;
                file = written.map_err(|error| own.failed(&error))?;
            }
            let to = own.clone();
            let settled = work(move || file.sync_all().and_then(|()| to.settle(&path))).await?;
            settled.map_err(|error| own.failed(&error))
        })
    }

    fn get(&self, name: &str, range: Range<u64>) -> BoxFuture<'static, Result<Stream<Bytes>>> {
        let (own, path, name) = (self.clone(), self.path(name), name.to_owned());
        Box::pin(async move {
            let path = path?;
            let opened = work(move || {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(range.start))?;
                Ok(file.take(range.end.saturating_sub(range.start)))
            });
            let file = opened.await?.map_err(|error: std::io::Error| match error.kind() {
                ErrorKind::NotFound => missing(&name),
                _ => own.failed(&error),
            })?;
            let pieces = futures::stream::try_unfold(file, move |mut file| {
                let own = own.clone();
                async move {
                    let read = work(move || {
                        let mut piece = Vec::with_capacity(READ.min(file.limit() as usize));
                        file.by_ref()
                            .take(READ as u64)
                            .read_to_end(&mut piece)
                            .map(|_| (piece, file))
                    });
                    let (piece, file) = read.await?.map_err(|error| own.failed(&error))?;
                    Ok((!piece.is_empty()).then(|| (piece.into(), file)))
                }
            });
            Ok(pieces.boxed())
        })
    }

    fn delete(&self, name: &str) -> BoxFuture<'static, Result<()>> {
        let (own, path) = (self.clone(), self.path(name));
        Box::pin(async move {
            let path = path?;
            let removed = work(move || match std::fs::remove_file(&path) {
                Ok(()) => path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all()),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            });
            removed.await?.map_err(|error| own.failed(&error))
        })
    }
}

impl Directory {
    fn failed(&self, error: &std::io::Error) -> Error {
        let message = format!("objects in {} cannot be used: {error}", self.0.display());
        Error::unavailable("objects.unusable", message)
            .help("Let the user that runs the node read and write the directory, and give it room.")
    }
}

/// Does what waits for a disk where nobody else waits.
async fn work<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)
}
