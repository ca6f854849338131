//! The files of the embedded engine: whose they are, where they are, and how far they go.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stoa_kit::{Code, Error};
use stoa_store::{Copied, Place, back_up};
use tempfile::TempDir;

use crate::cell::{self, Cell, Home, On};

const COUNT: &str = "SELECT COUNT(*) FROM alpha_account";

/// A cell in a directory, with some accounts.
fn begun(directory: &Path, accounts: i64) -> Cell {
    let cell = open(directory, None).unwrap();
    (0..accounts).for_each(|_| put(&cell));
    cell
}

/// Opens one more account.
fn put(cell: &Cell) {
    let put = |tx: &mut stoa_kit::Tx| {
        let id = tx.new_id("acc");
        cell::put_account(tx, &id, 1)
    };
    cell.commit(put).unwrap();
}

fn open(directory: &Path, accept: Option<i64>) -> Result<Cell, Error> {
    let home = Arc::new(Home::at(On::Sqlite, directory.to_str().unwrap()));
    Cell::try_open(home, cell::services(), |options| options.accept_position = accept)
}

fn refused(directory: &Path) -> Error {
    open(directory, None).err().expect("the start is refused")
}

/// Copies a directory as it is, but for files of some names: what a process that was killed left.
fn copied(from: &Path, without: &[&str]) -> TempDir {
    let to = TempDir::new().unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        if !without.contains(&file.file_name().to_str().unwrap()) {
            std::fs::copy(file.path(), to.path().join(file.file_name())).unwrap();
        }
    }
    to
}

fn file(directory: &TempDir) -> PathBuf {
    directory.path().join("stoa.db")
}

#[test]
fn a_database_that_is_closed_is_one_file() {
    let directory = TempDir::new().unwrap();
    let cell = begun(directory.path(), 3);
    assert_eq!(cell.count(COUNT), 3, "there was a reader");
    cell.block_on(cell.store.close());
    assert!(!directory.path().join("stoa.db-wal").exists());
    let alone = TempDir::new().unwrap();
    std::fs::copy(file(&directory), file(&alone)).unwrap();
    assert_eq!(open(alone.path(), None).unwrap().count(COUNT), 3);
}

#[test]
fn a_directory_is_one_process_own() {
    let directory = TempDir::new().unwrap();
    let cell = begun(directory.path(), 1);
    let error = refused(directory.path());
    assert_eq!((error.code(), error.reason()), (Code::FailedPrecondition, "store.in_use"));
    let pid = std::process::id().to_string();
    assert!(error.message().contains(&pid) && error.next().contains(&pid), "{error:?}");
    cell.block_on(cell.store.close());
    assert_eq!(open(directory.path(), None).unwrap().count(COUNT), 1);
}

/// Whatever becomes of the files of a node that runs, it tells nobody of what is not in them.
fn ends_after(harm: impl Fn(&Path), idle: bool) {
    let above = TempDir::new().unwrap();
    let directory = above.path().join("data");
    let cell = begun(&directory, 1);
    harm(&directory);
    if !idle {
        let error = cell.commit(|tx| cell::put_account(tx, "lost", 1)).unwrap_err();
        assert_eq!(error.reason(), "store.files_gone");
    }
    let broken = cell.store.broken();
    let soon = async { tokio::time::timeout(Duration::from_secs(5), broken).await };
    assert_eq!(cell.block_on(soon).unwrap().reason(), "store.files_gone");
    assert_eq!(cell.store.health().unwrap_err().reason(), "store.files_gone");
    let error = cell.commit(|tx| cell::put_account(tx, "late", 1)).unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::Unavailable, "store.files_gone"));
}

#[test]
fn a_log_that_is_removed_ends_the_store() {
    ends_after(|data| std::fs::remove_file(data.join("stoa.db-wal")).unwrap(), false);
}

#[test]
fn a_directory_that_is_moved_ends_the_store() {
    ends_after(|data| std::fs::rename(data, data.with_extension("moved")).unwrap(), true);
}

#[test]
fn a_database_that_is_replaced_ends_the_store() {
    let replace = |data: &Path| {
        std::fs::copy(data.join("stoa.db"), data.join("copy")).unwrap();
        std::fs::rename(data.join("copy"), data.join("stoa.db")).unwrap();
    };
    ends_after(replace, false);
}

#[test]
fn a_position_that_somebody_else_took_ends_the_store() {
    let directory = TempDir::new().unwrap();
    let cell = begun(directory.path(), 1);
    let other = rusqlite::Connection::open(file(&directory)).unwrap();
    const TAKE: &str = "INSERT INTO stoa_commit SELECT tenant, position + 1, time, cause, caller, \
         method, trace, tables, touched, duration_us FROM stoa_commit ORDER BY position DESC LIMIT 1";
    other.execute_batch(TAKE).unwrap();
    let error = cell.commit(|tx| cell::put_account(tx, "a", 1)).unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::Unavailable, "store.position_taken"));
    assert_eq!(cell.block_on(cell.store.broken()).reason(), "store.position_taken");
    assert_eq!(cell.store.health().unwrap_err().reason(), "store.position_taken");
}

#[test]
fn a_start_on_fewer_commits_than_were_acknowledged_is_refused() {
    let directory = TempDir::new().unwrap();
    drop(begun(directory.path(), 2));
    let old = copied(directory.path(), &[]);
    let cell = begun(directory.path(), 2);
    // Killed, and its log removed.
    let cut = copied(directory.path(), &["stoa.db-wal", "stoa.db-shm"]);
    let error = refused(cut.path());
    assert_eq!((error.code(), error.reason()), (Code::FailedPrecondition, "store.lost_commits"));
    drop(cell);
    // An old copy, put back.
    std::fs::copy(file(&old), file(&directory)).unwrap();
    let error = refused(directory.path());
    assert_eq!(error.reason(), "store.lost_commits");
    assert!(error.message().contains("commit 2, and 4 was"), "{error}");
    assert!(error.next().contains("--accept-position 2"), "{}", error.next());
    assert_eq!(refused(directory.path()).reason(), "store.lost_commits", "asking does not help");
    let cell = open(directory.path(), Some(2)).unwrap();
    assert_eq!(cell.count(COUNT), 2);
    drop(cell);
    drop(begun(directory.path(), 1));
    drop(open(directory.path(), None).unwrap());
}

#[test]
fn what_a_kill_leaves_is_never_refused() {
    let directory = TempDir::new().unwrap();
    let cell = begun(directory.path(), 0);
    for round in 1..5 {
        put(&cell);
        let killed = copied(directory.path(), &["stoa.lock"]);
        assert_eq!(open(killed.path(), None).unwrap().count(COUNT), round);
        // A mark that is older, as a power cut leaves it, or none at all.
        let cut = copied(directory.path(), &[]);
        std::fs::write(
            cut.path().join("stoa.mark"),
            &b"stoa position 9 open pa"[..round as usize * 4],
        )
        .unwrap();
        assert_eq!(open(cut.path(), None).unwrap().count(COUNT), round);
    }
}

#[test]
fn a_backup_beside_a_log_that_is_not_its_own_is_refused() {
    let directory = TempDir::new().unwrap();
    drop(begun(directory.path(), 1));
    let backup = copied(directory.path(), &[]);
    drop(begun(directory.path(), 40));
    let cell = begun(directory.path(), 3);
    let killed = copied(directory.path(), &[]);
    std::fs::copy(file(&backup), file(&killed)).unwrap();
    let error = refused(killed.path());
    assert_eq!((error.code(), error.reason()), (Code::FailedPrecondition, "store.foreign_log"));
    assert!(error.next().contains("stoa.db-wal"), "{}", error.next());
    drop(cell);
}

#[test]
fn damage_in_a_copy_of_a_running_directory_is_found() {
    let directory = TempDir::new().unwrap();
    drop(begun(directory.path(), 200));
    let cell = begun(directory.path(), 1);
    let torn = copied(directory.path(), &[]);
    let mut bytes = std::fs::read(file(&torn)).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(7);
    bytes[8192..12288].fill(7);
    std::fs::write(file(&torn), bytes).unwrap();
    let error = refused(torn.path());
    assert_eq!((error.code(), error.reason()), (Code::DataLoss, "store.corrupt"));
    assert!(error.message().contains("stoa.db"), "{error}");
    drop(cell);
}

#[test]
fn nobody_else_reads_the_files() {
    let above = TempDir::new().unwrap();
    let directory = above.path().join("data");
    let cell = begun(&directory, 1);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for file in std::fs::read_dir(&directory).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    drop(cell);
}

#[test]
fn a_database_that_somebody_holds_is_ours_all_the_same() {
    let directory = TempDir::new().unwrap();
    drop(begun(directory.path(), 1));
    let holder = rusqlite::Connection::open(file(&directory)).unwrap();
    let hold = "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; SELECT * FROM stoa_commit;";
    holder.execute_batch(hold).unwrap();
    let error = refused(directory.path());
    assert_eq!((error.code(), error.reason()), (Code::Unavailable, "store.busy"));
    assert!(
        error.message().contains("stoa.db") && error.message().contains("mode 0600"),
        "{error}"
    );
    assert!(error.next().contains("other program"), "{}", error.next());
}

#[test]
fn what_cannot_be_opened_says_who_may() {
    let directory = TempDir::new().unwrap();
    std::fs::create_dir(file(&directory)).unwrap();
    let error = refused(directory.path());
    assert_eq!((error.code(), error.reason()), (Code::Unavailable, "store.directory"));
    assert!(error.message().contains("stoa.db: Is a directory"), "{error}");
    assert!(error.message().contains("belongs to user"), "{error}");
}

/// Backs a cell up into a new directory, while it is open.
fn backed_up(from: &Path) -> (TempDir, Copied) {
    let to = TempDir::new().unwrap();
    let copied = back_up(&Place::Directory(from.into()), Path::new("none"), to.path()).unwrap();
    (to, copied)
}

#[test]
fn a_backup_of_an_open_database_is_opened_where_it_is() {
    let directory = TempDir::new().unwrap();
    let cell = begun(directory.path(), 3);
    let (to, copied) = backed_up(directory.path());
    put(&cell);
    assert_eq!(open(to.path(), None).unwrap().count(COUNT), 3);
    assert_eq!(copied.bytes, std::fs::metadata(file(&to)).unwrap().len());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file(&to)), 0o600);
    cell.block_on(cell.store.close());
    let (closed, _) = backed_up(directory.path());
    assert_eq!(open(closed.path(), None).unwrap().count(COUNT), 4, "also of one that is closed");
    assert_eq!(open(directory.path(), None).unwrap().count(COUNT), 4, "which is as it was");
}

#[test]
fn a_backup_overwrites_nothing() {
    let directory = TempDir::new().unwrap();
    let _cell = begun(directory.path(), 1);
    let (to, _) = backed_up(directory.path());
    let before = std::fs::read(file(&to)).unwrap();
    let error = back_up(&Place::Directory(directory.path().into()), Path::new("none"), to.path())
        .unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::AlreadyExists, "backup.exists"));
    assert_eq!(std::fs::read(file(&to)).unwrap(), before);
}

/// What was acknowledged and is not there is missed before anybody relies on the copy.
#[test]
fn a_backup_of_a_database_that_lacks_commits_is_none() {
    let directory = TempDir::new().unwrap();
    let _cell = begun(directory.path(), 3);
    let lacking = copied(directory.path(), &["stoa.db-wal", "stoa.db-shm"]);
    let to = TempDir::new().unwrap();
    let error = back_up(&Place::Directory(lacking.path().into()), Path::new("none"), to.path())
        .unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::DataLoss, "backup.behind"));
    assert!(!file(&to).exists());
}

#[test]
fn what_is_no_database_is_not_backed_up() {
    let (nothing, strange, to) =
        (TempDir::new().unwrap(), TempDir::new().unwrap(), TempDir::new().unwrap());
    let strangers = rusqlite::Connection::open(file(&strange)).unwrap();
    strangers.execute_batch("CREATE TABLE t (a)").unwrap();
    for (from, reason) in [(&nothing, "store.io"), (&strange, "store.not_ours")] {
        let error = back_up(&Place::Directory(from.path().into()), Path::new("none"), to.path())
            .unwrap_err();
        assert_eq!(error.reason(), reason, "{error:?}");
        assert!(!file(&to).exists());
    }
}
