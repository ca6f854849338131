//! Dependencies nobody uses, and crates that are built twice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::metadata::{Kind, Package};
use crate::{Result, metadata, shell};

/// What a crate of a contract uses in generated code alone.
const GENERATED: &str = "stoa-kit";

/// What is there for the features that it asks for: it uses nothing, and is used by nobody.
const FEATURES: &str = "kernel/features";
const UNIFIED: &str = "stoa-features";

/// Stands on all that a service stands on, alone and in its tests.
const KERNEL: &str = "stoa-testkit";

/// Crates in several versions because others disagree. The list only shrinks.
const DUPLICATES: &str = "xtask/duplicates.txt";

/// Fails on a dependency that is unused, on a duplicate that is not listed, and on a library that is built anew for
/// a service alone.
pub(crate) fn run() -> Result<()> {
    let root = shell::root()?;
    let packages = metadata::packages(&root)?;
    let mut wrong = unused(&root, &packages)?;
    wrong.extend(unused_in_table(&shell::read(&root.join("Cargo.toml"))?, &packages));
    let allowed = shell::read(&root.join(DUPLICATES))?;
    wrong.extend(duplicates(&tree(&root, &["--workspace", "--format", "{p}"])?, &allowed));
    let built = ["--format", "{p} {f}", "--edges", "normal,build,dev"];
    let together = tree(&root, &[&["--workspace"], &built[..]].concat())?;
    wrong.extend(built_apart(
        &tree(&root, &[&["--package", KERNEL], &built[..]].concat())?,
        &together,
    ));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn unused(root: &Path, packages: &[Package]) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for package in packages {
        let folder = root.join(&package.folder);
        let sources = words(&[folder.join("src")])?;
        let tests = words(&["src", "tests", "benches", "examples"].map(|part| folder.join(part)))?;
        let build = words(&[folder.join("build.rs")])?;
        let generated = package.folder.starts_with("contracts/");
        for dependency in &package.dependencies {
            let used = match dependency.kind {
                Kind::Normal => &sources,
                Kind::Dev => &tests,
                Kind::Build => &build,
            };
            let excused = package.folder == FEATURES
                || dependency.name == UNIFIED
                || generated && dependency.name == GENERATED;
            if !used.contains(&dependency.identifier) && !excused {
                wrong.push(format!("{}: {} is not used", package.folder, dependency.name));
            }
        }
    }
    Ok(wrong)
}

/// The identifiers in Rust files, comments aside.
fn words(places: &[PathBuf]) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut places = places.to_vec();
    while let Some(place) = places.pop() {
        if place.is_dir() {
            let entries = std::fs::read_dir(&place).map_err(|error| error.to_string())?;
            places.extend(entries.flatten().map(|entry| entry.path()));
        } else if place.extension().is_some_and(|extension| extension == "rs") && place.exists() {
            let text = shell::read(&place)?;
            let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in lines {
                let split = line.split(|c: char| !c.is_alphanumeric() && c != '_');
                found.extend(split.map(str::to_owned));
            }
        }
    }
    Ok(found)
}

/// Lines of the workspace's table that no crate uses.
fn unused_in_table(manifest: &str, packages: &[Package]) -> Vec<String> {
    let table = manifest.split("[workspace.dependencies]").nth(1).unwrap_or_default();
    let lines = table.lines().take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim());
    let used: BTreeSet<&str> = packages
        .iter()
        .flat_map(|package| &package.dependencies)
        .map(|dependency| dependency.name.as_str())
        .collect();
    names
        .filter(|name| !name.starts_with('#') && !used.contains(name))
        .map(|name| format!("Cargo.toml: no crate uses {name}"))
        .collect()
}

fn tree(root: &Path, what: &[&str]) -> Result<String> {
    let mut cargo = shell::cargo();
    cargo.current_dir(root).args(["tree", "--prefix", "none"]).args(what);
    shell::output(&mut cargo)
}

/// Libraries that a crate alone asks other features of than the whole workspace does: Cargo builds them again.
fn built_apart(alone: &str, together: &str) -> Vec<String> {
    // What was printed before is marked so.
    let libraries = |tree: &str| -> BTreeSet<String> {
        tree.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
    };
    let (alone, together) = (libraries(alone), libraries(together));
    let told = |line| format!("{FEATURES}: ask for what the workspace does of {line}");
    alone.difference(&together).map(told).collect()
}

fn duplicates(tree: &str, allowed: &str) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in tree.lines() {
        let mut words = line.split(' ');
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            versions.entry(name).or_default().insert(version);
        }
    }
    versions.retain(|_, versions| versions.len() > 1);
    let lines = allowed.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let allowed: BTreeSet<&str> = lines.filter_map(|line| line.split(' ').next()).collect();
    let new = versions.iter().filter(|(name, _)| !allowed.contains(*name)).map(|(name, found)| {
        let found: Vec<&str> = found.iter().copied().collect();
        format!("{name} is built in several versions: {}", found.join(", "))
    });
    let old = allowed.iter().filter(|name| !versions.contains_key(*name));
    let old = old.map(|name| format!("{DUPLICATES}: strike {name}, it is built once"));
    new.chain(old).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "a v1.0.0\nb v1.0.0\nb v2.0.0\nb v2.0.0 (*)\nmine v0.1.0 (/x)";

    #[test]
    fn a_new_duplicate_is_found() {
        assert_eq!(duplicates(TREE, ""), ["b is built in several versions: v1.0.0, v2.0.0"]);
        assert_eq!(duplicates(TREE, "# why\nb c wants the old one\n"), Vec::<String>::new());
    }

    #[test]
    fn the_list_of_duplicates_only_shrinks() {
        let found = duplicates(TREE, "a nobody knows\nb why not\n");
        assert_eq!(found, ["xtask/duplicates.txt: strike a, it is built once"]);
    }

    #[test]
    fn a_library_that_a_crate_alone_is_built_with_anew_is_found() {
        let together = "a v1.0.0 std\nb v1.0.0 alloc,std";
        assert_eq!(
            built_apart("a v1.0.0 std (*)\nb v1.0.0 std\nb v1.0.0 std (*)", together),
            ["kernel/features: ask for what the workspace does of b v1.0.0 std"]
        );
    }

    #[test]
    fn a_line_of_the_table_that_nobody_uses_is_found() {
        let manifest =
            "[workspace.dependencies]\n# words = here\na = \"1\"\n\n[profile.dev]\nb = 1";
        assert_eq!(unused_in_table(manifest, &[]), ["Cargo.toml: no crate uses a"]);
    }
}
