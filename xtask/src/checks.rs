//! What a change has to pass.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::{Result, catalogue, dependencies, documents, layers, shell};

/// Runs every check, stopping at the first that fails. The tests come last, so that their
/// count closes what is printed.
pub(crate) fn run() -> Result<()> {
    let root = shell::root()?;
    let cargo = |words: &str| {
        let mut cargo = shell::cargo();
        cargo.current_dir(&root).args(words.split(' '));
        cargo
    };
    step("format", || shell::run(&mut cargo("fmt --all --check")))?;
    step("layers", layers::run)?;
    step("list of services", catalogue::check)?;
    step("dependencies", dependencies::run)?;
    step("documents", documents::run)?;
    step("contracts", || shell::run(buf(&root).arg("lint")))?;
    step("lints", || {
        shell::run(&mut cargo("clippy -q --workspace --all-targets --locked -- -D warnings"))
    })?;
    step("examples in comments", || shell::run(&mut cargo("test -q --doc --workspace --locked")))?;
    step("tests", || {
        shell::run(&mut cargo(
            "nextest run --workspace --locked --no-fail-fast --status-level fail",
        ))
    })
}

/// Fails where a contract breaks those who use it since a commit, branch or tag.
pub(crate) fn breaking(reference: &str) -> Result<()> {
    let root = shell::root()?;
    shell::run(buf(&root).args(["breaking", "--against", &format!(".git#ref={reference}")]))
}

fn step(name: &str, check: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("── {name}");
    let start = Instant::now();
    check().map_err(|error| {
        format!("{error}\n── {name} failed after {:.1} s", start.elapsed().as_secs_f64())
    })
}

fn buf(root: &Path) -> Command {
    let mut buf = Command::new(root.join("tools/node_modules/.bin/buf"));
    buf.current_dir(root);
    buf
}
