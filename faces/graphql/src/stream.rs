//! Subscriptions: a method that streams, each of its messages a response.

use std::sync::Arc;

use apollo_compiler::response::JsonValue;
use futures::StreamExt as _;
use stoa_contract::AnyMessage;
use stoa_kit::{Error, Result, Stream};
use stoa_node::Body;

use crate::answer::{self, Response};
use crate::asker::Asker;
use crate::question::Question;
use crate::reply;
use crate::said::{Said, invalid};
use crate::schema::Schema;
use crate::walk::Walk;

/// The responses to a subscription. An error of the method is the last of them.
///
/// # Errors
/// Why it is refused as a whole.
pub(crate) async fn begin(
    schema: Arc<Schema>, asker: Arc<Asker>, question: Question,
) -> Result<Stream<Response>, Vec<Said>> {
    let items = call(&schema, &asker, &question).await?;
    let question = Arc::new(question);
    let responses = items.then(move |item| {
        let (schema, asker) = (Arc::clone(&schema), Arc::clone(&asker));
        let question = Arc::clone(&question);
        async move {
            let item = item.and_then(|item| reply::json(&*item));
            let response = answer::told(&schema, &asker, &question, item).await;
            Ok(response.unwrap_or_else(Response::from))
        }
    });
    Ok(responses.boxed())
}

/// Calls the method that streams.
async fn call(
    schema: &Schema, asker: &Asker, question: &Question,
) -> Result<Stream<Box<dyn AnyMessage>>, Vec<Said>> {
    let whole = |error: Error| asker.said(&error);
    let operation = question.operation().map_err(whole)?;
    let mut walk = Walk::new(schema, &question.document, &question.variables);
    let sets = [&operation.selection_set];
    walk.object(&sets, &JsonValue::Null, &mut Vec::new()).map_err(whole)?;
    let mut asked = answer::read(&mut walk, asker, question).await?;
    let Some(asked) = asked.pop() else {
        return Err(whole(invalid("a subscription asks for one stream")));
    };
    let answer = asker.call(asked.call.method, &asked.text, None).await;
    let answer = answer.map_err(|error| vec![question.said(&error, &asked.task, &asker.trace)])?;
    match answer.body {
        Body::Stream(items) => Ok(items),
        Body::Message(_) => Err(whole(Error::internal("a message where a stream was expected"))),
    }
}
