//! Streams as results: what comes within some time, as far as an agent can take it in. Each message is
//! told as it comes, as progress or as what is logged, to whoever wants that.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, Either, select};
use futures::{StreamExt, stream};
use rmcp::model::{
    JsonRpcNotification, JsonRpcVersion2_0, ProgressNotification, ProgressNotificationParam,
    ProgressToken, RequestId,
};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use stoa_contract::{AnyMessage, Format, Method};
use stoa_kit::{Error, Result, Stream};

use crate::call;
use crate::head::takes_events;
use crate::message::{answer, event, raw, text};
use crate::refusal::{self, Refusal};
use crate::serve::{Asking, Reply};

const WAIT_MAX: Duration = Duration::from_secs(10);
const MESSAGES_MAX: usize = 100;
const BYTES_MAX: usize = 256 << 10;
/// The longest message that is shown with its progress.
const SHOWN_MAX: usize = 1 << 10;

/// What the description of a tool says about it.
pub(crate) const BOUNDS: &str = "A stream: this gives what comes within 10 seconds, and 100 messages \
    or 256 KiB of them at the most.";

/// A stream that is being gathered.
struct Gathering {
    items: Stream<Box<dyn AnyMessage>>,
    over: BoxFuture<'static, ()>,
    trace: String,
    messages: Vec<Box<RawValue>>,
    bytes: usize,
}

/// What a stream came to.
#[derive(Serialize)]
struct Gathered<'a> {
    messages: &'a [Box<RawValue>],
    ended: bool,
}

enum Step {
    /// There is one more message.
    More,
    /// This is all.
    Result(Box<RawValue>),
}

/// What is told of each message as it comes.
struct Telling {
    progress: Option<ProgressToken>,
    /// What comes is logged, as of this.
    logger: Option<String>,
}

/// # Errors
/// `internal`.
pub(crate) async fn reply(
    asking: Asking, method: &Method, progress: Option<ProgressToken>,
    items: Stream<Box<dyn AnyMessage>>,
) -> Result<Reply> {
    let over = asking.visit.node().world().sleep(WAIT_MAX);
    let (trace, messages) = (asking.visit.trace(), Vec::new());
    let mut gathering = Gathering { items, over, trace, messages, bytes: 0 };
    let logs = asking.session.as_ref().is_some_and(|session| session.logs.load(Relaxed));
    let telling = Telling { progress, logger: logs.then(|| method.scope()) };
    let tells = telling.progress.is_some() || telling.logger.is_some();
    if tells && takes_events(&asking.visit.head.headers) {
        return Ok(Reply::Events(events(gathering, telling, asking.id)));
    }
    loop {
        if let Step::Result(result) = gathering.step().await? {
            return Ok(Reply::Result(result));
        }
    }
}

/// Notifications, and the answer as the last one.
fn events(gathering: Gathering, telling: Telling, id: RequestId) -> Stream<Bytes> {
    let steps = stream::unfold(Some((gathering, telling)), move |state| {
        let id = id.clone();
        async move {
            let (mut gathering, telling) = state?;
            Some(match gathering.step().await {
                Ok(Step::More) => (telling.of(&gathering.messages), Some((gathering, telling))),
                Ok(Step::Result(result)) => (event(&answer(id, &result)), None),
                Err(error) => {
                    let refused = refusal::message(Some(id), &gathering.trace, &error);
                    (event(&text(&refused)), None)
                }
            })
        }
    });
    steps.map(Ok).boxed()
}

impl Telling {
    /// The events about the last message.
    fn of(&self, messages: &[Box<RawValue>]) -> Bytes {
        let last = messages.last();
        let progress = self.progress.clone().map(|token| event(&progress(token, messages)));
        let logged = self.logger.as_ref().map(|logger| {
            let params = json!({"level": "info", "logger": logger, "data": last});
            let method = "notifications/message";
            event(&text(&json!({"jsonrpc": "2.0", "method": method, "params": params})))
        });
        [progress, logged].into_iter().flatten().flatten().collect()
    }
}

/// How many messages there are, with the last one if it is short.
fn progress(token: ProgressToken, messages: &[Box<RawValue>]) -> Bytes {
    let mut progress = ProgressNotificationParam::new(token, messages.len() as f64);
    let last = messages.last().map(|message| message.get());
    if let Some(last) = last.filter(|last| last.len() <= SHOWN_MAX) {
        progress = progress.with_message(last);
    }
    let notification = ProgressNotification::new(progress);
    text(&JsonRpcNotification { jsonrpc: JsonRpcVersion2_0, notification })
}

impl Gathering {
    async fn step(&mut self) -> Result<Step> {
        if self.messages.len() >= MESSAGES_MAX || self.bytes >= BYTES_MAX {
            return self.result(false);
        }
        let next = match select(self.items.next(), &mut self.over).await {
            Either::Left((next, _)) => next,
            Either::Right(_) => return self.result(false),
        };
        match next {
            None => self.result(true),
            Some(Err(error)) => {
                let refusal = Refusal::new(&self.trace, &error).after(&self.messages);
                Ok(Step::Result(call::refusal(&refusal)?))
            }
            Some(Ok(item)) => {
                let item = item.encode(Format::Json)?;
                let item = String::from_utf8(item).map_err(Error::internal)?;
                self.bytes += item.len();
                self.messages.push(RawValue::from_string(item).map_err(Error::internal)?);
                Ok(Step::More)
            }
        }
    }

    fn result(&self, ended: bool) -> Result<Step> {
        let gathered = raw(&Gathered { messages: &self.messages, ended })?;
        Ok(Step::Result(call::result(&gathered)?))
    }
}
