//! Contracts as their descriptors tell them, comments included: what faces describe them by.

use std::collections::HashMap;

use buffa::Enumeration;
use prost_reflect::prost_types::source_code_info::Location;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FileDescriptor, MessageDescriptor, MethodDescriptor,
    ServiceDescriptor, Value,
};

use crate::{Code, Contract, Error, IMPORTS, Result};

/// The descriptors of some contracts.
pub struct Described {
    pool: DescriptorPool,
    /// For each file, the comments by their places.
    comments: HashMap<String, HashMap<Vec<i32>, String>>,
}

/// A way to fail, as a contract declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredReason {
    /// Its stable name, `<service>.<reason>`.
    pub name: String,
    /// The code it travels under.
    pub code: Code,
    /// What the caller can do next.
    pub help: String,
}

impl Described {
    /// Those of contracts, and of what they import.
    ///
    /// # Errors
    /// `internal` for a contract that was not made by our generator.
    pub fn new(contracts: &[&'static Contract]) -> Result<Self> {
        let mut pool = DescriptorPool::new();
        let descriptors = contracts.iter().map(|contract| contract.descriptors);
        for bytes in [IMPORTS].into_iter().chain(descriptors) {
            pool.decode_file_descriptor_set(bytes).map_err(Error::internal)?;
        }
        let comments = pool.files().map(|file| (file.name().to_owned(), comments(&file))).collect();
        Ok(Self { pool, comments })
    }

    /// A service by its full name.
    pub fn service(&self, full_name: &str) -> Option<ServiceDescriptor> {
        self.pool.get_service_by_name(full_name)
    }

    /// A message by its full name.
    pub fn message(&self, full_name: &str) -> Option<MessageDescriptor> {
        self.pool.get_message_by_name(full_name)
    }

    /// A method by its path.
    pub fn method(&self, path: &str) -> Option<MethodDescriptor> {
        let (service, name) = path.split_once('/')?;
        self.service(service)?.methods().find(|method| method.name() == name)
    }

    /// What a contract says about the item at a place.
    pub fn comment(&self, file: &FileDescriptor, place: &[i32]) -> &str {
        let comments = self.comments.get(file.name());
        comments.and_then(|comments| comments.get(place)).map_or("", String::as_str)
    }

    /// The reasons that a contract declares.
    pub fn reasons(&self, contract: &Contract) -> Vec<DeclaredReason> {
        let package = contract.full_name.rsplit_once('.').map_or("", |(package, _)| package);
        let Some(reasons) = self.pool.get_enum_by_name(&format!("{package}.Reason")) else {
            return Vec::new();
        };
        let reasons = reasons.values().filter(|value| value.number() != 0).filter_map(|value| {
            let problem = extension(&value.options(), "stoa.v1.problem")?;
            let problem = problem.as_message()?;
            let name = value.name().trim_start_matches("REASON_").to_ascii_lowercase();
            let code = Code::from_i32(problem.get_field_by_name("code")?.as_enum_number()?);
            Some(DeclaredReason {
                name: format!("{}.{name}", contract.name),
                code: code.unwrap_or(Code::Unknown),
                help: problem.get_field_by_name("help")?.as_str()?.to_owned(),
            })
        });
        reasons.collect()
    }
}

/// The value of an extension among options, if it is set.
pub fn extension(options: &DynamicMessage, name: &str) -> Option<Value> {
    let mut all = options.extensions();
    all.find(|(extension, _)| extension.full_name() == name).map(|(_, value)| value.clone())
}

/// What a file says about the item at a place, where nobody asks for many of them.
pub fn comment(file: &FileDescriptor, place: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let mut places = info.iter().flat_map(|info| &info.location);
    places.find(|known| known.path == place).and_then(words).unwrap_or_default()
}

fn comments(file: &FileDescriptor) -> HashMap<Vec<i32>, String> {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let places = info.iter().flat_map(|info| &info.location);
    places.filter_map(|place| Some((place.path.clone(), words(place)?))).collect()
}

/// The comment at a place, as it was written.
fn words(place: &Location) -> Option<String> {
    let comment = place.leading_comments.as_deref().or(place.trailing_comments.as_deref())?;
    let lines = comment.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
    let text = lines.collect::<Vec<_>>().join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}
