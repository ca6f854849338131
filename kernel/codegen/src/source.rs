//! One compiled package: its descriptors, and where and how each item is written down.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use prost_reflect::prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, FileDescriptor,
    MessageDescriptor, ServiceDescriptor, Value,
};

use crate::problems::{Problem, Problems};

/// A package and everything it imports.
pub(crate) struct Source {
    /// The package's name: `stoa.ledger.v1`.
    pub(crate) package: String,
    /// Its own files, in the order of their names.
    pub(crate) files: Vec<FileDescriptor>,
    /// The whole descriptor set, comments included.
    pub(crate) encoded: Vec<u8>,
    /// The names of files whose descriptors are kept elsewhere.
    common: BTreeSet<String>,
    /// The files on disk, for Cargo to watch.
    pub(crate) paths: Vec<PathBuf>,
    pool: DescriptorPool,
    places: BTreeMap<String, BTreeMap<Vec<i32>, Place>>,
}

struct Place {
    line: usize,
    comment: String,
}

impl Source {
    /// Compiles the files of a package, named as imports name them. What is not found below `root`
    /// is looked for among Stoa's own files, so that contracts of others need no copy of them.
    /// `common` names files, each with all that it imports, whose descriptors are kept elsewhere.
    pub(crate) fn compile(
        root: &Path, package: &str, names: &[String], common: &[&str],
    ) -> Result<Self, Problems> {
        let own = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto"));
        let includes = [root.to_owned(), root.join("vendor"), own.to_owned(), own.join("vendor")];
        let includes = includes.into_iter().filter(|folder| folder.is_dir());
        let mut compiler = protox::Compiler::new(includes).map_err(Problems::one)?;
        compiler.include_source_info(true).include_imports(true);
        let mut problems = Problems::default();
        for name in names.iter().map(String::as_str).chain(common.iter().copied()) {
            if let Err(error) = compiler.open_file(name) {
                // Its `Debug` is the form with file, line and column.
                problems.0.extend(Problems::one(format!("proto/{error:?}")).0);
            }
        }
        problems.into_result()?;
        let pool = compiler.descriptor_pool();
        let found = |name: &str| pool.get_file_by_name(name);
        let files: Vec<FileDescriptor> = names.iter().filter_map(|name| found(name)).collect();
        Ok(Self {
            package: package.to_owned(),
            places: files.iter().map(|file| (file.name().to_owned(), places(file))).collect(),
            files,
            common: reached(common.iter().filter_map(|name| found(name))),
            encoded: compiler.encode_file_descriptor_set(),
            paths: compiler.files().filter_map(|file| Some(file.path()?.to_owned())).collect(),
            pool,
        })
    }

    /// Reports files of the package that its first one does not import.
    pub(crate) fn check_imports(&self, problems: &mut Problems) {
        let reached = reached(self.files.first().cloned());
        for file in self.files.iter().filter(|file| !reached.contains(file.name())) {
            let first = self.files.first().map_or("", |first| first.name());
            let message = format!("is not imported, directly or not, by {first}");
            problems.0.push(self.problem(file, &[], message));
        }
    }

    /// The short name of the service: `ledger` of `stoa.ledger.v1`.
    pub(crate) fn service_name(&self) -> &str {
        self.package.strip_prefix("stoa.").and_then(|rest| rest.strip_suffix(".v1")).unwrap_or("")
    }

    /// Every message, nested ones after the message they are in, without the entries of maps.
    pub(crate) fn messages(&self) -> Vec<MessageDescriptor> {
        fn add(message: MessageDescriptor, out: &mut Vec<MessageDescriptor>) {
            if !message.is_map_entry() {
                out.push(message.clone());
                message.child_messages().for_each(|child| add(child, out));
            }
        }
        let mut out = Vec::new();
        self.files.iter().flat_map(FileDescriptor::messages).for_each(|m| add(m, &mut out));
        out
    }

    /// Every enum, nested ones included.
    pub(crate) fn enums(&self) -> Vec<EnumDescriptor> {
        let nested = self
            .messages()
            .into_iter()
            .flat_map(|message| message.child_enums().collect::<Vec<_>>());
        self.files.iter().flat_map(FileDescriptor::enums).chain(nested).collect()
    }

    /// Every service.
    pub(crate) fn services(&self) -> Vec<ServiceDescriptor> {
        self.files.iter().flat_map(FileDescriptor::services).collect()
    }

    /// The comment of the item at a path of descriptor numbers.
    pub(crate) fn comment(&self, file: &FileDescriptor, path: &[i32]) -> &str {
        let place = self.places.get(file.name()).and_then(|places| places.get(path));
        place.map_or("", |place| place.comment.as_str())
    }

    /// Something wrong at a path; the closest enclosing item with a known line names the place.
    pub(crate) fn problem(
        &self, file: &FileDescriptor, path: &[i32], message: impl Into<String>,
    ) -> Problem {
        let places = self.places.get(file.name());
        let line = (0..=path.len())
            .rev()
            .filter_map(|length| places?.get(&path[..length]))
            .map(|place| place.line)
            .next();
        Problem {
            file: format!("proto/{}", file.name()),
            line: line.unwrap_or(1),
            message: message.into(),
        }
    }

    /// Where, below a field, one of its rules is written down. A rule of the items of a list is
    /// looked for where it would stand for the field itself: too short a path is still close.
    pub(crate) fn option_path(&self, rule: Option<&FieldDescriptor>) -> Vec<i32> {
        const FIELD_OPTIONS: i32 = 8;
        const BUF_VALIDATE_FIELD: i32 = 1159;
        let mut path = vec![FIELD_OPTIONS, BUF_VALIDATE_FIELD];
        let Some(rule) = rule else { return Vec::new() };
        let owner = rule.parent_message();
        let of_field = self.pool.get_message_by_name("buf.validate.FieldRules");
        let types = of_field.iter().flat_map(|rules| rules.fields().collect::<Vec<_>>());
        let number = |field: FieldDescriptor| i32::try_from(field.number()).ok();
        path.extend(
            types.into_iter().find(|kind| kind.kind().as_message() == Some(owner)).and_then(number),
        );
        path.extend(number(rule.clone()));
        path.extend(rule.is_list().then_some(0));
        path
    }

    /// The descriptors of the package for faces, without those that are kept elsewhere: comments of
    /// Stoa's own files are documentation and stay; positions and the comments of vendored files are
    /// nine tenths of the bytes and go.
    pub(crate) fn documented(&self) -> Vec<u8> {
        self.stripped(|name| !self.common.contains(name))
    }

    /// The descriptors that are kept once for all packages.
    pub(crate) fn common(&self) -> Vec<u8> {
        self.stripped(|name| self.common.contains(name))
    }

    fn stripped(&self, keep: impl Fn(&str) -> bool) -> Vec<u8> {
        let name = "google.protobuf.FileDescriptorSet";
        let Some(set) = self.pool.get_message_by_name(name) else {
            return self.encoded.clone();
        };
        let Ok(mut set) = DynamicMessage::decode(set, self.encoded.as_slice()) else {
            return self.encoded.clone();
        };
        if let Some(Value::List(files)) = set.get_field_by_name_mut("file") {
            files.retain(|file| {
                let name = file.as_message().and_then(|file| file.get_field_by_name("name"));
                name.is_some_and(|name| keep(name.as_str().unwrap_or_default()))
            });
            for file in files {
                if let Value::Message(file) = file {
                    strip(file);
                }
            }
        }
        set.encode_to_vec()
    }
}

/// The names of files, and of all that they import, directly or not.
fn reached(files: impl IntoIterator<Item = FileDescriptor>) -> BTreeSet<String> {
    let mut waiting: Vec<FileDescriptor> = files.into_iter().collect();
    let mut names = BTreeSet::new();
    while let Some(file) = waiting.pop() {
        if names.insert(file.name().to_owned()) {
            waiting.extend(file.dependencies());
        }
    }
    names
}

fn strip(file: &mut DynamicMessage) {
    let ours = file
        .get_field_by_name("name")
        .is_some_and(|name| name.as_str().is_some_and(|name| name.starts_with("stoa/")));
    if !ours {
        file.clear_field_by_name("source_code_info");
        return;
    }
    let info = file.get_field_by_name_mut("source_code_info").and_then(Value::as_message_mut);
    let locations = info.and_then(|info| info.get_field_by_name_mut("location"));
    if let Some(Value::List(locations)) = locations {
        locations.retain(|location| {
            location.as_message().is_some_and(|location| {
                ["leading_comments", "trailing_comments"]
                    .iter()
                    .any(|name| location.has_field_by_name(name))
            })
        });
    }
}

fn places(file: &FileDescriptor) -> BTreeMap<Vec<i32>, Place> {
    let mut out = BTreeMap::new();
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    for location in info.iter().flat_map(|info| &info.location) {
        let leading = location.leading_comments.as_deref().unwrap_or("");
        let trailing = location.trailing_comments.as_deref().unwrap_or("");
        let comment = if leading.trim().is_empty() { trailing } else { leading };
        let line = location.span.first().map_or(1, |line| usize::try_from(*line).unwrap_or(0) + 1);
        let place = Place { line, comment: text(comment) };
        out.entry(location.path.clone()).or_insert(place);
    }
    out
}

/// A comment without the space that follows `//`. Deeper indents would be code to rustdoc.
fn text(comment: &str) -> String {
    let lines: Vec<&str> = comment
        .lines()
        .map(|line| {
            let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
            if line.starts_with("    ") { line.trim_start() } else { line }
        })
        .collect();
    lines.join("\n").trim().to_owned()
}

/// The value of an extension among options, if it is set.
pub(crate) fn extension(options: &DynamicMessage, name: &str) -> Option<Value> {
    options
        .extensions()
        .find(|(extension, _)| extension.full_name() == name)
        .map(|(_, value)| value.clone())
}

/// A text field of an options message.
pub(crate) fn text_of(message: &DynamicMessage, name: &str) -> String {
    let value = message.get_field_by_name(name);
    value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The texts of a list of an options message.
pub(crate) fn texts_of(message: &DynamicMessage, name: &str) -> Vec<String> {
    let Some(list) = message.get_field_by_name(name) else { return Vec::new() };
    let texts = list.as_list().into_iter().flatten();
    texts.filter_map(|text| Some(text.as_str()?.to_owned())).collect()
}

/// A number of an options message.
pub(crate) fn number_of(message: &DynamicMessage, name: &str) -> u32 {
    message.get_field_by_name(name).and_then(|value| value.as_u32()).unwrap_or_default()
}
