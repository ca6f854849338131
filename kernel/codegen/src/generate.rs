//! The steps: find the files, compile, proof-read, write.

use std::path::{Path, PathBuf};

use buffa_codegen::generated::descriptor::FileDescriptorSet;
use buffa_codegen::{CodeGenConfig, MapRepr};

use crate::emit::{self, Names, Package};
use crate::model::Contract;
use crate::problems::Problems;
use crate::source::Source;
use crate::{lint, references, service};

/// Rust that stands for a contract.
#[derive(Debug)]
pub struct Generated {
    /// The items of a module.
    pub text: String,
    /// What they were made from: if one of these changes, they do.
    pub files: Vec<PathBuf>,
}

/// What contracts may import besides their own files. A node holds these descriptors once.
const COMMON: [&str; 11] = [
    "buf/validate/validate.proto",
    "google/api/annotations.proto",
    "google/protobuf/any.proto",
    "google/protobuf/empty.proto",
    "google/protobuf/struct.proto",
    "google/protobuf/wrappers.proto",
    "google/rpc/error_details.proto",
    "stoa/v1/content.proto",
    "stoa/v1/http.proto",
    "stoa/v1/money.proto",
    "stoa/v1/options.proto",
];

/// The code of a contract: `ledger` is `stoa/ledger/v1/ledger.proto` below `root`, with the files
/// beside it that it imports.
///
/// # Errors
/// Everything that is wrong with it.
pub fn contract(root: &Path, service: &str) -> Result<Generated, Problems> {
    let package = format!("stoa.{service}.v1");
    let folder = package.replace('.', "/");
    let names = files_of(root, &folder, &format!("{folder}/{service}.proto"))?;
    let mut problems = Problems::default();
    let source = Source::compile(root, &package, &names, &COMMON)?;
    let package = Package { source: &source, names: Names { contract: "::stoa_contract" } };
    source.check_imports(&mut problems);
    lint::check(&package, &mut problems);
    let seen = references::check(root, &source, &mut problems);
    let contract = Contract::read(&source, &mut problems);
    let mut ours = emit::messages(&package, &mut problems);
    if let Some(contract) = &contract {
        ours.push_str(&service::text(&package, contract));
    }
    // Whatever is wrong so far would be reported once more, and worse, by `buffa`.
    problems.into_result()?;
    let theirs = messages_by_buffa(&package)?
        .replace("::buffa::", "::stoa_contract::buffa::")
        .replace("::buffa_types::", "::stoa_contract::buffa_types::")
        .replace("::serde::", "::stoa_contract::serde::")
        .replace("::serde_json::", "::stoa_contract::serde_json::")
        .replace("#[serde(default)]", "#[serde(default, crate = \"::stoa_contract::serde\")]");
    let text = theirs + &emit::indent(&ours);
    Ok(Generated { text, files: source.paths.into_iter().chain(seen).collect() })
}

/// The messages of a package that has no service, for `stoa-contract` itself: all its files that
/// are wanted, as imports name them.
///
/// # Errors
/// Everything that is wrong with them.
pub fn messages(root: &Path, files: &[String]) -> Result<Generated, Problems> {
    let folder = files.first().and_then(|file| file.rsplit_once('/')).map(|(folder, _)| folder);
    let package = folder.ok_or_else(|| Problems::one("no file is named"))?.replace('/', ".");
    let mut problems = Problems::default();
    let source = Source::compile(root, &package, files, &[])?;
    let package = Package { source: &source, names: Names { contract: "crate" } };
    lint::check(&package, &mut problems);
    let ours = emit::messages(&package, &mut problems);
    problems.into_result()?;
    let text = messages_by_buffa(&package)? + &emit::indent(&ours);
    Ok(Generated { text, files: source.paths })
}

/// The encoded descriptors of everything that contracts may import, as a literal.
///
/// # Errors
/// Where they do not compile.
pub fn imports(root: &Path) -> Result<Generated, Problems> {
    let source = Source::compile(root, "", &[], &COMMON)?;
    Ok(Generated { text: emit::bytes(&source.common()), files: source.paths })
}

/// The files of a package, the first one first. Only what it imports is known to be looked at
/// when it changes, so a file that stands beside it and is not imported is an error.
fn files_of(root: &Path, folder: &str, first: &str) -> Result<Vec<String>, Problems> {
    let entries = std::fs::read_dir(root.join(folder))
        .map_err(|error| Problems::one(format!("proto/{folder}: {error}")))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".proto"))
        .map(|name| format!("{folder}/{name}"))
        .collect();
    names.sort_by_key(|name| (name != first, name.clone()));
    if names.first().is_none_or(|name| name != first) {
        return Err(Problems::one(format!("proto/{folder}: there is no proto/{first}")));
    }
    Ok(names)
}

/// What a contract gives no shape, as values of JSON.
const OPEN: [&str; 3] = ["Struct", "Value", "ListValue"];

/// Has `buffa` write the messages.
fn messages_by_buffa(package: &Package<'_>) -> Result<String, Problems> {
    let options = buffa_codegen::tooling_decode_options().map_err(Problems::one)?;
    let set = options.decode_from_slice::<FileDescriptorSet>(&package.source.encoded);
    let set = set.map_err(Problems::one)?;
    let names: Vec<String> =
        package.source.files.iter().map(|file| file.name().to_owned()).collect();
    let mut config = CodeGenConfig::default();
    config.file_per_package = true;
    config.generate_views = false;
    config.generate_json = true;
    config.generate_with_setters = false;
    config.preserve_unknown_fields = false;
    config.map_fields.push((".".to_owned(), MapRepr::BTreeMap));
    config.unboxed_oneof_fields.push(".".to_owned());
    let foreign = package.foreign();
    config.extern_paths =
        foreign.into_iter().map(|(proto, rust)| (format!(".{proto}"), rust)).collect();
    config.extern_paths.extend(OPEN.map(|name| {
        (format!(".google.protobuf.{name}"), format!("{}::open::{name}", package.names.contract))
    }));
    let files = buffa_codegen::generate(&set.file, &names, &config).map_err(Problems::one)?;
    Ok(files.into_iter().map(|file| file.content).collect())
}
