//! The answer to a question, a level at a time: what a level needs is asked for together, and what
//! comes back is written and leads to the next one.
//!
//! **Invariant:** the commands of a mutation run one after another, in the order of the document; none
//! runs unless the requests of all of them could be read.

use std::sync::Arc;

use apollo_compiler::executable::OperationType;
use apollo_compiler::introspection;
use apollo_compiler::response::{JsonMap, JsonValue};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use http::HeaderMap;
use serde::Serialize;
use stoa_contract::Code;
use stoa_kit::{Error, Result};
use stoa_node::tell;

use crate::asker::Asker;
use crate::question::Question;
use crate::references::{Asks, Needs, Resources};
use crate::said::{Said, Step, invalid};
use crate::schema::{Call, Schema};
use crate::walk::{Selections, Task, Walk, What, put};
use crate::watches::Watches;
use crate::{arguments, reply};

/// Queries of one level that are asked at once.
const AT_ONCE: usize = 8;

/// A response. One without data was refused as a whole.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Response {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<Said>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<JsonValue>,
    /// What is told beside it.
    #[serde(skip)]
    pub(crate) told: HeaderMap,
}

impl Response {
    /// Its text.
    pub(crate) fn text(&self) -> Vec<u8> {
        // What was made of JSON can be written as JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl From<Vec<Said>> for Response {
    fn from(errors: Vec<Said>) -> Self {
        Self { errors, ..Self::default() }
    }
}

/// Answers a query or a mutation.
///
/// # Errors
/// Why it is refused as a whole.
pub(crate) async fn answer(
    schema: &Schema, asker: &Asker, question: &Question,
) -> Result<Response, Vec<Said>> {
    let whole = |error: Error| asker.said(&error);
    let operation = question.operation().map_err(whole)?;
    let (mut writing, mut walk) = Writing::begin(schema, asker, question)?;
    let asked = read(&mut walk, asker, question).await?;
    if operation.is_query() {
        let shown = introspected(schema, asker, question).map_err(whole)?;
        if let Some(data) = writing.data.as_object_mut() {
            data.extend(shown);
        }
    }
    writing.calls(&mut walk, asked, operation.operation_type).await;
    writing.references(&mut walk, &mut Asks::Once(asker)).await;
    Ok(writing.finish())
}

/// What one message of a stream comes to, or what ended it.
pub(crate) async fn told(
    schema: &Schema, asker: &Asker, question: &Question, message: Result<JsonValue>,
) -> Result<Response, Vec<Said>> {
    let (mut writing, mut walk) = Writing::begin(schema, asker, question)?;
    for task in std::mem::take(&mut walk.next) {
        writing.write(&mut walk, task, message.clone());
    }
    writing.references(&mut walk, &mut Asks::Once(asker)).await;
    Ok(writing.finish())
}

/// What queries that are watched say now; or, in its place, why that is over.
pub(crate) async fn state(
    schema: &Schema, watches: &mut Watches, question: &Question,
) -> Result<Result<Response>, Vec<Said>> {
    let asker = Arc::clone(&watches.asker);
    let (mut writing, mut walk) = Writing::begin(schema, &asker, question)?;
    for task in std::mem::take(&mut walk.next) {
        let (&What::Call(call), Some(field)) = (&task.what, task.fields.first()) else { continue };
        let text = arguments::json(&schema.types, field, walk.variables);
        match watches.query(call.method, &text).await {
            Ok(reply) => writing.write(&mut walk, task, Ok(call.given(reply))),
            Err(error) => return Ok(Err(error)),
        }
    }
    writing.references(&mut walk, &mut Asks::Watched(watches)).await;
    Ok(watches.over.take().map_or_else(|| Ok(writing.finish()), Err))
}

/// A call of a question, its request read.
pub(crate) struct Asked<'a> {
    pub(crate) task: Task<'a>,
    pub(crate) call: &'a Call,
    pub(crate) text: Vec<u8>,
}

/// Reads the requests of all calls. One that cannot be read is refused before any is called.
pub(crate) async fn read<'a>(
    walk: &mut Walk<'a>, asker: &Asker, question: &Question,
) -> Result<Vec<Asked<'a>>, Vec<Said>> {
    let mut all = Vec::with_capacity(walk.next.len());
    for task in std::mem::take(&mut walk.next) {
        let (&What::Call(call), Some(field)) = (&task.what, task.fields.first()) else { continue };
        let text = arguments::json(&walk.schema.types, field, walk.variables);
        if let Err(error) = asker.read(call.method, &text) {
            let error = asker.guest.may_call(call.method).await.err().unwrap_or(error);
            return Err(vec![question.said(&error, &task, &asker.trace)]);
        }
        all.push(Asked { task, call, text });
    }
    Ok(all)
}

/// What introspection shows.
fn introspected(schema: &Schema, asker: &Asker, question: &Question) -> Result<JsonMap> {
    let operation = question.operation()?;
    let asks = |name: &str| matches!(name, "__schema" | "__type");
    if !operation.root_fields(&question.document).any(|field| asks(&field.name)) {
        return Ok(JsonMap::new());
    }
    if !asker.introspects {
        let message = "the schema is not shown to whoever asks";
        return Err(Error::new(Code::PermissionDenied, "graphql.introspection", message).help(
            "Sign in, or ask whoever runs the node for the setting `graphql_introspection`.",
        ));
    }
    introspection::check_max_depth(&question.document, operation)
        .and_then(|()| {
            let (types, implementers) = (&schema.types, &schema.implementers);
            let (document, variables) = (&question.document, &question.variables);
            introspection::partial_execute(types, implementers, document, operation, variables)
        })
        .map(|shown| shown.data.unwrap_or_default())
        .map_err(|error| invalid(error.message().to_string()))
}

/// A response that is being written.
struct Writing<'v> {
    asker: &'v Asker,
    question: &'v Question,
    response: Response,
    data: JsonValue,
}

impl<'v> Writing<'v> {
    /// Begins the response to a question, with all that is known without asking anybody.
    fn begin(
        schema: &'v Schema, asker: &'v Asker, question: &'v Question,
    ) -> Result<(Self, Walk<'v>), Vec<Said>> {
        let whole = |error: Error| asker.said(&error);
        let operation = question.operation().map_err(whole)?;
        let mut walk = Walk::new(schema, &question.document, &question.variables);
        let sets = [&operation.selection_set];
        let data = walk.object(&sets, &JsonValue::Null, &mut Vec::new()).map_err(whole)?;
        Ok((Self { asker, question, response: Response::default(), data }, walk))
    }

    /// Calls what the question asks for.
    async fn calls<'a>(&mut self, walk: &mut Walk<'a>, asked: Vec<Asked<'a>>, kind: OperationType) {
        let (several, asker) = (asked.len() > 1, self.asker);
        let calling = asked.into_iter().enumerate().map(|(place, Asked { task, call, text })| {
            async move {
                let name = match task.path.last() {
                    Some(Step::Key(name)) if several => Some(name.as_str()),
                    _ => None,
                };
                // The door has counted the first one.
                let counted = if place > 0 { asker.guest.count() } else { Ok(()) };
                let answer = match counted {
                    Ok(()) => asker.call(call.method, &text, name).await,
                    Err(error) => Err(error),
                };
                (task, call, answer)
            }
            .boxed()
        });
        let calling: Vec<BoxFuture<'_, _>> = calling.collect();
        let at_once = if kind == OperationType::Mutation { 1 } else { AT_ONCE };
        let mut answers = futures::stream::iter(calling).buffered(at_once);
        while let Some((task, call, answer)) = answers.next().await {
            let source = answer.and_then(|answer| {
                self.response.told.extend(answer.headers());
                Ok(call.given(reply::reply(answer)?))
            });
            self.write(walk, task, source);
        }
    }

    /// Follows references, a level at a time, as far as they are asked for.
    async fn references(&mut self, walk: &mut Walk<'_>, asks: &mut Asks<'_>) {
        let mut resources = Resources::default();
        while !walk.next.is_empty() {
            let level = std::mem::take(&mut walk.next);
            let mut needs = Needs::new();
            for task in &level {
                let What::Edge(edge, ids, _) = &task.what else { continue };
                let needed = needs.entry(edge.by.method.path);
                let (_, all) = needed.or_insert_with(|| (edge.by.clone(), Default::default()));
                all.extend(ids.iter().cloned());
            }
            resources.load(asks, needs).await;
            for task in level {
                let What::Edge(edge, ids, many) = &task.what else { continue };
                let found = ids.iter().map(|id| resources.get(&edge.by, id));
                let mut found = found.map(|found| Ok(found?.unwrap_or(JsonValue::Null)));
                let source = match many {
                    true => found.collect::<Result<Vec<_>>>().map(JsonValue::Array),
                    false => found.next().unwrap_or(Ok(JsonValue::Null)),
                };
                self.write(walk, task, source);
            }
        }
    }

    /// Writes what came for a place: what is selected of it, or what went wrong.
    fn write<'a>(&mut self, walk: &mut Walk<'a>, task: Task<'a>, source: Result<JsonValue>) {
        let fields: &Selections<'a> = &task.fields;
        let mut path = task.path.clone();
        match source.and_then(|source| walk.value(fields, &source, &mut path)) {
            Ok(value) => put(&mut self.data, &task.path, value),
            Err(error) => {
                tell(&error, task.what.method().path, &self.asker.trace);
                let said = self.question.said(&error, &task, &self.asker.trace);
                self.response.errors.push(said);
            }
        }
    }

    fn finish(self) -> Response {
        Response { data: Some(self.data), ..self.response }
    }
}
