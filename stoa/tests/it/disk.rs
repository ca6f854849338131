//! The disk is full: what cannot be written is refused, what is there can be read, and when
//! there is room again the node goes on by itself.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::bank::Bank;
use crate::process::Node;

/// A limit on the size of the node's files is a full disk that everybody can have.
#[test]
fn files_that_may_not_grow_are_survived() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let limit = |node: &Node, bytes: &str| {
        let (pid, limit) = (format!("--pid={}", node.pid()), format!("--fsize={bytes}:unlimited"));
        assert!(Command::new("prlimit").args([pid, limit]).status().unwrap().success());
    };
    let fill = |node: &Node| {
        let log = std::fs::metadata(data.join("stoa.db-wal")).unwrap().len();
        limit(node, &(log + 50_000).to_string());
    };
    survive(&data, fill, |node| limit(node, "unlimited"));
    println!("disk full: by RLIMIT_FSIZE");
}

/// A file system of its own says that the disk is full as a disk does. To mount one takes a
/// superuser: whoever is none has the limit above.
#[test]
fn a_full_file_system_is_survived() {
    let directory = TempDir::new().unwrap();
    let Some(small) = Small::mount(directory.path()) else {
        return println!("disk full: no tmpfs may be mounted here, see RLIMIT_FSIZE");
    };
    let ballast = small.0.join("ballast");
    let fill = |_: &Node| {
        let mut file = File::create(&ballast).unwrap();
        while file.write_all(&[7; 4096]).is_ok() {}
    };
    survive(&small.0.join("data"), fill, |_| std::fs::remove_file(&ballast).unwrap());
    println!("disk full: on a tmpfs");
}

/// Fills the disk under load, and makes room again.
fn survive(data: &Path, fill: impl Fn(&Node), empty: impl Fn(&Node)) {
    let mut node = Node::start(data, &[]);
    let bank = Bank::open(&mut node);
    let mut done = bank.rush(&node, "room").done.len();
    for round in 0..2 {
        fill(&node);
        let full = bank.rush(&node, &format!("full-{round}"));
        assert!(!full.failed.is_empty(), "the disk was not full");
        done += full.done.len();
        let there = bank.balance(&node);
        assert!(there >= done, "{done} were acknowledged, {there} are there");
        empty(&node);
        done += full.failed.len();
        bank.retry(&node, full.failed);
        assert_eq!(bank.balance(&node), done, "what was tried again happened once");
    }
    node.signal("-KILL");
    node.wait();
    let node = Node::start(data, &[]);
    assert_eq!(bank.balance(&node), done);
}

/// A file system with little room; gone with the value.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"]).arg(at);
        mount.output().is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
