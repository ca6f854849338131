//! What a change has to pass.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::{Result, catalogue, dependencies, documents, layers, shell};

/// What clippy reads its arguments from: every warning is an error.
///
/// `cargo clippy` checks, and what was checked cannot be run: everything would be compiled once for
/// the lints and once for the tests. As the compiler of the workspace's own crates clippy lints what
/// it builds, and the crates of others are built once.
const LINTS: &str = "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__";

/// Runs every check, stopping at the first that fails. The tests come last, so that their
/// count closes what is printed.
pub(crate) fn run() -> Result<()> {
    let root = shell::root()?;
    let cargo = |words: &str| {
        let mut cargo = shell::cargo();
        cargo.current_dir(&root).args(words.split(' '));
        cargo
    };
    let linted = |words: &str| {
        let mut cargo = cargo(words);
        cargo.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver").env("CLIPPY_ARGS", LINTS);
        cargo
    };
    step("format", || shell::run(&mut cargo("fmt --all --check")))?;
    step("layers", layers::run)?;
    step("list of services", catalogue::check)?;
    step("dependencies", dependencies::run)?;
    step("documents", documents::run)?;
    step("contracts", || shell::run(buf(&root).arg("lint")))?;
    step("web", || shell::run(web(&root).args(["run", "--silent", "check"])))?;
    step("lints", || {
        shell::run(&mut linted("build -q --workspace --lib --bins --tests --examples --locked"))
    })?;
    step("examples in comments", || shell::run(&mut linted("test -q --doc --workspace --locked")))?;
    step("tests", || {
        shell::run(&mut linted(
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

fn web(root: &Path) -> Command {
    let mut npm = Command::new("npm");
    npm.current_dir(root.join("web"));
    npm
}

fn buf(root: &Path) -> Command {
    let mut buf = Command::new(root.join("tools/node_modules/.bin/buf"));
    buf.current_dir(root);
    buf
}
