//! What is answered to a message, by its method.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use rmcp::model::{
    ElicitationCapability, Implementation, InitializeRequestParams, InitializeResult, JsonObject,
    PromptsCapability, RequestId, ResourcesCapability, ServerCapabilities, ToolsCapability,
};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use stoa_kit::{Code, Error, Registry, Result, Stream};
use stoa_node::{Content, Visit};

use crate::head::REVISIONS;
use crate::message::{self, Incoming, params, raw};
use crate::resources::Resources;
use crate::session::{self, Session, Sessions};
use crate::tools::Tools;
use crate::{Settings, call, complete, prompts, refusal, subscribe};

const INSTRUCTIONS: &str = "Each tool is a method of a service. A result with `isError` says in \
    `reason` what went wrong, in `violations` which arguments, and in `next` what to do. Amounts of \
    money are integers in the minor unit of their currency; integers of 64 bits are texts. Lists come \
    in pages: ask again with `pageToken` as `nextPageToken` said. A call whose answer was lost can be \
    sent again with the same idempotency key, by the `_meta` key `stoa/idempotency-key`, by the header \
    `Idempotency-Key`, or as `idempotencyKey` of `call_tool`: it happens once.";

/// How much is logged: all that is behind the one that is set.
const LEVELS: [&str; 8] =
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// What is asked of `logging/setLevel`.
#[derive(Deserialize)]
struct Level<'a> {
    #[serde(borrow)]
    level: Cow<'a, str>,
}

/// What the face has of a node, and what it remembers.
pub(crate) struct Server {
    pub(crate) tools: Tools,
    pub(crate) resources: Resources,
    sessions: Sessions,
    pub(crate) settings: Settings,
}

/// A request that was let in and could be read.
pub(crate) struct Asking {
    pub(crate) server: Arc<Server>,
    pub(crate) visit: Visit,
    pub(crate) session: Option<Arc<Session>>,
    pub(crate) id: RequestId,
}

/// What a request comes to.
pub(crate) enum Reply {
    /// A result.
    Result(Box<RawValue>),
    /// A result, with which a session begins.
    Begun(Box<RawValue>, String),
    /// Events, of which the last one is the answer.
    Events(Stream<Bytes>),
}

impl Server {
    pub(crate) fn new(registry: &Registry, settings: Settings) -> Self {
        let contracts = registry.services().iter().filter_map(|service| service.contract);
        let (tools, resources) = (Tools::new(contracts.clone()), Resources::new(contracts));
        Self { tools, resources, sessions: Sessions::new(), settings }
    }

    /// # Errors
    /// What is wrong with more than what was asked: who asks, or a message that cannot be read.
    pub(crate) async fn answer(self: Arc<Self>, visit: Visit) -> Result<Response<Content>> {
        if visit.head.method == Method::DELETE {
            self.sessions.end(&visit.head.headers, visit.caller())?;
            return plain(StatusCode::NO_CONTENT);
        }
        let session = self.sessions.named(&visit.head.headers, visit.caller())?;
        if visit.head.method == Method::GET {
            let session = session.ok_or_else(no_session)?;
            let told = subscribe::listen(session, visit.guest().clone());
            return typed("text/event-stream", Content::Stream(told));
        }
        let body = visit.body.clone();
        let (id, method, params) = match message::read(&body)? {
            Incoming::Request { id, method, params } => (id, method, params),
            Incoming::Notification => return plain(StatusCode::ACCEPTED),
            Incoming::Answer { id, result } => {
                let answer = result.map(|result| message::params(Some(result))).transpose();
                if let Some(session) = session {
                    session.answered(&id, answer?);
                }
                return plain(StatusCode::ACCEPTED);
            }
        };
        let trace = visit.trace();
        let asking = Asking { server: self, visit, session, id: id.clone() };
        match asking.ask(&method, params).await {
            Ok(reply) => respond(id, reply),
            // Who has to sign in first is told so by HTTP.
            Err(error) if error.reason() == "auth.required" => Err(error),
            Err(error) => whole(message::text(&refusal::message(Some(id), &trace, &error))),
        }
    }
}

impl Asking {
    async fn ask(self, method: &str, given: Option<&RawValue>) -> Result<Reply> {
        let (server, visit) = (Arc::clone(&self.server), &self.visit);
        let caller = visit.caller();
        match method {
            "initialize" => self.initialize(&params(given)?),
            "ping" => Ok(Reply::Result(raw(&json!({}))?)),
            "tools/list" => {
                let described = visit.node().registry().described()?;
                let chosen = self.chosen()?;
                let list = server.tools.list(described, caller, &chosen, &params(given)?)?;
                Ok(Reply::Result(raw(&list)?))
            }
            "tools/call" => call::call(self, params(given)?).await,
            "resources/list" => {
                let list = server.resources.list(caller, &self.chosen()?, &params(given)?)?;
                Ok(Reply::Result(raw(&list)?))
            }
            "resources/templates/list" => {
                let list = server.resources.templates(caller, &self.chosen()?, &params(given)?)?;
                Ok(Reply::Result(raw(&list)?))
            }
            "resources/read" => server.resources.read(&self, params(given)?).await,
            "resources/subscribe" => subscribe::subscribe(&self, params(given)?).await,
            "resources/unsubscribe" => subscribe::unsubscribe(&self, &params(given)?),
            "prompts/list" => prompts::list(&self, &params(given)?),
            "prompts/get" => prompts::get(&self, params(given)?).await,
            "completion/complete" => complete::complete(&self, params(given)?).await,
            "logging/setLevel" => self.set_level(&params(given)?),
            _ => {
                let shown: String = method.chars().take(64).collect();
                let message = format!("`{shown}` is asked for in vain");
                Err(Error::new(Code::Unimplemented, "mcp.method", message)
                    .help("Ask for what the capabilities of `initialize` name."))
            }
        }
    }

    fn initialize(&self, asked: &InitializeRequestParams) -> Result<Reply> {
        let [newest, older] = REVISIONS;
        let revision = if asked.protocol_version == older { older } else { newest };
        let mut capabilities = ServerCapabilities::default();
        capabilities.tools = Some(ToolsCapability::default());
        let mut resources = ResourcesCapability::default();
        resources.subscribe = Some(true);
        capabilities.resources = Some(resources);
        capabilities.prompts = Some(PromptsCapability::default());
        capabilities.completions = Some(JsonObject::new());
        capabilities.logging = Some(JsonObject::new());
        let us = Implementation::new("stoa", env!("CARGO_PKG_VERSION")).with_title("Stoa");
        let result = InitializeResult::new(capabilities)
            .with_protocol_version(revision)
            .with_server_info(us)
            .with_instructions(INSTRUCTIONS);
        let elicits = asked.capabilities.elicitation.as_ref().is_some_and(asks_by_form);
        let (world, caller) = (self.visit.node().world(), self.visit.caller());
        let session = self.server.sessions.begin(world.as_ref(), caller, elicits);
        Ok(Reply::Begun(raw(&result)?, session))
    }

    /// Has what comes of a stream logged, or not.
    fn set_level(&self, asked: &Level<'_>) -> Result<Reply> {
        let place = LEVELS.iter().position(|level| **level == *asked.level).ok_or_else(|| {
            let message = format!("`level` is one of {}", LEVELS.join(", "));
            Error::new(Code::InvalidArgument, "mcp.params", message)
                .help("Send the parameters that the protocol names for this method.")
        })?;
        let logs = LEVELS[place..].contains(&"info");
        self.session()?.logs.store(logs, Relaxed);
        Ok(Reply::Result(raw(&json!({}))?))
    }

    /// The session that the request is of.
    ///
    /// # Errors
    /// `mcp.no_session`.
    pub(crate) fn session(&self) -> Result<&Arc<Session>> {
        self.session.as_ref().ok_or_else(no_session)
    }

    /// The services that the address chooses, `?services=ledger,orders`; none where it chooses none.
    ///
    /// # Errors
    /// `resource.not_found` for one that is not here.
    pub(crate) fn chosen(&self) -> Result<Vec<&str>> {
        let query = self.visit.head.uri.query().unwrap_or_default();
        let named = query.split('&').filter_map(|pair| pair.strip_prefix("services="));
        let names = named.flat_map(|names| names.split([',', '+'])).filter(|name| !name.is_empty());
        let names: Vec<&str> = names.collect();
        let services = self.visit.node().registry().services();
        let known = |name: &str| {
            let mut contracts = services.iter().filter_map(|service| service.contract);
            contracts.any(|contract| contract.name == name)
        };
        for name in &names {
            if !known(name) {
                return Err(Error::not_found("service", name));
            }
        }
        Ok(names)
    }
}

pub(crate) fn no_session() -> Error {
    let message = "this is remembered by session, or counted by it";
    Error::new(Code::FailedPrecondition, "mcp.no_session", message)
        .help("Begin with `initialize`, and send `Mcp-Session-Id` with each message.")
}

/// One that says nothing of how it asks does so by a form: there was no other way once.
fn asks_by_form(capability: &ElicitationCapability) -> bool {
    capability.form.is_some() || capability.url.is_none()
}

fn respond(id: RequestId, reply: Reply) -> Result<Response<Content>> {
    match reply {
        Reply::Result(result) => whole(message::answer(id, &result)),
        Reply::Begun(result, session) => {
            let mut response = whole(message::answer(id, &result))?;
            let session = HeaderValue::try_from(session).map_err(Error::internal)?;
            response.headers_mut().insert(session::HEADER, session);
            Ok(response)
        }
        Reply::Events(events) => typed("text/event-stream", Content::Stream(events)),
    }
}

fn whole(text: Bytes) -> Result<Response<Content>> {
    typed("application/json", Content::Whole(text))
}

fn typed(kind: &'static str, content: Content) -> Result<Response<Content>> {
    Response::builder()
        .header(header::CONTENT_TYPE, kind)
        .header(header::CACHE_CONTROL, "no-store")
        .body(content)
        .map_err(Error::internal)
}

fn plain(status: StatusCode) -> Result<Response<Content>> {
    Response::builder().status(status).body(Content::from("")).map_err(Error::internal)
}
