//! The commands of `cargo xtask`, tried out on copies of the repository.

#![cfg(test)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The repository again, at a place that stays the same, so that little is built twice.
fn copy(to: &Path) {
    let mut git = Command::new("git");
    git.current_dir(root()).args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let output = git.output().unwrap();
    let files: BTreeSet<String> =
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    let folders: BTreeSet<&str> =
        files.iter().filter_map(|file| Some(file.split_once('/')?.0)).collect();
    for folder in folders {
        prune(to, &to.join(folder), &files);
    }
    for file in &files {
        let (from, to) = (root().join(file), to.join(file));
        let Ok(wanted) = std::fs::read(from) else { continue };
        if std::fs::read(&to).ok().as_ref() != Some(&wanted) {
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::write(to, wanted).unwrap();
        }
    }
}

/// Removes what an earlier run left: the workspace finds its crates by their folders, and cargo their
/// tests.
fn prune(root: &Path, folder: &Path, keep: &BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
        if path.is_dir() && keep.iter().any(|file| file.starts_with(&format!("{name}/"))) {
            prune(root, &path, keep);
        } else if path.is_dir() {
            std::fs::remove_dir_all(&path).unwrap();
        } else if !keep.contains(name) {
            std::fs::remove_file(&path).unwrap();
        }
    }
}

/// Whether a program succeeds, and what it says.
fn outcome(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn run(command: &mut Command) {
    let (succeeded, said) = outcome(command);
    assert!(succeeded, "{command:?}\n{said}");
}

#[test]
fn a_contract_that_breaks_its_callers_is_found() {
    let folder = root().join("target/breaking");
    let _ = std::fs::remove_dir_all(&folder);
    copy(&folder);
    let installed = "tools/node_modules";
    std::os::unix::fs::symlink(root().join(installed), folder.join(installed)).unwrap();
    let git = |words: &str| {
        let mut git = Command::new("git");
        git.current_dir(&folder).args(["-c", "user.name=Test", "-c", "user.email=test@localhost"]);
        run(git.args(words.split(' ')));
    };
    git("init -q");
    git("add buf.yaml proto");
    git("commit -q -m before");
    let contract = folder.join("proto/stoa/ledger/v1/ledger.proto");
    let change = |from: &str, to: &str| {
        let before = std::fs::read_to_string(&contract).unwrap();
        assert!(before.contains(from), "the contract has no `{from}`");
        std::fs::write(&contract, before.replace(from, to)).unwrap();
    };
    let breaking = || {
        let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
        outcome(xtask.current_dir(&folder).args(["breaking", "HEAD"]))
    };
    change("message Leg {\n", "message Leg {\n  // What it is for.\n  string note = 17;\n");
    assert_eq!(breaking(), (true, String::new()), "callers do not miss what is new");
    change("string debit = 1", "string debited = 1");
    let (succeeded, said) = breaking();
    assert!(!succeeded && said.contains("changed name from \"debit\" to \"debited\""), "{said}");
}

#[test]
fn a_new_service_complies_before_the_first_edit() {
    let folder = root().join("target/new");
    copy(&folder);
    run(Command::new(env!("CARGO_BIN_EXE_xtask"))
        .current_dir(&folder)
        .args(["new", "demo", "thing"]));
    run(Command::new(env!("CARGO_BIN_EXE_xtask")).current_dir(&folder).arg("layers"));
    // Nobody edits a file that others edit.
    for file in ["Cargo.toml", "stoa/Cargo.toml", "stoa/src/lib.rs"] {
        let read = |root: &Path| std::fs::read(root.join(file)).unwrap();
        assert_eq!(read(&folder), read(&root()), "{file}");
    }
    let cargo = |words: &str| {
        let mut cargo = Command::new(env!("CARGO"));
        // What everything else was built with serves here too.
        cargo.env("CARGO_TARGET_DIR", root().join("target"));
        cargo.current_dir(&folder).args(words.split(' '));
        cargo
    };
    run(&mut cargo("fmt -p stoa-thing -p stoa-thing-v1 -p stoa-services --check"));
    let ran = outcome(&mut cargo("nextest run --offline -p stoa-thing"));
    forget(&root().join("target/debug/.fingerprint"));
    assert!(ran.0, "{}", ran.1);
    let buf = root().join("tools/node_modules/.bin/buf");
    run(Command::new(buf).current_dir(&folder).args(["lint", "--path", "proto/stoa/thing"]));
}

/// Forgets what was built of the copy: it counts as built of what is here, where it is not looked at when
/// something is edited.
fn forget(fingerprints: &Path) {
    let files = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    for file in files(fingerprints).flat_map(|built| files(&built.path())) {
        let lists_sources = file.file_name().to_string_lossy().starts_with("dep-");
        let sources = std::fs::read(file.path()).unwrap_or_default();
        if lists_sources && sources.windows(4).any(|part| part == b"new/") {
            std::fs::remove_file(file.path()).unwrap();
        }
    }
}
