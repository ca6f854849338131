//! The arrows between crates, which point down only:
//! `stoa → faces, drivers, services → contracts → kernel`.

use std::collections::BTreeMap;

use crate::metadata::{Kind, Package};
use crate::{Result, metadata, shell};

/// The kernel from the bottom: a crate uses only crates before it.
const KERNEL: [&str; 8] =
    ["features", "codegen", "macros", "contract", "kit", "store", "node", "testkit"];
/// What writes code: part of no program, and named by nobody but the crate above it.
const GENERATOR: [&str; 2] = ["codegen", "macros"];
/// What has libraries built alike: named at the two places where all of them begin.
const FEATURES: &str = "features";

/// Fails on every arrow that is not allowed.
pub(crate) fn run() -> Result<()> {
    let wrong = check(&metadata::packages(&shell::root()?)?);
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer<'a> {
    /// One of [`KERNEL`], or one of [`GENERATOR`].
    Kernel(&'a str),
    Contracts,
    Service,
    Driver,
    Face,
    /// A service as somebody has it who is not one of us, its contract in its own crate.
    Example,
    /// The binary, and its list of services: they name everything.
    Root,
    /// Programs about the repository: they name nothing.
    Tool,
}

impl<'a> Layer<'a> {
    fn of(folder: &'a str) -> Option<Self> {
        let parts: Vec<&str> = folder.split('/').collect();
        Some(match parts.as_slice() {
            ["kernel", name] if KERNEL.contains(name) => Self::Kernel(name),
            ["contracts", _] => Self::Contracts,
            ["services", _, _] => Self::Service,
            ["drivers", _] => Self::Driver,
            ["faces", _] => Self::Face,
            ["examples", _] => Self::Example,
            ["stoa"] | ["stoa", "services"] => Self::Root,
            ["xtask"] => Self::Tool,
            _ => return None,
        })
    }
}

fn check(packages: &[Package]) -> Vec<String> {
    let folders: BTreeMap<&str, &str> =
        packages.iter().map(|package| (package.name.as_str(), package.folder.as_str())).collect();
    let mut wrong = Vec::new();
    for package in packages {
        let Some(from) = Layer::of(&package.folder) else {
            wrong.push(format!("{}: belongs to no layer", package.folder));
            continue;
        };
        if from == Layer::Face && contracts(package, &folders) > 1 {
            wrong.push(format!("{}: a face speaks for one contract, or for all", package.folder));
        }
        for dependency in &package.dependencies {
            let Some(folder) = folders.get(dependency.name.as_str()) else { continue };
            let allowed = Layer::of(folder).is_none_or(|to| may(from, to, dependency.kind));
            if !allowed {
                let kind = match dependency.kind {
                    Kind::Normal => "",
                    Kind::Dev => " (in tests)",
                    Kind::Build => " (in build.rs)",
                };
                wrong.push(format!("{} must not use {folder}{kind}", package.folder));
            }
        }
    }
    wrong
}

/// How many contracts a package uses, other than in tests.
fn contracts(package: &Package, folders: &BTreeMap<&str, &str>) -> usize {
    let used = package.dependencies.iter().filter(|dependency| dependency.kind != Kind::Dev);
    let folders = used.filter_map(|dependency| folders.get(dependency.name.as_str()));
    folders.filter(|folder| Layer::of(folder) == Some(Layer::Contracts)).count()
}

fn may(from: Layer<'_>, to: Layer<'_>, kind: Kind) -> bool {
    use Layer::{Contracts, Driver, Example, Face, Kernel, Root, Service, Tool};
    match (from, to, kind) {
        (Kernel("macros"), Kernel("codegen"), Kind::Normal) => true,
        (Kernel("contract"), Kernel("macros"), Kind::Normal) => true,
        (Kernel("codegen" | "contract"), Kernel(FEATURES), Kind::Normal) => true,
        (_, Kernel(FEATURES), _) => false,
        (_, Kernel(to), _) if GENERATOR.contains(&to) => false,
        (Root, _, _) => to != Tool,
        (_, _, Kind::Build) | (Tool, _, _) => false,
        (Kernel(_) | Service | Driver | Face | Example, Kernel("testkit"), Kind::Dev) => true,
        // A purchase is tested with the real books and the real stock.
        (Service, Service, Kind::Dev) => true,
        (Kernel(from), Kernel(to), _) => below(to, from),
        (Contracts | Driver, Kernel("contract" | "kit"), _) => true,
        (Service, Kernel("kit") | Contracts, _) => true,
        (Example, Kernel("contract" | "kit") | Contracts, _) => true,
        // A face that speaks a protocol of others speaks for one contract.
        (Face, Kernel("contract" | "kit" | "node") | Contracts, _) => true,
        (Face, Service, Kind::Dev) => true,
        _ => false,
    }
}

/// Whether one crate of the kernel stands below another.
fn below(lower: &str, upper: &str) -> bool {
    let place = |name: &str| KERNEL.iter().position(|known| *known == name);
    matches!((place(lower), place(upper)), (Some(lower), Some(upper)) if lower < upper)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Dependency;

    fn wrong(arrows: &[(&str, &str, Kind)]) -> Vec<String> {
        let folders = arrows.iter().flat_map(|(from, to, _)| [*from, *to]);
        let mut folders: Vec<&str> = folders.collect();
        folders.sort_unstable();
        folders.dedup();
        let packages: Vec<Package> = folders
            .into_iter()
            .map(|folder| Package {
                name: folder.to_owned(),
                folder: folder.to_owned(),
                dependencies: arrows
                    .iter()
                    .filter(|(from, ..)| *from == folder)
                    .map(|(_, to, kind)| Dependency {
                        name: (*to).to_owned(),
                        identifier: String::new(),
                        kind: *kind,
                    })
                    .collect(),
            })
            .collect();
        check(&packages)
    }

    #[test]
    fn arrows_that_point_down_are_allowed() {
        let found = wrong(&[
            ("stoa", "services/money/orders", Kind::Normal),
            ("stoa", "drivers/smtp", Kind::Normal),
            ("stoa", "stoa/services", Kind::Normal),
            ("stoa/services", "services/money/orders", Kind::Normal),
            ("stoa", "kernel/testkit", Kind::Dev),
            ("services/money/orders", "contracts/ledger", Kind::Normal),
            ("services/money/orders", "kernel/kit", Kind::Normal),
            ("services/money/orders", "services/money/ledger", Kind::Dev),
            ("services/money/orders", "kernel/testkit", Kind::Dev),
            ("contracts/ledger", "kernel/kit", Kind::Normal),
            ("kernel/contract", "kernel/macros", Kind::Normal),
            ("kernel/macros", "kernel/codegen", Kind::Normal),
            ("faces/rest", "kernel/node", Kind::Normal),
            ("faces/rest", "services/money/ledger", Kind::Dev),
            ("faces/rest", "contracts/ledger", Kind::Dev),
            ("faces/rest", "contracts/users", Kind::Dev),
            ("faces/s3", "contracts/blobs", Kind::Normal),
            ("faces/s3", "contracts/ledger", Kind::Dev),
            ("stoa", "faces/rest", Kind::Normal),
            ("examples/hooks", "kernel/contract", Kind::Normal),
            ("examples/hooks", "kernel/testkit", Kind::Dev),
            ("kernel/node", "kernel/store", Kind::Normal),
            ("kernel/store", "kernel/testkit", Kind::Dev),
            ("kernel/kit", "kernel/contract", Kind::Normal),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn every_other_arrow_is_found() {
        let bad = [
            ("services/money/orders", "services/money/ledger", Kind::Normal),
            ("services/money/orders", "kernel/store", Kind::Normal),
            ("services/money/orders", "kernel/node", Kind::Dev),
            ("services/money/orders", "drivers/smtp", Kind::Normal),
            ("contracts/ledger", "contracts/users", Kind::Normal),
            ("contracts/ledger", "kernel/codegen", Kind::Normal),
            ("contracts/ledger", "kernel/codegen", Kind::Build),
            ("contracts/ledger", "kernel/macros", Kind::Normal),
            ("kernel/node", "kernel/macros", Kind::Normal),
            ("contracts/ledger", "kernel/store", Kind::Normal),
            ("drivers/smtp", "kernel/node", Kind::Normal),
            ("faces/rest", "services/money/ledger", Kind::Normal),
            ("faces/rest", "kernel/store", Kind::Normal),
            ("faces/rest", "drivers/smtp", Kind::Normal),
            ("faces/rest", "faces/s3", Kind::Normal),
            ("services/money/ledger", "faces/rest", Kind::Dev),
            ("kernel/node", "faces/rest", Kind::Dev),
            ("examples/hooks", "kernel/node", Kind::Normal),
            ("examples/hooks", "services/money/ledger", Kind::Normal),
            ("kernel/kit", "kernel/store", Kind::Normal),
            ("kernel/store", "kernel/node", Kind::Dev),
            ("kernel/node", "kernel/testkit", Kind::Normal),
            ("kernel/node", "services/identity/auth", Kind::Dev),
            ("kernel/codegen", "kernel/contract", Kind::Normal),
            ("kernel/kit", "stoa", Kind::Dev),
            ("kernel/node", "stoa/services", Kind::Dev),
            ("xtask", "kernel/kit", Kind::Normal),
            ("common/utils", "kernel/kit", Kind::Normal),
        ];
        for arrow in bad {
            assert_eq!(wrong(&[arrow]).len(), 1, "{arrow:?}");
        }
        let two = ["contracts/blobs", "contracts/ledger"];
        let two = two.map(|contract| ("faces/s3", contract, Kind::Normal));
        assert_eq!(wrong(&two), ["faces/s3: a face speaks for one contract, or for all"]);
    }
}
