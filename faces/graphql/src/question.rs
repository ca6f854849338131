//! A question: a document that was read and checked, the operation that is asked for, its variables.

use std::sync::Arc;

use apollo_compiler::executable::Operation;
use apollo_compiler::parser::{LineColumn, Parser};
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::response::{JsonMap, JsonValue};
use apollo_compiler::validation::{DiagnosticList, Valid};
use apollo_compiler::{ExecutableDocument, Node};
use quick_cache::sync::Cache;
use stoa_kit::{Error, Result};

use crate::arguments;
use crate::asker::Asker;
use crate::limits::{self, NESTING_MAX, TOKENS_MAX};
use crate::request::Request;
use crate::said::{Said, invalid};
use crate::schema::Schema;
use crate::walk::{Task, Walk, What};

/// Documents that are kept, for clients ask the same ones again and again, and how long one may be.
const KEPT_MAX: usize = 256;
const KEPT_BYTES_MAX: usize = 8 << 10;

/// Documents that were right.
pub(crate) struct Documents(Cache<String, Arc<Valid<ExecutableDocument>>>);

/// What is asked.
pub(crate) struct Question {
    pub(crate) document: Arc<Valid<ExecutableDocument>>,
    operation: Option<String>,
    pub(crate) variables: Valid<JsonMap>,
}

impl Documents {
    pub(crate) fn new() -> Self {
        Self(Cache::new(KEPT_MAX))
    }

    /// The question that a request asks.
    ///
    /// # Errors
    /// What is wrong with it: with the request of a method, if it is that, and with the document
    /// otherwise.
    pub(crate) async fn question(
        &self, schema: &Schema, asker: &Asker, request: Request,
    ) -> Result<Question, Vec<Said>> {
        let trace = &asker.trace;
        let Request { query, operation, variables } = request;
        let document = match self.document(schema, query) {
            Ok(document) => document,
            Err(Wrong { diagnostics, read }) => {
                let found = read.as_ref().and_then(|read| {
                    Some((&**read, &**read.operations.get(operation.as_deref()).ok()?))
                });
                let blamed = match found {
                    Some(found) => blame(schema, asker, found, &variables).await,
                    None => None,
                };
                return Err(
                    blamed.map_or_else(|| diagnosed(&diagnostics, trace), |said| vec![said])
                );
            }
        };
        let one = |error: Error| asker.said(&error);
        let found = document.operations.get(operation.as_deref());
        let found = found.map_err(|error| one(invalid(error.message().to_string())))?;
        limits::check(schema, &document, found).map_err(one)?;
        let variables = match coerce_variable_values(&schema.types, found, &variables) {
            Ok(variables) => variables,
            Err(error) => {
                let said = blame(schema, asker, (&document, found), &variables).await;
                return Err(said
                    .map_or_else(|| one(invalid(error.message().to_string())), |said| vec![said]));
            }
        };
        Ok(Question { document, operation, variables })
    }

    fn document(
        &self, schema: &Schema, text: String,
    ) -> Result<Arc<Valid<ExecutableDocument>>, Wrong> {
        if let Some(known) = self.0.get(&text) {
            return Ok(known);
        }
        let mut parser = Parser::new().recursion_limit(NESTING_MAX).token_limit(TOKENS_MAX);
        let document = parser
            .parse_ast(text.as_str(), "document.graphql")
            .map_err(|wrong| Wrong { diagnostics: wrong.errors, read: None })?
            .to_executable_validate(&schema.types)
            .map_err(|wrong| Wrong {
                diagnostics: wrong.errors,
                read: Some(Box::new(wrong.partial)),
            })?;
        let document = Arc::new(document);
        if text.len() <= KEPT_BYTES_MAX {
            self.0.insert(text, Arc::clone(&document));
        }
        Ok(document)
    }
}

/// What is wrong with a document, and the document, where it could be read.
struct Wrong {
    diagnostics: DiagnosticList,
    read: Option<Box<ExecutableDocument>>,
}

impl Question {
    /// The operation that is asked for.
    ///
    /// # Errors
    /// `internal`: that it is there was looked at before.
    pub(crate) fn operation(&self) -> Result<&Node<Operation>> {
        let operation = self.document.operations.get(self.operation.as_deref());
        operation.map_err(|error| Error::internal(error.message()))
    }

    /// Where an error arose, within the document.
    pub(crate) fn said(&self, error: &Error, task: &Task<'_>, trace: &str) -> Said {
        placed(&self.document, error, task, trace)
    }
}

fn placed(document: &ExecutableDocument, error: &Error, task: &Task<'_>, trace: &str) -> Said {
    let mut said = Said::new(error, trace);
    let place = task.fields.first().and_then(|field| field.line_column_range(&document.sources));
    said.locations = place.map(|place| place.start).into_iter().collect::<Vec<LineColumn>>();
    said.path = task.path.clone();
    said
}

/// What a method says against a document that is wrong, in the order in which it is asked elsewhere:
/// who calls, what the message is, which rules it breaks. None where nothing is wrong with any
/// request that the document holds.
async fn blame(
    schema: &Schema, asker: &Asker, (document, operation): (&ExecutableDocument, &Operation),
    variables: &JsonMap,
) -> Option<Said> {
    limits::check(schema, document, operation).ok()?;
    let mut walk = Walk::new(schema, document, variables);
    walk.object(&[&operation.selection_set], &JsonValue::Null, &mut Vec::new()).ok()?;
    for task in std::mem::take(&mut walk.next) {
        let (What::Call(asked), Some(field)) = (&task.what, task.fields.first()) else { continue };
        let text = arguments::json(&schema.types, field, variables);
        let refused = match asker.guest.may_call(asked.method).await {
            Err(error) => Err(error),
            Ok(()) => asker.read(asked.method, &text).and_then(|mut request| request.admit()),
        };
        if let Err(error) = refused {
            return Some(placed(document, &error, &task, &asker.trace));
        }
    }
    None
}

fn diagnosed(wrong: &DiagnosticList, trace: &str) -> Vec<Said> {
    /// Of very many, the first are told.
    const TOLD_MAX: usize = 16;
    let said = wrong.iter().take(TOLD_MAX).map(|diagnostic| {
        let mut said = Said::new(&invalid(diagnostic.error.to_string()), trace);
        let place = diagnostic.line_column_range();
        said.locations = place.map(|place| place.start).into_iter().collect();
        said
    });
    said.collect()
}
