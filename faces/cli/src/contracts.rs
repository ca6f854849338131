//! Contracts as their descriptors tell them, comments and options included.

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, MethodDescriptor, ServiceDescriptor, Value,
};
use stoa_contract::Kind;
use stoa_contract::described::{comment, extension};
use stoa_kit::{Error, Result};

use crate::kebab;

/// The contracts that a command line is made of.
pub struct Contracts {
    services: Vec<Service>,
}

/// A service, as a command.
pub struct Service {
    /// The short name: `ledger`.
    pub name: String,
    /// What the contract says of it.
    pub doc: String,
    /// Its methods.
    pub methods: Vec<Method>,
    /// The text of its `examples.yaml`; empty where there is none.
    pub examples: &'static str,
}

/// A method, as a command.
#[derive(Clone)]
pub struct Method {
    pub(crate) descriptor: MethodDescriptor,
    /// What people type: `create-transfer`.
    pub command: String,
    /// What the contract says of it.
    pub doc: String,
    /// What kind of work it is.
    pub kind: Kind,
    /// Who may call it.
    pub permission: String,
    /// The fields that its path of REST names, in their order.
    pub(crate) in_path: Vec<String>,
}

impl Contracts {
    /// The contracts of some sets of files, encoded as `FileDescriptorSet`. A file that several of them
    /// hold is the same in all.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn new<'a>(sets: impl IntoIterator<Item = &'a [u8]>) -> Result<Self> {
        let mut pool = DescriptorPool::new();
        for set in sets {
            pool.decode_file_descriptor_set(set).map_err(Error::internal)?;
        }
        let services = pool.services().map(|service| Service::read(&service));
        let services = services.filter(|service| !service.methods.is_empty());
        let mut services: Vec<Service> = services.collect();
        services.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { services })
    }

    /// Adds what a service shows of how it is asked.
    pub fn show(&mut self, service: &str, examples: &'static str) {
        for found in self.services.iter_mut().filter(|found| found.name == service) {
            found.examples = examples;
        }
    }

    /// The services, in the order of their names.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// A service by its name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }
}

impl Service {
    fn read(service: &ServiceDescriptor) -> Self {
        // `ledger` of `stoa.ledger.v1`.
        let name = service.package_name().rsplit('.').nth(1).unwrap_or(service.name());
        let methods = service.methods().filter_map(|method| Method::read(&method)).collect();
        let doc = comment(&service.parent_file(), service.path());
        Self { name: kebab(name), doc, methods, examples: "" }
    }

    /// A method by what people type.
    pub fn method(&self, command: &str) -> Option<&Method> {
        self.methods.iter().find(|method| method.command == command)
    }
}

impl Method {
    /// A method that faces show: one with a path of REST, which takes one message.
    fn read(descriptor: &MethodDescriptor) -> Option<Self> {
        let options = descriptor.options();
        let binding = extension(&options, "google.api.http")?;
        let permission = extension(&options, "stoa.v1.permission");
        let permission = permission.as_ref().and_then(Value::as_str).unwrap_or("").to_owned();
        if descriptor.is_client_streaming() || permission == "internal" {
            return None;
        }
        let level = options.get_field_by_name("idempotency_level");
        let kind = if level.and_then(|level| level.as_enum_number()) == Some(1) {
            Kind::Query
        } else if extension(&options, "stoa.v1.effect").and_then(|is| is.as_bool()) == Some(true) {
            Kind::Effect
        } else {
            Kind::Command
        };
        Some(Self {
            command: kebab(descriptor.name()),
            doc: comment(&descriptor.parent_file(), descriptor.path()),
            kind,
            permission,
            in_path: binding.as_message().map(variables).unwrap_or_default(),
            descriptor: descriptor.clone(),
        })
    }

    /// The path it is called by: `stoa.ledger.v1.LedgerService/GetBalance`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.descriptor.parent_service().full_name(), self.descriptor.name())
    }

    /// Whether its reply is a stream.
    pub fn streams(&self) -> bool {
        self.descriptor.is_server_streaming()
    }

    /// Whether it gives one page of a list at a time.
    pub fn is_paged(&self) -> bool {
        let has = |name| self.descriptor.input().get_field_by_name(name).is_some();
        let next = self.descriptor.output().get_field_by_name("next_page_token");
        has("page_token") && next.is_some()
    }
}

/// The fields that a binding's template names: `account` of `/v1/ledger/accounts/{account}`.
fn variables(binding: &DynamicMessage) -> Vec<String> {
    let verbs = ["get", "put", "post", "delete", "patch"];
    let template = verbs.iter().find_map(|verb| {
        let template = binding.get_field_by_name(verb)?.as_str()?.to_owned();
        (!template.is_empty()).then_some(template)
    });
    let template = template.unwrap_or_default();
    let starts = template.split('{').skip(1);
    starts.map(|rest| rest.split(['}', '=']).next().unwrap_or("").to_owned()).collect()
}

/// What a contract says about a field.
pub(crate) fn comment_of(field: &FieldDescriptor) -> String {
    comment(&field.parent_message().parent_file(), field.path())
}

/// The field with the currency of an amount, where a field holds one.
pub(crate) fn amount_of(field: &FieldDescriptor) -> Option<String> {
    extension(&field.options(), "stoa.v1.amount_of")?.as_str().map(str::to_owned)
}
