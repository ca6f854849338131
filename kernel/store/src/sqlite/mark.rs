//! How far a database went, told beside it: so that a start notices a log that was removed, or an
//! old copy that was put back.
//!
//! A mark may lag behind the database and never runs ahead of it: it is written after the commit
//! that it speaks of is on the disk, and synced only with a checkpoint. After `kill -9` it is as
//! young as the last batch that was acknowledged; after a power cut it may be older, and then
//! notices less. A database that is as it was left is never refused for it. See
//! `docs/adr/0007-a-mark-beside-the-database.md`.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

/// What a mark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Said {
    /// The position of the youngest acknowledged commit.
    pub position: i64,
    /// Whether the database was closed, and all of it is in its one file.
    pub closed: bool,
    /// A hash of the database's first page, while nobody copies the log into it.
    pub page: Option<u64>,
}

/// A mark in its file.
pub(super) struct Mark {
    file: File,
    said: Mutex<Option<Said>>,
}

impl Mark {
    /// Reads the mark of a file. One that cannot be read says nothing: whether a cut or a stranger
    /// tore it is not to be told apart.
    pub(super) fn of(file: File) -> std::io::Result<Self> {
        let mut line = [0; Said::BYTES];
        let read = file.read_at(&mut line, 0)?;
        let said = Said::read(&line[..read]);
        if said.is_none() && read > 0 {
            tracing::warn!("stoa.mark cannot be read: whether commits are missing is not known");
        }
        Ok(Self { file, said: Mutex::new(said) })
    }

    /// What it says.
    pub(super) fn said(&self) -> Option<Said> {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A commit was acknowledged.
    pub(super) fn acknowledged(&self, position: i64) {
        self.change(|said| Said { position, ..said });
    }

    /// The database is about to change under its log. Synced: a page that a mark speaks of after a
    /// power cut is the one that is there.
    pub(super) fn unsettled(&self) {
        self.change(|said| Said { page: None, closed: false, ..said });
        self.sync();
    }

    /// The database has been synced, and does not change for a while.
    pub(super) fn settled(&self, page: u64) {
        self.change(|said| Said { page: Some(page), ..said });
    }

    /// All of the database is in its one file.
    pub(super) fn closed(&self) {
        self.change(|said| Said { closed: true, ..said });
        self.sync();
    }

    /// It stands beside a copy, which is whole and closed.
    pub(super) fn copied(&self, position: i64, page: u64) {
        self.change(|_| Said { position, closed: true, page: Some(page) });
        self.sync();
    }

    /// Writes it over where it says something else; it is on the disk some time later.
    fn change(&self, change: impl FnOnce(Said) -> Said) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let next = change(said.unwrap_or_default());
        if *said == Some(next) {
            return;
        }
        // One that lags notices less: no commit is refused for that.
        match self.file.write_all_at(&next.line(), 0) {
            Ok(()) => *said = Some(next),
            Err(error) => tracing::warn!(%error, "stoa.mark cannot be written"),
        }
    }

    /// Waits until it is on the disk.
    fn sync(&self) {
        if let Err(error) = self.file.sync_data() {
            tracing::warn!(%error, "stoa.mark cannot be synced");
        }
    }
}

impl Said {
    /// Less than a sector, so that a disk writes all of it or nothing.
    const BYTES: usize = 128;

    /// As one line of a fixed length, for people too.
    fn line(self) -> [u8; Self::BYTES] {
        let Self { position, closed, page } = self;
        let state = if closed { "closed" } else { "open" };
        let page = page.map_or("-".to_owned(), |page| page.to_string());
        let text = format!("stoa position {position} {state} page {page}");
        let text = format!("{text} {}", check(&text));
        let mut line = [b' '; Self::BYTES];
        line[Self::BYTES - 1] = b'\n';
        // The longest numbers leave room.
        for (place, byte) in line.iter_mut().zip(text.bytes().take(Self::BYTES - 1)) {
            *place = byte;
        }
        line
    }

    fn read(line: &[u8]) -> Option<Self> {
        let (text, sum) = std::str::from_utf8(line).ok()?.trim_end().rsplit_once(' ')?;
        if check(text) != sum {
            return None;
        }
        let words: Vec<&str> = text.split(' ').collect();
        let ["stoa", "position", position, state, "page", page] = words[..] else {
            return None;
        };
        Some(Self {
            position: position.parse().ok()?,
            closed: state == "closed",
            page: if page == "-" { None } else { Some(page.parse().ok()?) },
        })
    }
}

fn check(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written_or_not_at_all() {
        let far = Said { position: i64::MAX, closed: false, page: Some(u64::MAX) };
        for said in [Said::default(), far, Said { closed: true, ..far }] {
            assert_eq!(Said::read(&said.line()), Some(said));
        }
        let mut torn = far.line();
        torn[16] = b'1';
        assert_eq!(Said::read(&torn), None);
        assert_eq!(Said::read(b""), None);
    }
}
