//! What only the embedded engine has: files.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use stoa_kit::Code;
use tempfile::TempDir;

use crate::batches::{self, Fate};
use crate::cell::{self, Cell, Home, On};

#[test]
fn a_file_that_is_no_database_is_refused_untouched() {
    let home = On::Sqlite.home();
    let Home::Directory(directory) = &home else { panic!("no directory") };
    let file = directory.path().join("stoa.db");
    std::fs::write(&file, "these are my notes").unwrap();
    let error = Cell::try_open(Arc::new(home), cell::services(), |_| {}).err().unwrap();
    assert_eq!((error.code(), error.reason()), (Code::FailedPrecondition, "store.not_ours"));
}

/// A process that dies at its very first start leaves a file in which nothing is written yet.
#[test]
fn a_file_with_nothing_in_it_is_a_new_database() {
    let home = On::Sqlite.home();
    let file = std::path::Path::new(&home.place()).join("stoa.db");
    let begun = rusqlite::Connection::open(&file).unwrap();
    begun.execute_batch("CREATE TABLE t (x); DROP TABLE t").unwrap();
    drop(begun);
    assert!(std::fs::metadata(file).unwrap().len() > 0);
    let cell = Cell::open(Arc::new(home), |_| {});
    cell.commit(|tx| cell::put_account(tx, "a", 1)).unwrap();
}

#[test]
fn a_log_past_its_ceiling_is_cut_and_writes_go_on() {
    const PUT: &str = "INSERT INTO alpha_value (tenant, id, bytes) VALUES (:tenant, $1, $2)";
    let cell = On::Sqlite.cell_with(|options| options.wal_ceiling = 9 << 20);
    for round in 0..5 {
        let put =
            move |tx: &mut stoa_kit::Tx| tx.execute(PUT, (round.to_string(), vec![7_u8; 12 << 20]));
        for attempt in 0.. {
            let Err(error) = cell.commit(put) else { break };
            assert_eq!(error.reason(), "store.wal_ceiling");
            assert!(attempt < 10_000, "the log is never cut");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

/// A file system with little room, as far as this user may mount one; gone with the value.
struct Small(TempDir);

impl Small {
    fn mount() -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(directory.path());
        mount.output().is_ok_and(|output| output.status.success()).then(|| Self(directory))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// To mount takes a superuser: whoever is none has the limit below.
#[test]
fn one_of_many_fills_the_disk() {
    let Some(small) = Small::mount() else {
        return println!("disk full: no tmpfs may be mounted here, see RLIMIT_FSIZE");
    };
    let home = Home::at(On::Sqlite, small.0.path().to_str().unwrap());
    let cell = Cell::open(Arc::new(home), |_| {});
    batches::one_fails_alone(&cell, Fate::Fills, "store.disk_full");
    println!("disk full: on a tmpfs");
}

const LIMITED: &str = "STOA_TEST_LIMITED";

/// The process may not make files longer than some megabytes: an error of the disk.
#[test]
fn one_of_many_meets_an_error_of_the_disk() {
    if std::env::var(LIMITED).is_ok() {
        return batches::one_fails_alone(&On::Sqlite.cell(), Fate::Fills, "store.io");
    }
    let test = "sqlite_only::one_of_many_meets_an_error_of_the_disk";
    let limited = Command::new("env")
        .args(["--ignore-signal=XFSZ", "prlimit", "--fsize=16000000"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(LIMITED, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&limited.stderr);
    assert!(limited.status.success(), "{said}");
    assert!(String::from_utf8_lossy(&limited.stdout).contains("1 passed"), "{said}");
    println!("disk full: by RLIMIT_FSIZE");
}

#[test]
fn writes_are_refused_past_the_ceiling_of_the_log() {
    let cell = On::Sqlite.cell_with(|options| options.wal_ceiling = 1);
    cell.commit(|tx| cell::put_account(tx, "a", 1)).unwrap();
    // The first commit made the log; the writer measures it before it takes the next.
    cell.block_on(cell.store.settled()).unwrap();
    let error = loop {
        match cell.commit(|tx| cell::add(tx, "a", 1)) {
            Ok(_) => continue,
            Err(error) => break error,
        }
    };
    assert_eq!((error.code(), error.reason()), (Code::ResourceExhausted, "store.wal_ceiling"));
    assert!(cell.view(|view| cell::balance(view, "a")).unwrap().is_some());
}

#[test]
fn steady_readers_do_not_keep_the_log_from_being_cut() {
    const PUT: &str = "INSERT INTO alpha_value (tenant, id, bytes) VALUES (:tenant, $1, $2)";
    let cell = Arc::new(On::Sqlite.cell());
    let mut most = 0;
    std::thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let reader = Arc::clone(&cell);
        scope.spawn(move || {
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                reader.view(|view| cell::balance(view, "a")).unwrap();
            }
        });
        for round in 0..120 {
            let put = move |tx: &mut stoa_kit::Tx| {
                tx.execute(PUT, (round.to_string(), vec![7_u8; 512 << 10]))
            };
            cell.commit(put).unwrap();
            most = most.max(cell.store.metrics().wal_bytes.load(Relaxed));
        }
        drop(stop);
    });
    assert!(most < 40 << 20, "60 MB were written and the log grew to {most} bytes");
}
