//! What went wrong, as GraphQL says it: with the code, the reason, the violations, what to do next
//! and the trace of the same error on every other face, as `extensions`.

use apollo_compiler::Name;
use apollo_compiler::parser::LineColumn;
use http::StatusCode;
use serde::Serialize;
use stoa_contract::{Code, Violation, Words};
use stoa_kit::Error;
use stoa_node::status;

/// An error of a response.
#[derive(Debug, Serialize)]
pub(crate) struct Said {
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) locations: Vec<LineColumn>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) path: Vec<Step>,
    extensions: Extensions,
    /// What HTTP calls it.
    #[serde(skip)]
    status: StatusCode,
}

/// A step of the way to a value in a response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Step {
    /// Into a field, by the key that the response has for it.
    Key(Name),
    /// Into a list.
    Item(usize),
}

#[derive(Debug, Serialize)]
struct Extensions {
    code: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violations: Vec<Violation>,
    #[serde(skip_serializing_if = "String::is_empty")]
    next: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    trace: String,
}

impl Said {
    /// An error, in a trace.
    pub(crate) fn new(error: &Error, trace: &str) -> Self {
        let extensions = Extensions {
            code: error.code().word(),
            reason: error.reason().to_owned(),
            violations: error.violations().to_vec(),
            next: error.next().to_owned(),
            trace: trace.to_owned(),
        };
        let message = error.message().to_owned();
        let status = status(error);
        Self { message, locations: Vec::new(), path: Vec::new(), extensions, status }
    }

    /// What HTTP calls it.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }
}

/// What is wrong with a document, before any method is looked at.
pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(Code::InvalidArgument, "graphql.invalid", message.into())
        .help("Ask `__schema` what there is, or let a tool for GraphQL check the document.")
}

/// A document that asks for more than one may.
pub(crate) fn too_much(message: impl Into<String>) -> Error {
    Error::new(Code::ResourceExhausted, "graphql.too_much", message.into())
        .help("Ask for less at once, in several requests; page through long lists.")
}
