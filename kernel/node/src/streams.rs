//! Streams over WebSocket: a method that takes a stream, on its own path, for whoever cannot send one
//! otherwise, as no page in a browser can. `docs/spec/streams.md` says what is said.
//!
//! Each message of the WebSocket is one of the stream. What is not taken yet lies here, few messages
//! and counted; while there are so many, nothing more is read. That one was taken is told, so that
//! whoever sends no more than lie here is always heard, also when they go away.
//!
//! **Invariant:** the effect runs within the conversation: it ends with it, wherever it waits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, header};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use stoa_contract::{AnyMessage, Code, Format, Method, Permission};
use stoa_kit::registry::no_such_method;
use stoa_kit::{Error, Registry, Result, Stream};
use tokio::sync::mpsc;

use crate::budget::{Budget, Held};
use crate::call::{Answer, Body, Conversation};
use crate::door::largest;
use crate::face::{Asked, Content, Face, Visit};
use crate::guest::Guest;
use crate::refusal::{shown, status, too_large, too_slow, truncated};
use crate::rpc::{decoded, late, tell};
use crate::socket::{self, Close, Message, Socket};
use crate::spoken;

/// What is spoken: messages as JSON in texts, or as protobuf in bytes.
const PROTOCOLS: [&str; 2] = ["stoa.stream.v1", "stoa.stream.v1.proto"];
/// Messages that lie here until the effect takes them.
const WAITING_MAX: usize = 4;

/// Streams over WebSocket, as a face.
pub(crate) struct Streams(pub(crate) Arc<Registry>);

/// Whether a request asks for one.
pub(crate) fn is_asked(registry: &Registry, path: &str, headers: &HeaderMap) -> bool {
    socket::is_wanted(headers) && at(registry, path).is_some()
}

/// The method that takes a stream on a path.
fn at(registry: &Registry, path: &str) -> Option<&'static Method> {
    let method = registry.method(path.strip_prefix('/')?)?.method;
    let is_shown = method.permission != Permission::Internal;
    (method.takes_stream.is_some() && is_shown).then_some(method)
}

impl Face for Streams {
    fn name(&self) -> &str {
        "streams"
    }

    fn prefixes(&self) -> Vec<String> {
        Vec::new()
    }

    fn asked(&self, _: &Parts) -> Result<Asked> {
        // Who may is asked when it begins: they may sign in before.
        Ok(Asked { method: None, body_max: None })
    }

    fn answer(&self, visit: Visit) -> BoxFuture<'static, Result<Response<Content>>> {
        let path = visit.head.uri.path();
        let method = at(&self.0, path).ok_or_else(|| no_such_method(path));
        async move {
            let method = method?;
            let (headers, trace) = (visit.head.headers.clone(), visit.trace());
            let (incoming, patience) = (Arc::clone(&visit.door.incoming), visit.door.receive_max);
            let most = largest(visit.caller());
            let terms = Terms { method, headers, incoming, patience, most };
            visit.upgrade(&PROTOCOLS, Some(most), move |socket| async move {
                let mut talk = Talk::new(socket, terms);
                let ended = talk.run().await;
                if let Err(error) = &ended {
                    tell(error, method.path, &trace);
                }
                talk.end(ended).await;
            })
        }
        .boxed()
    }

    fn refuse(&self, _: &str, _: &str, error: &Error) -> Response<Content> {
        let mut refusal = Response::new(Content::from(shown(error).to_string()));
        *refusal.status_mut() = status(error);
        let json = HeaderValue::from_static("application/json");
        refusal.headers_mut().insert(header::CONTENT_TYPE, json);
        refusal
    }
}

/// What a client says in a text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said<'a> {
    r#type: &'a str,
    authorization: Option<String>,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
}

/// What a conversation is held by.
struct Terms {
    method: &'static Method,
    headers: HeaderMap,
    incoming: Arc<Budget>,
    /// How long somebody may take for a message that is waited for.
    patience: Duration,
    /// The largest message.
    most: usize,
}

/// A conversation.
struct Talk {
    socket: Socket,
    terms: Terms,
    format: Format,
    /// What lies here.
    waiting: VecDeque<Bytes>,
    /// Whether all was said.
    is_all: bool,
    /// The room that it takes, and what the effect has in hand of it.
    held: Held,
    in_hand: usize,
}

/// How the effect is handed messages.
struct Hands {
    /// Told whenever it asks for one.
    asks: mpsc::UnboundedReceiver<()>,
    gives: mpsc::UnboundedSender<Bytes>,
    /// Whether it waits for one, and until when.
    late: Option<BoxFuture<'static, ()>>,
}

impl Talk {
    fn new(socket: Socket, terms: Terms) -> Self {
        let format = match socket.protocol {
            Some(protocol) if protocol == PROTOCOLS[1] => Format::Binary,
            _ => Format::Json,
        };
        let held = terms.incoming.open(&socket.guest.caller, &socket.guest.visitor.network);
        let (waiting, is_all, in_hand) = (VecDeque::new(), false, 0);
        Self { socket, terms, format, waiting, is_all, held, in_hand }
    }

    /// Has it; whether there is somebody to tell how it ended.
    async fn run(&mut self) -> Result<()> {
        self.open().await?;
        let method = self.terms.method;
        self.socket.guest.enter(Some(method)).await?;
        let guest = Arc::new(self.socket.guest.clone());
        let world = Arc::clone(guest.node().world());
        let left = spoken::deadline(&self.terms.headers);
        let deadline = left.map(|left| world.uptime() + left);
        let (asking, asks) = mpsc::unbounded_channel();
        let (gives, given) = mpsc::unbounded_channel();
        let requests = decoded(&guest, method, handed(asking, given), self.format);
        let call = guest.asks(method.path.to_owned(), &self.terms.headers, requests)?;
        let call = Conversation { deadline, ..call };
        let hands = Hands { asks, gives, late: None };
        tokio::select! {
            biased;
            ended = self.converse(&guest, call, hands) => ended,
            error = late(guest.node(), left) => Err(error),
        }
    }

    /// Waits for the first message; whoever is nobody yet may sign in before.
    async fn open(&mut self) -> Result<()> {
        let world = Arc::clone(self.socket.guest.node().world());
        let mut late = world.sleep(self.terms.patience);
        while self.waiting.is_empty() && !self.is_all {
            tokio::select! {
                biased;
                said = self.socket.next() => self.hear(said.ok_or_else(truncated)?, true).await?,
                () = &mut late => return Err(too_slow()),
            }
        }
        Ok(())
    }

    async fn converse(
        &mut self, guest: &Arc<Guest>, call: Conversation, mut hands: Hands,
    ) -> Result<()> {
        let method = self.terms.method;
        let mut answering = guest.converse(method, call).boxed();
        let mut replies: Option<Stream<Box<dyn AnyMessage>>> = None;
        loop {
            let may_read = self.waiting.len() < WAITING_MAX;
            tokio::select! {
                biased;
                said = self.socket.next(), if may_read => {
                    self.hear(said.ok_or_else(truncated)?, false).await?;
                    self.hand(&mut hands).await?;
                }
                Some(()) = hands.asks.recv() => {
                    self.held.give_back(std::mem::take(&mut self.in_hand));
                    hands.late = Some(match method.streams {
                        // In a conversation either side may be silent.
                        true => futures::future::pending().boxed(),
                        false => guest.node().world().sleep(self.terms.patience),
                    });
                    self.hand(&mut hands).await?;
                }
                answer = &mut answering, if replies.is_none() => match answer? {
                    Answer { body: Body::Stream(items), .. } => replies = Some(items),
                    Answer { body: Body::Message(reply), .. } => return self.reply(&*reply).await,
                },
                reply = next(&mut replies), if replies.is_some() => match reply {
                    Some(reply) => self.reply(&*reply?).await?,
                    None => return Ok(()),
                },
                () = waited(&mut hands.late), if hands.late.is_some() => return Err(too_slow()),
            }
        }
    }

    /// Hands the effect what it waits for, if that is there.
    async fn hand(&mut self, hands: &mut Hands) -> Result<()> {
        if hands.late.is_none() {
            return Ok(());
        }
        if let Some(message) = self.waiting.pop_front() {
            hands.late = None;
            self.in_hand = message.len();
            // An effect that is done takes nothing more.
            let _ = hands.gives.send(message);
            self.say(json!({"type": "taken"}).to_string()).await?;
        } else if self.is_all {
            hands.late = None;
            let (closed, _) = mpsc::unbounded_channel();
            hands.gives = closed;
        }
        Ok(())
    }

    async fn hear(&mut self, message: Message, is_first: bool) -> Result<()> {
        let text = match (message, self.format) {
            (Message::Binary(message), Format::Binary) => return self.take(message),
            (Message::Binary(_), _) => return Err(malformed("what is said here is JSON, as text")),
            (Message::Text(text), _) => text,
        };
        let said: Said<'_> = serde_json::from_str(&text)
            .map_err(|error| malformed(&format!("this is not understood: {error}")))?;
        match (said.r#type, said.authorization, said.request) {
            ("sign_in", Some(authorization), None) if is_first => {
                self.socket.guest.sign_in(&authorization).await?;
                let Guest { caller, visitor, .. } = &self.socket.guest;
                self.held = self.terms.incoming.open(caller, &visitor.network);
                self.say(json!({"type": "signed_in"}).to_string()).await
            }
            ("request", None, Some(request)) if self.format == Format::Json => {
                self.take(Bytes::copy_from_slice(request.get().as_bytes()))
            }
            ("end", None, None) if !self.is_all => {
                self.is_all = true;
                Ok(())
            }
            _ => Err(malformed("this is not said here, or not now")),
        }
    }

    /// Takes in a message of the stream.
    fn take(&mut self, message: Bytes) -> Result<()> {
        if self.is_all {
            return Err(malformed("all was said"));
        }
        if message.len() > self.terms.most {
            return Err(too_large(self.terms.most));
        }
        self.held.take(message.len())?;
        self.waiting.push_back(message);
        Ok(())
    }

    async fn reply(&mut self, reply: &dyn AnyMessage) -> Result<()> {
        let reply = reply.encode(self.format)?;
        match self.format {
            Format::Binary => self.socket.send(Message::Binary(reply.into())).await,
            Format::Json => {
                let reply = std::str::from_utf8(&reply).map_err(Error::internal)?;
                self.say(format!(r#"{{"type":"reply","reply":{reply}}}"#)).await
            }
        }
    }

    async fn say(&mut self, text: String) -> Result<()> {
        self.socket.send(Message::Text(text)).await
    }

    /// Tells how it ended. Whoever is gone is not told.
    async fn end(mut self, ended: Result<()>) {
        let (said, close) = match &ended {
            Ok(()) => (json!({"type": "end"}), Close { code: 1_000, reason: String::new() }),
            Err(error) => {
                let reason = error.reason().to_owned();
                // The effect may hear sooner than the socket that the node stops.
                let code = if reason == "node.stopping" { 1_001 } else { 4_000 };
                (json!({"type": "error", "error": shown(error)}), Close { code, reason })
            }
        };
        if self.say(said.to_string()).await.is_ok() {
            self.socket.end(close).await;
        }
    }
}

/// The messages that an effect is handed, for each of which it asks.
fn handed(asks: mpsc::UnboundedSender<()>, given: mpsc::UnboundedReceiver<Bytes>) -> Stream<Bytes> {
    let steps = futures::stream::unfold((asks, given), |(asks, mut given)| async move {
        // Whoever does not hear it hands nothing either.
        let _ = asks.send(());
        let message = given.recv().await?;
        Some((Ok(message), (asks, given)))
    });
    steps.boxed()
}

async fn next(
    replies: &mut Option<Stream<Box<dyn AnyMessage>>>,
) -> Option<Result<Box<dyn AnyMessage>>> {
    replies.as_mut()?.next().await
}

async fn waited(late: &mut Option<BoxFuture<'static, ()>>) {
    match late {
        Some(late) => late.await,
        None => std::future::pending().await,
    }
}

fn malformed(message: &str) -> Error {
    Error::new(Code::InvalidArgument, "json.malformed", message.to_owned())
        .help("Say what docs/spec/streams.md shows.")
}
