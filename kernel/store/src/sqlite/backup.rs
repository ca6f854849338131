//! A backup: a copy of one moment, made while a node writes, and looked through before it has the
//! name of a database.
//!
//! SQLite copies what one snapshot shows into a new file, without what was deleted. The writer goes
//! on meanwhile; its log cannot be written over until the snapshot has ended, and grows.
//!
//! **Invariant:** what stands at the end as `stoa.db` in another directory is whole, and holds every
//! commit that was acknowledged before the copy began. Until then it has another name.

use std::fs::File;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use stoa_contract::Code;
use stoa_kit::{Error, Micros, Result, blobs};

use super::files::{cannot_open, damaged, directory, first_page, open, unusable};
use super::mark::Mark;
use super::start::{Owner, last, owner};
use crate::schema;
use crate::{BackedUp, Copied, Directory};

/// The file that says, beside a database, which backup was the last.
const TOLD: &str = "stoa.backup";

/// Copies the database of a directory into another directory.
///
/// # Errors
/// `backup.exists`, `backup.behind`, `backup.blobs`, or what is wrong with either directory.
pub(crate) fn back_up(from: &Path, blobs: &Path, to: &Path) -> Result<Copied> {
    let (source, target) = (from.join("stoa.db"), to.join("stoa.db"));
    let acknowledged = acknowledged(from)?;
    let connection = read(&source)?;
    if owner(&connection).map_err(|error| cannot_open(&source, &error))? != Owner::Us {
        return Err(schema::not_ours(&source.display().to_string()));
    }
    directory(to)?;
    if target.exists() {
        return Err(exists(&target));
    }
    let partial = to.join("stoa.db.partial");
    let file = open(&partial).and_then(|file| file.set_len(0).map(|()| file));
    let file = file.map_err(|error| unusable(&partial, &error))?;
    let name = partial.to_str().ok_or_else(|| Error::internal("a path that is no text"))?;
    let copied = connection.execute("VACUUM INTO ?1", [name]);
    copied.map_err(|error| cannot_open(&source, &error))?;
    let position = look_through(&partial)?;
    if position < acknowledged {
        let what = format!("the copy ends with commit {position}, {acknowledged} was acknowledged");
        return Err(Error::new(Code::DataLoss, "backup.behind", what)
            .help("See docs/runbooks/backup.md: the database lacks commits that its mark knows."));
    }
    let blobs = copy_blobs(&partial, blobs, &to.join("blobs"))?;
    let kept = keep(&file, &partial, &target, position);
    let bytes = kept.map_err(|error| unusable(&target, &error))?;
    // A copy is as good where nobody can be told of it.
    let _ = std::fs::write(from.join(TOLD), format!("{position} {bytes} {blobs}\n"));
    Ok(Copied { position, bytes, blobs })
}

/// The last backup of the database of a directory, as the file says that it left there: where it ends, how
/// large it is, how many blobs came along, and by its own time when it was made.
pub(super) fn backed_up(from: &Path) -> Option<BackedUp> {
    let path = from.join(TOLD);
    let text = std::fs::read_to_string(&path).ok()?;
    let mut words = text.split_whitespace();
    let copied = Copied {
        position: words.next()?.parse().ok()?,
        bytes: words.next()?.parse().ok()?,
        blobs: words.next()?.parse().ok()?,
    };
    let time = std::fs::metadata(&path).and_then(|file| file.modified()).ok()?;
    let time = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(BackedUp { time: Micros(i64::try_from(time.as_micros()).ok()?), copied })
}

/// The youngest commit that was acknowledged so far.
fn acknowledged(from: &Path) -> Result<i64> {
    let path = from.join("stoa.mark");
    let mark = match File::open(&path) {
        Ok(file) => Mark::of(file).map_err(|error| unusable(&path, &error))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(unusable(&path, &error)),
    };
    Ok(mark.said().map_or(0, |said| said.position))
}

/// Looks through all of a copy, and says where it ends.
fn look_through(copy: &Path) -> Result<i64> {
    let connection = read(copy)?;
    let failed = |error: rusqlite::Error| cannot_open(copy, &error);
    let check = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, String>(0));
    let found = check("PRAGMA integrity_check(1)").map_err(failed)?;
    if found != "ok" {
        return Err(damaged(copy, &found));
    }
    Ok(last(&connection).map_err(failed)?.0)
}

/// Copies the blobs that a copy of the database knows to be whole. None of them goes before a day is
/// over since it was let go of, and a copy that takes longer is refused.
fn copy_blobs(copy: &Path, from: &Path, to: &Path) -> Result<usize> {
    const WHOLE: &str = "SELECT tenant, id FROM stoa_blob WHERE state IN ('staged', 'kept')";
    const KNOWN: &str = "SELECT 1 FROM sqlite_schema WHERE name = 'stoa_blob'";
    let failed = |error: rusqlite::Error| cannot_open(copy, &error);
    let connection = read(copy)?;
    if !connection.prepare(KNOWN).and_then(|mut known| known.exists(())).map_err(failed)? {
        return Ok(0);
    }
    let mut whole = connection.prepare(WHOLE).map_err(failed)?;
    let names = whole.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    let names = names.collect::<rusqlite::Result<Vec<(String, String)>>>().map_err(failed)?;
    let (from, to) = (Directory::new(from.to_owned()), Directory::new(to.to_owned()));
    for (tenant, id) in &names {
        let name = blobs::object(tenant, id);
        to.copy(&from, &name).map_err(|error| lost(&name, &error))?;
    }
    match to.copy(&from, blobs::MARK) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(lost(blobs::MARK, &error))
        }
        _ => Ok(names.len()),
    }
}

fn lost(name: &str, error: &std::io::Error) -> Error {
    let message = format!("the blob {name} cannot be copied: {error}");
    Error::new(Code::DataLoss, "backup.blobs", message).help(
        "Say with --blobs where they lie. If this one was deleted while it was copied, begin again, to \
         another directory.",
    )
}

/// Gives a copy its name once it is on the disk, with its mark beside it.
fn keep(file: &File, partial: &Path, target: &Path, position: i64) -> std::io::Result<u64> {
    file.sync_all()?;
    Mark::of(open(&target.with_file_name("stoa.mark"))?)?.copied(position, first_page(file));
    std::fs::rename(partial, target)?;
    if let Some(directory) = target.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(file.metadata()?.len())
}

fn read(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).map_err(|error| cannot_open(path, &error))
}

fn exists(target: &Path) -> Error {
    let message = format!("{} is there already", target.display());
    Error::new(Code::AlreadyExists, "backup.exists", message)
        .help("Give each backup a directory of its own: a backup overwrites nothing.")
}
