//! The files of a database: who has them, who may read them, whether they are still there.
//!
//! One process has a directory, for as long as it lives: what it keeps in memory about the
//! database is true only while nobody else writes to it. The lock stands beside the database, on a
//! file of its own, so that a second process can read it for a backup.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use stoa_contract::Code;
use stoa_kit::{Error, Result};

use super::mark::Mark;

/// Nobody but the owner reads what a node keeps: there are hashes of passwords in it.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A file as the file system knows it, whatever it is called.
type Identity = (u64, u64);

/// The files of a database that this process has.
pub(super) struct Files {
    path: PathBuf,
    /// The database, open as long as SQLite has it open: to close any descriptor of a file gives
    /// up all locks that the process has on it.
    database: File,
    /// Held until the database is closed.
    lock: Mutex<Option<File>>,
    /// How far the database went, as told beside it.
    pub(super) mark: Mark,
    /// What the paths led to when they were opened.
    opened: OnceLock<Vec<(PathBuf, Identity)>>,
}

impl Files {
    /// Takes a directory for this process; makes it if it is not there.
    ///
    /// # Errors
    /// `store.in_use` where another process has it, `store.directory` where it cannot be used.
    pub(super) fn take(directory: &Path) -> Result<Self> {
        self::directory(directory)?;
        let lock = lock(&directory.join("stoa.lock"))?;
        // SQLite gives the log the mode of the database, and the database that of the umask.
        let path = directory.join("stoa.db");
        let database = open(&path).map_err(|error| unusable(&path, &error))?;
        let at = directory.join("stoa.mark");
        let mark = open(&at).and_then(Mark::of).map_err(|error| unusable(&at, &error))?;
        for (path, mode) in [(directory, DIRECTORY_MODE), (&path, FILE_MODE)] {
            warn_of_strangers(path, mode);
        }
        let (lock, opened) = (Mutex::new(Some(lock)), OnceLock::new());
        Ok(Self { path, database, lock, mark, opened })
    }

    /// Where the database is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Remembers which files are open, once they are.
    fn remember(&self) {
        let paths = [self.path.clone(), self.beside("-wal"), self.beside("-shm")];
        let known = paths.into_iter().filter_map(|path| Some((identity(&path)?, path)));
        self.opened.get_or_init(|| known.map(|(id, path)| (path, id)).collect());
    }

    /// Whether the paths still lead to the files that are open: what is written to others is gone
    /// when the process ends.
    ///
    /// # Errors
    /// `store.files_gone`.
    pub(super) fn are_there(&self) -> Result<()> {
        let opened = self.opened.get().map_or(&[][..], Vec::as_slice);
        let gone = opened.iter().find(|(path, known)| {
            // A file system that does not answer has not lost the file.
            std::fs::metadata(path).map_or_else(
                |error| error.kind() == std::io::ErrorKind::NotFound,
                |found| (found.dev(), found.ino()) != *known,
            )
        });
        let Some((path, _)) = gone else { return Ok(()) };
        let what = format!("{} is not the file that was opened any more", path.display());
        Err(Error::unavailable("store.files_gone", what).help(
            "The node ends: what it wrote since the file was moved, removed or replaced may be \
             lost. Put the files back as they were, or a backup, and start it again.",
        ))
    }

    /// Gives the directory back; false if it was given back before.
    pub(super) fn give_back(&self) -> Option<File> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether the log that is there, if any, is that of the database: SQLite would copy it into
    /// any file of its name, also into a backup that was put back beside it.
    ///
    /// # Errors
    /// `store.foreign_log`.
    pub(super) fn log_fits(&self) -> Result<()> {
        let log = self.beside("-wal");
        let known = self.mark.said().and_then(|said| said.page);
        let has_log = std::fs::metadata(&log).is_ok_and(|found| found.len() > 0);
        if !has_log || known.is_none_or(|page| page == self.first_page()) {
            return Ok(());
        }
        let (database, log) = (self.path.display(), log.display());
        let what = format!("{log} is not the log of this {database}");
        Err(Error::new(Code::FailedPrecondition, "store.foreign_log", what).help(format!(
            "If {database} is a backup that was put back, remove {log}; if it is not, put the file \
             back that belongs to the log."
        )))
    }

    /// A process goes on behind a position.
    pub(super) fn begun(&self, position: i64) {
        self.remember();
        self.mark.acknowledged(position);
        self.settled();
    }

    /// The database is synced, and will not change before [`Mark::unsettled`].
    pub(super) fn settled(&self) {
        self.mark.settled(self.first_page());
    }

    /// All of the database is in its one file.
    pub(super) fn closed(&self) {
        self.settled();
        self.mark.closed();
    }

    fn first_page(&self) -> u64 {
        first_page(&self.database)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    }
}

/// A hash of a database's first page, which is another one in each run.
pub(super) fn first_page(database: &File) -> u64 {
    let mut page = [0; super::PAGE as usize];
    // An empty database has no page, which is a page like any other here.
    let read = database.read_at(&mut page, 0).unwrap_or(0);
    let hash = blake3::hash(&page[..read]);
    hash.as_bytes()[..8].iter().fold(0, |all, byte| all << 8 | u64::from(*byte))
}

/// What an operator is told whose database cannot be opened, with what can be seen from outside.
pub(super) fn cannot_open(path: &Path, error: &rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseCorrupt, DatabaseLocked, NotADatabase};
    let code = error.sqlite_error_code();
    if code == Some(NotADatabase) {
        return crate::schema::not_ours(&path.display().to_string()).cause(error);
    }
    if code == Some(DatabaseCorrupt) {
        return damaged(path, &error.to_string());
    }
    let message = format!("{} cannot be opened: {error} ({})", path.display(), seen(path));
    match code {
        Some(DatabaseBusy | DatabaseLocked) => Error::unavailable("store.busy", message)
            .help("End the other program that has it open, a shell or a copy, and start again."),
        _ => Error::unavailable("store.io", message).help(
            "See that this user may read and write the file and its directory, that the disk \
             answers, and that the process may open files enough (`ulimit -n`, LimitNOFILE).",
        ),
    }
}

/// What an operator is told whose database is damaged.
pub(super) fn damaged(path: &Path, what: &str) -> Error {
    let message = format!("{} is damaged: {}", path.display(), what.trim());
    Error::new(Code::DataLoss, "store.corrupt", message)
        .help("Put a backup back, and keep the damaged files: see docs/runbooks/backup.md.")
}

fn identity(path: &Path) -> Option<Identity> {
    std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Makes a directory for this user alone, if it is not there.
///
/// # Errors
/// `store.directory`.
pub(super) fn directory(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path);
    made.map_err(|error| unusable(path, &error))
}

/// Opens a file for this user alone, and makes it if it is not there.
pub(super) fn open(path: &Path) -> std::io::Result<File> {
    let mut how = OpenOptions::new();
    how.read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path)
}

/// Locks a file for as long as the process lives, and says in it who has it.
fn lock(path: &Path) -> Result<File> {
    let mut file = open(path).map_err(|error| unusable(path, &error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Who cannot be read is another process all the same.
            let _ = file.read_to_string(&mut holder);
            return Err(in_use(path, holder.trim()));
        }
        Err(TryLockError::Error(error)) => return Err(unusable(path, &error)),
    }
    let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    written.map_err(|error| unusable(path, &error))?;
    Ok(file)
}

fn in_use(path: &Path, holder: &str) -> Error {
    let directory = path.parent().unwrap_or(path).display();
    let message = format!("process {holder} has the database in {directory} open");
    Error::new(Code::FailedPrecondition, "store.in_use", message).help(format!(
        "Stop that one first (`kill {holder}`), or choose another place with --data; several \
         nodes share a PostgreSQL database, given by --database."
    ))
}

pub(super) fn unusable(path: &Path, error: &std::io::Error) -> Error {
    let message = format!("{}: {error} ({})", path.display(), seen(path));
    Error::unavailable("store.directory", message).help(
        "See that this user may read and write there, that there is room, and that the process \
         may open files enough (`ulimit -n`); or choose another place with --data.",
    )
}

/// Owner and mode of a file, or of the nearest directory above it that is there.
fn seen(path: &Path) -> String {
    let found = path.ancestors().find_map(|path| Some((path, std::fs::metadata(path).ok()?)));
    let Some((at, found)) = found else { return "it is not there".to_owned() };
    let (user, mode) = (rustix::process::geteuid().as_raw(), found.mode() & 0o7777);
    let owner = found.uid();
    format!("{} belongs to user {owner}, mode {mode:04o}; this is user {user}", at.display())
}

fn warn_of_strangers(path: &Path, mode: u32) {
    let Ok(found) = std::fs::metadata(path) else { return };
    let now = found.permissions().mode() & 0o777;
    if now & !mode != 0 {
        let (path, should) = (path.display(), format!("{mode:o}"));
        tracing::warn!(
            "{path} has mode {now:o}: others of this machine may read it; `chmod {should} {path}`"
        );
    }
}
