//! Faults put in on purpose: each patch of `tests/mutants` takes away one thing that a promise
//! rests on, and the test that it names must notice.
//!
//! A patch begins with `# test: <package> <filter>`, and a sentence about what breaks.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Result, shell};

/// The exit code of nextest when tests ran and some failed; others mean that none could run.
const TESTS_FAILED: i32 = 100;

/// Tries every mutant whose name contains a text.
pub(crate) fn run(name: &str) -> Result<()> {
    let root = shell::root()?;
    let mutants: Vec<Mutant> =
        read(&root)?.into_iter().filter(|mutant| mutant.name.contains(name)).collect();
    if mutants.is_empty() {
        return Err(format!("no mutant is called like `{name}`"));
    }
    let scratch = Scratch { copy: root.join("target/mutants/copy"), root };
    shell::mirror(&scratch.root, &scratch.copy)?;
    let mut wrong = 0;
    for mutant in &mutants {
        let outcome = scratch.attempt(mutant)?;
        wrong += usize::from(outcome != "caught");
        println!("{:<28} {:<9} {} {}", mutant.name, outcome, mutant.package, mutant.filter);
    }
    println!("{} mutants, {} caught", mutants.len(), mutants.len() - wrong);
    if wrong == 0 { Ok(()) } else { Err(format!("{wrong} mutants were not caught")) }
}

struct Mutant {
    name: String,
    package: String,
    filter: String,
    patch: PathBuf,
}

fn read(root: &Path) -> Result<Vec<Mutant>> {
    let files = shell::files(root)?;
    let patches =
        files.iter().filter(|file| file.starts_with("tests/mutants/") && file.ends_with(".patch"));
    patches
        .map(|file| {
            let patch = root.join(file);
            let text = shell::read(&patch)?;
            let header = text.lines().next().and_then(|line| line.strip_prefix("# test: "));
            let (package, filter) =
                header.and_then(|header| header.split_once(' ')).ok_or_else(|| {
                    format!("{file} does not begin with `# test: <package> <filter>`")
                })?;
            let name = patch.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Ok(Mutant { name, package: package.to_owned(), filter: filter.to_owned(), patch })
        })
        .collect()
}

/// A copy of the repository that may be broken.
struct Scratch {
    root: PathBuf,
    copy: PathBuf,
}

impl Scratch {
    fn attempt(&self, mutant: &Mutant) -> Result<&'static str> {
        let sound = self.test(mutant)?;
        let outcome = if sound != Some(0) {
            "unsound"
        } else {
            let mut git = Command::new("git");
            // The copy lies inside the repository and is none itself.
            git.env("GIT_CEILING_DIRECTORIES", self.copy.parent().unwrap_or(&self.copy));
            git.current_dir(&self.copy).args(["apply", "--recount"]).arg(&mutant.patch);
            if shell::output(&mut git).is_err() {
                "stale"
            } else {
                match self.test(mutant)? {
                    Some(TESTS_FAILED) => "caught",
                    Some(0) => "survived",
                    _ => "broken",
                }
            }
        };
        shell::mirror(&self.root, &self.copy)?;
        Ok(outcome)
    }

    fn test(&self, mutant: &Mutant) -> Result<Option<i32>> {
        let mut cargo = shell::cargo();
        cargo
            .current_dir(&self.copy)
            .env("CARGO_TARGET_DIR", self.root.join("target/mutants/build"));
        cargo.args(["nextest", "run", "--locked", "--no-fail-fast", "-p", &mutant.package]);
        cargo.arg(&mutant.filter).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(cargo.status().map_err(|error| error.to_string())?.code())
    }
}
