//! The list of services, which follows from the folders: `stoa/services`, a crate that is written
//! here and nowhere else, so that a new service edits no file that others edit too.

use std::fmt::Write as _;
use std::path::Path;

use crate::{Result, metadata, shell};

/// Writes the list of a repository.
pub(crate) fn run(root: &Path) -> Result<()> {
    for (path, text) in written(&services(root)?) {
        shell::write(&root.join(path), text.as_bytes())?;
    }
    // The new crates get their lines in Cargo.lock.
    let mut lock = shell::cargo();
    lock.current_dir(root).args(["update", "--workspace", "--offline", "--quiet"]);
    shell::run(&mut lock)
}

/// Fails where the list is not what the folders say.
pub(crate) fn check() -> Result<()> {
    let root = shell::root()?;
    for (path, text) in written(&services(&root)?) {
        if shell::read(&root.join(path))? != text {
            return Err(format!("{path} is not what the folders say: run `cargo xtask services`"));
        }
    }
    Ok(())
}

/// Every service, as (name of its crate, its folder), in the order of their names.
fn services(root: &Path) -> Result<Vec<(String, String)>> {
    let mut services: Vec<(String, String)> = metadata::packages(root)?
        .into_iter()
        .filter(|package| package.folder.starts_with("services/"))
        .map(|package| (package.name, package.folder))
        .collect();
    services.sort();
    Ok(services)
}

fn written(services: &[(String, String)]) -> [(&'static str, String); 2] {
    let (mut manifest, mut list) = (MANIFEST.to_owned(), String::new());
    for (name, folder) in services {
        let _ = writeln!(manifest, "{name} = {{ path = \"../../{folder}\" }}");
        let _ = writeln!(list, "    {}::service,", name.replace('-', "_"));
    }
    manifest.push_str("\n[lints]\nworkspace = true\n");
    [
        ("stoa/services/Cargo.toml", manifest),
        ("stoa/services/src/lib.rs", format!("{SOURCE}{list}];\n")),
    ]
}

const MANIFEST: &str = r#"# Written by `cargo xtask services`.
[package]
name = "stoa-services"
description = "Every service that comes with Stoa."
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
publish.workspace = true

[lib]
test = false
doctest = false

[dependencies]
stoa-kit.workspace = true
"#;

const SOURCE: &str = "\
//! Every service that comes with Stoa. Written by `cargo xtask services`.

#![forbid(unsafe_code)]

/// Their manifests, in the order of their names.
pub const ALL: &[fn() -> stoa_kit::Service] = &[
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_stands_in_both_files() {
        let services = [("stoa-a-b".to_owned(), "services/x/a".to_owned())];
        let [(_, manifest), (_, list)] = written(&services);
        assert!(manifest.contains("\nstoa-a-b = { path = \"../../services/x/a\" }\n\n[lints]"));
        assert!(list.ends_with("= &[\n    stoa_a_b::service,\n];\n"), "{list}");
    }
}
