//! Calls of tools.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};
use rmcp::model::{ContentBlock, ProgressToken};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use stoa_contract::v1::Money;
use stoa_contract::{AnyMessage, Format, Method};
use stoa_kit::{Code, Error, Result};
use stoa_node::{Answer, Body};

use crate::head::takes_events;
use crate::message::{params, raw};
use crate::refusal::Refusal;
use crate::search::{self, Named, Query, Relayed};
use crate::serve::{Asking, Reply, no_session};
use crate::tools::Entry;
use crate::{Settings, content, elicit, gather, hints};

/// What is asked of a tool. Its arguments stay text: what is read of them is what was written, and
/// what is wrong with them the decoder of the message says.
#[derive(Deserialize)]
pub(crate) struct Params<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<Meta<'a>>,
}

/// What is said beside it. What has a header as well is the same there.
#[derive(Deserialize, Default)]
struct Meta<'a> {
    #[serde(default, rename = "progressToken")]
    progress: Option<ProgressToken>,
    #[serde(borrow, default, rename = "stoa/idempotency-key")]
    key: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "stoa/position")]
    position: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "stoa/fence")]
    fence: Option<Cow<'a, str>>,
    #[serde(default, rename = "stoa/dry-run")]
    dry_run: bool,
}

/// A call that can be made.
pub(crate) struct Call {
    pub(crate) asking: Asking,
    pub(crate) method: &'static Method,
    pub(crate) request: Box<dyn AnyMessage>,
    pub(crate) progress: Option<ProgressToken>,
}

/// The result of a call.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Called<'a> {
    content: Vec<ContentBlock>,
    structured_content: &'a RawValue,
    is_error: bool,
    #[serde(rename = "_meta", skip_serializing_if = "Told::is_empty")]
    told: Told,
}

/// What is told beside a reply.
#[derive(Serialize, Default)]
struct Told {
    #[serde(rename = "stoa/position", skip_serializing_if = "Option::is_none")]
    position: Option<String>,
    #[serde(rename = "stoa/replayed", skip_serializing_if = "std::ops::Not::not")]
    replayed: bool,
    /// What would have been written.
    #[serde(rename = "stoa/dry-run", skip_serializing_if = "Option::is_none")]
    dry_run: Option<Box<RawValue>>,
}

impl Told {
    fn of(answer: &Answer) -> Self {
        let mut headers = answer.headers();
        let mut said = |name: &str| headers.remove(name)?.to_str().ok().map(str::to_owned);
        Self {
            position: said("stoa-position"),
            replayed: answer.replayed,
            dry_run: said("stoa-dry-run").and_then(|text| RawValue::from_string(text).ok()),
        }
    }

    fn is_empty(&self) -> bool {
        self.position.is_none() && !self.replayed && self.dry_run.is_none()
    }
}

/// # Errors
/// Those of the protocol, as for a tool that is not there. What a method refuses is a result.
pub(crate) async fn call(mut asking: Asking, asked: Params<'_>) -> Result<Reply> {
    let meta = asked.meta.unwrap_or_default();
    asking.say("stoa-position", meta.position)?;
    asking.say("idempotency-key", meta.key)?;
    asking.say("stoa-fence", meta.fence)?;
    asking.say("stoa-dry-run", meta.dry_run.then_some("true".into()))?;
    let (name, arguments) = (asked.name, asked.arguments);
    match &*name {
        search::SEARCH => {
            let query: Query<'_> = params(arguments)?;
            let tools = asking.server.tools.of(asking.visit.caller(), &asking.chosen()?);
            found(&query.answer(&tools))
        }
        search::DESCRIBE => {
            let named: Named<'_> = params(arguments)?;
            let described = asking.visit.node().registry().described()?;
            let entry = asking.tool(&named.name)?;
            found(&search::describe(&named.name, entry, described)?)
        }
        search::CALL => {
            let Relayed { name, arguments, key } = params(arguments)?;
            asking.say("idempotency-key", key)?;
            let method = asking.tool(&name)?.method;
            of_method(asking, method, arguments, meta.progress).await
        }
        name => {
            let method = asking.tool(name)?.method;
            of_method(asking, method, arguments, meta.progress).await
        }
    }
}

impl Asking {
    /// Says something of the call that has a header on other faces.
    fn say(&mut self, name: &'static str, value: Option<Cow<'_, str>>) -> Result<()> {
        let Some(value) = value else { return Ok(()) };
        let value = HeaderValue::try_from(&*value).map_err(|_| {
            let message = format!("`{name}` holds what is no visible ASCII");
            Error::new(Code::InvalidArgument, "request.header", message)
                .help("Send it as it was given to you.")
        })?;
        self.visit.head.headers.insert(HeaderName::from_static(name), value);
        Ok(())
    }

    /// A tool of the services that were chosen. Whether it may be called is found out by calling it.
    pub(crate) fn tool(&self, name: &str) -> Result<&Entry> {
        let chosen = self.chosen()?;
        let tool = self.server.tools.get(name);
        let tool = tool.filter(|tool| chosen.is_empty() || chosen.contains(&tool.method.service));
        tool.ok_or_else(|| {
            let shown: String = name.chars().take(64).collect();
            let message = format!("there is no tool `{shown}`");
            Error::new(Code::Unimplemented, "node.no_such_method", message)
                .help("List the tools, or search for one, and call it by its name.")
        })
    }

    /// Takes a call of a method out of what the session may make, and its price out of what that may
    /// cost. What a trial would cost is not spent.
    ///
    /// # Errors
    /// `mcp.budget`, and `mcp.no_session` where calls are counted and there is none to count them.
    pub(crate) fn take_call(&self, method: &Method) -> Result<()> {
        let Settings { session_calls, session_money, .. } = &self.server.settings;
        let price = method.price.filter(|_| !self.is_trial());
        let cost = price.map(Money::from).zip(session_money.as_ref());
        let Some(session) = &self.session else {
            let is_counted = *session_calls > 0 || cost.is_some();
            return if is_counted { Err(no_session()) } else { Ok(()) };
        };
        session.take_call(*session_calls)?;
        cost.map_or(Ok(()), |(price, most)| session.spend(&price, most))
    }

    /// Whether it is only tried, and then undone.
    fn is_trial(&self) -> bool {
        self.visit.head.headers.get("stoa-dry-run").is_some_and(|said| said == "true")
    }
}

async fn of_method(
    asking: Asking, method: &'static Method, arguments: Option<&RawValue>,
    progress: Option<ProgressToken>,
) -> Result<Reply> {
    let text = arguments.map_or("", RawValue::get);
    // Who may not is told so before what is wrong with the arguments.
    let may = match asking.take_call(method) {
        Ok(()) => asking.visit.guest().may_call(method).await,
        over => over,
    };
    let request = may.and_then(|()| {
        let bound = asking.visit.node().registry().method(method.path);
        let bound = bound.ok_or_else(|| Error::internal("a tool of no method"))?;
        bound.decode_request(text.as_bytes(), Format::Json)
    });
    let request = match request {
        Ok(request) => request,
        Err(error) => return failed(&asking.visit.trace(), error),
    };
    let elicits = asking.session.as_ref().filter(|session| session.elicits).cloned();
    let call = Call { asking, method, request, progress };
    match elicits {
        Some(session) if call.needs_consent() => elicit::ask(&session, call, text),
        _ => call.run().await,
    }
}

/// # Errors
/// `auth.required`; everything else that goes wrong is a result.
fn failed(trace: &str, error: Error) -> Result<Reply> {
    match error.reason() {
        "auth.required" => Err(error),
        _ => refused(trace, &error),
    }
}

impl Call {
    /// Whether a person is to be asked first: where it takes something away, and is no trial.
    fn needs_consent(&self) -> bool {
        hints::takes_away(self.method)
            && !self.asking.is_trial()
            && takes_events(&self.asking.visit.head.headers)
    }

    /// # Errors
    /// `auth.required`; everything else that goes wrong is a result.
    pub(crate) async fn run(self) -> Result<Reply> {
        let Self { asking, method, request, progress } = self;
        let trace = asking.visit.trace();
        let arguments = match method.reply.has_content() {
            true => request.encode(Format::Json)?,
            false => Vec::new(),
        };
        match asking.visit.call(method, request).await {
            Ok(Answer { body: Body::Stream(items), .. }) => {
                gather::reply(asking, method, progress, items).await
            }
            Ok(answer) => replied(&asking, method, &arguments, answer),
            Err(error) => failed(&trace, error),
        }
    }
}

fn replied(
    asking: &Asking, method: &'static Method, arguments: &[u8], answer: Answer,
) -> Result<Reply> {
    let told = Told::of(&answer);
    let Body::Message(message) = answer.body else {
        return Err(Error::internal("a stream where a message was expected"));
    };
    let mut reply = message.encode(Format::Json)?;
    let mut blocks = Vec::new();
    if method.reply.has_content() {
        let mut whole = serde_json::from_slice(&reply).map_err(Error::internal)?;
        let arguments = serde_json::from_slice(arguments).map_err(Error::internal)?;
        let address = asking.server.resources.address(method, &arguments);
        blocks = content::blocks(content::take(method.reply, &mut whole), &address);
        reply = whole.to_string().into_bytes();
    }
    let text = String::from_utf8(reply).map_err(Error::internal)?;
    let reply = RawValue::from_string(text).map_err(Error::internal)?;
    Ok(Reply::Result(called(&reply, blocks, false, told)?))
}

fn found(what: &serde_json::Value) -> Result<Reply> {
    Ok(Reply::Result(result(&raw(what)?)?))
}

/// A result that is no error.
pub(crate) fn result(reply: &RawValue) -> Result<Box<RawValue>> {
    called(reply, Vec::new(), false, Told::default())
}

/// A result that is an error.
pub(crate) fn refusal(refusal: &Refusal<'_>) -> Result<Box<RawValue>> {
    called(&raw(refusal)?, Vec::new(), true, Told::default())
}

fn refused(trace: &str, error: &Error) -> Result<Reply> {
    Ok(Reply::Result(refusal(&Refusal::new(trace, error))?))
}

/// The structure comes as text too, for those who read no structure, and contents behind it.
fn called(
    structured: &RawValue, blocks: Vec<ContentBlock>, is_error: bool, told: Told,
) -> Result<Box<RawValue>> {
    let mut content = vec![ContentBlock::text(structured.get())];
    content.extend(blocks);
    raw(&Called { content, structured_content: structured, is_error, told })
}
