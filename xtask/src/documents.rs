//! What documents name is there: files, and on the walk of `ARCHITECTURE.md` also functions and
//! types.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::{Result, shell};

/// The document whose names of code are checked.
const WALK: &str = "ARCHITECTURE.md";
/// The words that come before a name where it is defined.
const DEFINES: [&str; 7] = ["enum", "fn", "mod", "rpc", "service", "struct", "trait"];

/// Fails where a document names a file, or the walk a name, that is not there.
pub(crate) fn run() -> Result<()> {
    let root = shell::root()?;
    let files = shell::files(&root)?;
    let mut missing = Vec::new();
    for file in files.iter().filter(|file| file.ends_with(".md")) {
        let text = shell::read(&root.join(file))?;
        let folder = Path::new(file).parent().unwrap_or(Path::new(""));
        let linked = links(&text).into_iter().map(|link| plain(&folder.join(link)));
        let lost = linked.filter(|path| !root.join(path).exists());
        missing.extend(lost.map(|path| format!("{file}: there is no {}", path.display())));
        // A document about services names what is in the folder of each.
        let is_there = |path: &str| {
            root.join(path).exists() || files.iter().any(|file| file.ends_with(&format!("/{path}")))
        };
        let named = code(&text).into_iter().filter(|name| is_path(name, &files));
        let lost = named.filter(|path| !is_there(path));
        missing.extend(lost.map(|path| format!("{file}: there is no {path}")));
    }
    let defined = definitions(&root, &files)?;
    let walk = shell::read(&root.join(WALK))?;
    let names = code(&walk).into_iter().filter(|name| is_name(name));
    let lost = names.filter(|name| !defined.contains(name.rsplit("::").next().unwrap_or(name)));
    missing.extend(lost.map(|name| format!("{WALK}: nothing is called {name}")));
    if missing.is_empty() { Ok(()) } else { Err(missing.join("\n")) }
}

/// The targets of links that are not on the web.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let here = targets.filter(|target| !target.contains(':') && !target.starts_with('#'));
    here.filter_map(|target| target.split('#').next()).collect()
}

/// What stands in backticks, outside of blocks.
fn code(text: &str) -> Vec<&str> {
    let outside = text.split("```").step_by(2);
    outside.flat_map(|part| part.split('`').skip(1).step_by(2)).collect()
}

/// Whether a text is the path of a file, from the top of the repository.
fn is_path(text: &str, files: &[String]) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let top = text.split_once('/').map(|(top, _)| format!("{top}/"));
    text.chars().all(good) && top.is_some_and(|top| files.iter().any(|file| file.starts_with(&top)))
}

/// Whether a text is a name in Rust or in a contract.
fn is_name(text: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || "_:".contains(c);
    text.chars().all(good) && text.chars().any(|c| c.is_ascii_lowercase())
}

/// Every name that code or a contract defines.
fn definitions(root: &Path, files: &[String]) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for file in files.iter().filter(|file| file.ends_with(".rs") || file.ends_with(".proto")) {
        let text = shell::read(&root.join(file))?;
        let words: Vec<&str> =
            text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
        let pairs = words.windows(2).filter(|pair| DEFINES.contains(&pair[0]));
        names.extend(pairs.map(|pair| pair[1].to_owned()));
    }
    // A crate is a name too.
    let folders = files.iter().filter_map(|file| file.strip_suffix("/Cargo.toml"));
    names.extend(folders.filter_map(|folder| folder.rsplit('/').next().map(str::to_owned)));
    Ok(names)
}

/// A path without `..` in it.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
        plain
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_document_names_is_found() {
        let text = "See [a](b/c.md#d), [web](https://e.org), `f/g.rs`, `H::i`.\n```sh\n`no`\n```\n";
        assert_eq!(links(text), ["b/c.md"]);
        assert_eq!(code(text), ["f/g.rs", "H::i"]);
        let files = ["f/other.rs".to_owned()];
        assert!(is_path("f/g.rs", &files) && !is_path("application/json", &files));
        assert!(is_name("H::i") && !is_name("synchronous=FULL") && !is_name("FULL"));
        assert_eq!(plain(Path::new("docs/adr/../spec")), Path::new("docs/spec"));
    }
}
