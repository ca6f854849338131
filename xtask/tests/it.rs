//! What `cargo xtask new` makes, tried out.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The repository again, at a place that stays the same, so that little is built twice.
fn copy(to: &Path) {
    for made in ["services/demo", "contracts/demo", "proto/stoa/thing"] {
        let _ = std::fs::remove_dir_all(to.join(made));
    }
    let mut git = Command::new("git");
    git.current_dir(root()).args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let output = git.output().unwrap();
    for file in String::from_utf8(output.stdout).unwrap().lines() {
        let (from, to) = (root().join(file), to.join(file));
        let Ok(wanted) = std::fs::read(from) else { continue };
        if std::fs::read(&to).ok().as_ref() != Some(&wanted) {
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::write(to, wanted).unwrap();
        }
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&said));
}

#[test]
fn a_new_service_complies_before_the_first_edit() {
    let folder = root().join("target/new");
    copy(&folder);
    run(Command::new(env!("CARGO_BIN_EXE_xtask"))
        .current_dir(&folder)
        .args(["new", "demo", "thing"]));
    run(Command::new(env!("CARGO_BIN_EXE_xtask")).current_dir(&folder).arg("layers"));
    let cargo = |words: &str| {
        let mut cargo = Command::new(env!("CARGO"));
        // What everything else was built with serves here too.
        cargo.env("CARGO_TARGET_DIR", root().join("target"));
        cargo.current_dir(&folder).args(words.split(' '));
        cargo
    };
    run(&mut cargo("fmt -p stoa-thing -p stoa-demo -p stoa --check"));
    run(&mut cargo("nextest run --offline -p stoa-thing"));
    let buf = root().join("tools/node_modules/.bin/buf");
    run(Command::new(buf).current_dir(&folder).args(["lint", "--path", "proto/stoa/thing"]));
}
