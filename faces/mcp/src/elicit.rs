//! A person is asked before something is taken away, where the client can ask one.
//!
//! The question goes out in the answer to the call; what the person said comes in as a message of its
//! own, and wakes the call that waits for it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::oneshot;
use futures::future::{BoxFuture, Either, select};
use futures::{FutureExt, StreamExt, stream};
use rmcp::model::{
    BooleanSchema, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationSchema, JsonRpcRequest, PrimitiveSchemaDefinition,
};
use stoa_kit::{Code, Error, Result, Stream};

use crate::call::{self, Call};
use crate::hints;
use crate::message::{answer, event, text};
use crate::refusal::{self, Refusal};
use crate::serve::Reply;
use crate::session::{Question, Session};

/// How long a person may think.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// The most that is kept of what a call asks for while a person thinks, in bytes.
const KEPT_MAX: usize = 64 << 10;
/// How much of the arguments is shown, in bytes.
const SHOWN_MAX: usize = 1 << 10;
const CONFIRM: &str = "confirm";

/// What a person said.
type Said = oneshot::Receiver<Option<ElicitResult>>;

/// Asks whether a call is to be made, and makes it if so.
///
/// # Errors
/// `mcp.questions`.
pub(crate) fn ask(session: &Arc<Session>, mut call: Call, arguments: &str) -> Result<Reply> {
    if arguments.len() > KEPT_MAX {
        let message = "what a person is asked about has 64 KiB at the most";
        return Err(Error::new(Code::ResourceExhausted, "mcp.questions", message)
            .help("Ask for less at once."));
    }
    call.asking.visit.body = Bytes::new();
    let world = Arc::clone(call.asking.visit.node().world());
    let (question, said) = session.ask(world.as_ref())?;
    let params = ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: words(&call, arguments),
        requested_schema: form()?,
    };
    let request = JsonRpcRequest::new(question.id.clone(), ElicitRequest::new(params));
    let asked = event(&text(&request));
    let over = world.sleep(WAIT_MAX);
    let answered = decided(call, question, said, over).into_stream();
    Ok(Reply::Events(stream::iter([Ok(asked)]).chain(answered.flatten()).boxed()))
}

fn words(call: &Call, arguments: &str) -> String {
    let shown = &arguments[..arguments.floor_char_boundary(SHOWN_MAX)];
    let cut = if shown.len() < arguments.len() { "…" } else { "" };
    let (title, doc) = (hints::title(call.method), call.method.doc);
    format!("{title}, with {shown}{cut}?\n\n{doc}")
}

fn form() -> Result<ElicitationSchema> {
    let confirm = BooleanSchema::new().title("Go ahead").description("It takes something away.");
    let confirm = PrimitiveSchemaDefinition::Boolean(confirm);
    let form = ElicitationSchema::builder().required_property(CONFIRM, confirm);
    form.build().map_err(Error::internal)
}

/// The events that answer the call.
async fn decided(
    call: Call, question: Question, said: Said, over: BoxFuture<'static, ()>,
) -> Stream<Bytes> {
    let (id, trace) = (call.asking.id.clone(), call.asking.visit.trace());
    let said = match select(said, over).await {
        Either::Left((said, _)) => said.ok().flatten(),
        Either::Right(_) => None,
    };
    drop(question);
    let reply = match agreed(said) {
        Ok(()) => match call.asking.visit.still_may(call.method).await {
            Ok(()) => call.run().await,
            Err(error) => Err(error),
        },
        Err(error) => call::refusal(&Refusal::new(&trace, &error)).map(Reply::Result),
    };
    match reply {
        Ok(Reply::Events(events)) => events,
        Ok(Reply::Result(result) | Reply::Begun(result, _)) => one(event(&answer(id, &result))),
        Err(error) => one(event(&text(&refusal::message(Some(id), &trace, &error)))),
    }
}

fn one(event: Bytes) -> Stream<Bytes> {
    stream::iter([Ok(event)]).boxed()
}

/// Whether a person agreed.
///
/// # Errors
/// `mcp.declined` and `mcp.unanswered`.
fn agreed(said: Option<ElicitResult>) -> Result<()> {
    let Some(said) = said else {
        let message = "nobody said that it is to be done";
        return Err(Error::new(Code::Canceled, "mcp.unanswered", message)
            .help("Nothing was changed. Call again when there is somebody to ask."));
    };
    let confirmed = said.content.and_then(|content| content.get(CONFIRM)?.as_bool());
    if said.action == ElicitationAction::Accept && confirmed == Some(true) {
        return Ok(());
    }
    Err(Error::new(Code::Canceled, "mcp.declined", "a person said that it is not to be done")
        .help("Nothing was changed. Do not call again unless they ask for it."))
}
