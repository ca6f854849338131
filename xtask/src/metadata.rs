//! The workspace as cargo sees it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Result, shell};

/// A crate of the workspace.
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// Its folder, relative to the root: `kernel/kit`.
    pub(crate) folder: String,
    /// What it depends on.
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line under `[dependencies]` or a section like it.
pub(crate) struct Dependency {
    /// The crate's name.
    pub(crate) name: String,
    /// How sources call it.
    pub(crate) identifier: String,
    /// Which section it stands in.
    pub(crate) kind: Kind,
}

/// The sections of a manifest that name dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Dev,
    Build,
}

/// The crates of the workspace.
pub(crate) fn packages(root: &Path) -> Result<Vec<Package>> {
    let mut cargo = shell::cargo();
    cargo.current_dir(root).args(["metadata", "--no-deps", "--format-version", "1"]);
    let text = shell::output(&mut cargo)?;
    let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let packages = value["packages"].as_array().into_iter().flatten();
    Ok(packages.map(|package| read(root, package)).collect())
}

fn read(root: &Path, package: &Value) -> Package {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let manifest = PathBuf::from(text(&package["manifest_path"]));
    let folder = manifest.parent().unwrap_or(&manifest);
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    Package {
        name: text(&package["name"]),
        folder: folder.strip_prefix(root).unwrap_or(folder).display().to_string(),
        dependencies: dependencies
            .map(|found| {
                let name = text(&found["name"]);
                Dependency {
                    identifier: found["rename"].as_str().unwrap_or(&name).replace('-', "_"),
                    name,
                    kind: match found["kind"].as_str() {
                        Some("dev") => Kind::Dev,
                        Some("build") => Kind::Build,
                        _ => Kind::Normal,
                    },
                }
            })
            .collect(),
    }
}
