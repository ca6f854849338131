//! Subscriptions: a method that streams, each of its messages a response; or queries that are watched,
//! each state of theirs.

use std::sync::Arc;

use apollo_compiler::response::JsonValue;
use futures::StreamExt as _;
use stoa_contract::{AnyMessage, Kind};
use stoa_kit::{Error, Result, Stream};
use stoa_node::Body;

use crate::answer::{self, Response};
use crate::asker::Asker;
use crate::question::Question;
use crate::reply;
use crate::said::{Said, invalid};
use crate::schema::Schema;
use crate::walk::Walk;
use crate::watches::Watches;

/// The responses to a subscription. An error of a method is the last of them.
///
/// # Errors
/// Why it is refused as a whole.
pub(crate) async fn begin(
    schema: Arc<Schema>, asker: Arc<Asker>, question: Question,
) -> Result<Stream<Response>, Vec<Said>> {
    let (schema, asker) = (&schema, &asker);
    let whole = |error: Error| asker.said(&error);
    let operation = question.operation().map_err(whole)?;
    let mut walk = Walk::new(schema, &question.document, &question.variables);
    let sets = [&operation.selection_set];
    walk.object(&sets, &JsonValue::Null, &mut Vec::new()).map_err(whole)?;
    let mut asked = answer::read(&mut walk, asker, &question).await?;
    let items = match asked.pop() {
        None => return Err(whole(invalid("a subscription asks for a stream, or for queries"))),
        Some(asked) if asked.call.method.kind == Kind::Query => None,
        Some(asked) => {
            let answer = asker.call(asked.call.method, &asked.text, None).await;
            let answer =
                answer.map_err(|error| vec![question.said(&error, &asked.task, &asker.trace)])?;
            match answer.body {
                Body::Stream(items) => Some(items),
                Body::Message(_) => {
                    return Err(whole(Error::internal("a message where a stream was expected")));
                }
            }
        }
    };
    let topic = Topic { schema: Arc::clone(schema), asker: Arc::clone(asker), question };
    Ok(match items {
        Some(items) => messages(topic, items),
        None => states(topic),
    })
}

/// What a subscription is about.
struct Topic {
    schema: Arc<Schema>,
    asker: Arc<Asker>,
    question: Question,
}

impl Topic {
    /// The response that a message comes to, or the error that ends the subscription.
    async fn told(&self, message: Result<JsonValue>) -> Response {
        let told = answer::told(&self.schema, &self.asker, &self.question, message).await;
        told.unwrap_or_else(Response::from)
    }
}

/// A response for each message.
fn messages(topic: Topic, items: Stream<Box<dyn AnyMessage>>) -> Stream<Response> {
    let topic = Arc::new(topic);
    let responses = items.then(move |item| {
        let topic = Arc::clone(&topic);
        async move { Ok(topic.told(item.and_then(|item| reply::json(&*item))).await) }
    });
    responses.boxed()
}

/// A response for each state that differs from the one before.
fn states(topic: Topic) -> Stream<Response> {
    let watches = Watches::new(Arc::clone(&topic.asker));
    let steps = futures::stream::unfold(Some((topic, watches, None)), |following| async {
        let (topic, mut watches, mut seen) = following?;
        loop {
            if seen.is_some() {
                watches.changed().await;
            }
            let response = match answer::state(&topic.schema, &mut watches, &topic.question).await {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => return Some((Ok(topic.told(Err(error)).await), None)),
                Err(said) => return Some((Ok(Response::from(said)), None)),
            };
            watches.tidy();
            let hash = blake3::hash(&response.text());
            if seen.replace(hash) != Some(hash) {
                return Some((Ok(response), Some((topic, watches, seen))));
            }
        }
    });
    steps.boxed()
}
