//! References: a field says that it names a resource; there must be one of that type, and many of it
//! can be got at once, so that what many rows refer to is asked for once. A field that is called an
//! identifier says of what, so that none is forgotten.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prost_reflect::{FieldDescriptor, Kind};

use crate::idents::is_dotted;
use crate::model::{Resource, batch};
use crate::problems::Problems;
use crate::source::{Source, extension};

/// Reports references that lead nowhere, and gives the files of other contracts that were looked at.
/// Among Stoa's own contracts all are at hand; elsewhere one that is not is believed, for it may be in
/// a crate of its own.
pub(crate) fn check(root: &Path, source: &Source, problems: &mut Problems) -> Vec<PathBuf> {
    let mut others = BTreeMap::new();
    let mut seen = Vec::new();
    for message in source.messages() {
        for field in message.fields() {
            let wanted = match references_of(&field) {
                Some(wanted) if wanted.is_empty() => continue,
                Some(wanted) => wanted,
                None if !is_called_identifier(&field) => continue,
                None => {
                    let text = format!(
                        "field {} is called an identifier: say of what, as `(stoa.v1.references) = \
                         \"users.user\"`, or `\"\"` where that is no resource of any contract",
                        field.name()
                    );
                    problems.0.push(source.problem(&message.parent_file(), field.path(), text));
                    continue;
                }
            };
            let service = wanted.split('.').next().unwrap_or_default().to_owned();
            let known = if service == source.service_name() {
                Some(resources(source))
            } else {
                let known = others.entry(service.clone());
                known.or_insert_with(|| other(root, &service, &mut seen)).clone()
            };
            let problem = if field.is_map() || field.kind() != Kind::String {
                "is no text".to_owned()
            } else if !is_dotted(&wanted, &service) {
                format!(
                    "references `{wanted}`, which is no type of a resource such as `users.user`"
                )
            } else {
                let found = known.as_ref().map(|known| known.get(&wanted));
                match found {
                    None | Some(Some(true)) => continue,
                    Some(None) => format!("references `{wanted}`, and there is no such resource"),
                    Some(Some(false)) => format!(
                        "references `{wanted}`, which cannot be followed: let `{service}` have a \
                         `BatchGet…` that takes `repeated string ids` and gives a list of it"
                    ),
                }
            };
            let text = format!("field {} {problem}", field.name());
            problems.0.push(source.problem(&message.parent_file(), field.path(), text));
        }
    }
    seen
}

/// The type of the resource that a field names; empty where it says that it names none.
fn references_of(field: &FieldDescriptor) -> Option<String> {
    extension(&field.options(), "stoa.v1.references")?.as_str().map(str::to_owned)
}

fn is_called_identifier(field: &FieldDescriptor) -> bool {
    let called = ["_id", "_ids"].iter().any(|end| field.name().ends_with(end));
    called && field.kind() == Kind::String
}

/// The resources of a contract by their types, and whether many can be got at once.
type Resources = BTreeMap<String, bool>;

/// The resources of another contract; none where there is no such contract here.
fn other(root: &Path, service: &str, seen: &mut Vec<PathBuf>) -> Option<Resources> {
    let package = format!("stoa.{service}.v1");
    let file = format!("{}/{service}.proto", package.replace('.', "/"));
    let Ok(source) = Source::compile(root, &package, &[file], &[]) else {
        let own = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto"));
        return (root.canonicalize().ok() == own.canonicalize().ok()).then(Resources::new);
    };
    seen.extend(source.paths.iter().cloned());
    Some(resources(&source))
}

fn resources(source: &Source) -> Resources {
    let services = source.services();
    let batches: Vec<_> = services.iter().flat_map(|all| all.methods()).collect();
    let batches: Vec<_> = batches.iter().filter_map(batch).collect();
    let all = source.messages().into_iter().filter_map(|message| Resource::read(&message));
    all.map(|Resource { kind, .. }| (kind.clone(), batches.contains(&kind))).collect()
}
