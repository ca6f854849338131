//! GraphQL over WebSocket: the protocol `graphql-transport-ws`, as the client `graphql-ws` speaks it.
//!
//! Whoever could send no token with the request signs in by the first message: `connection_init` with
//! `{"authorization": "Bearer …"}`. Each `subscribe` is let in like a request of its own.
//!
//! **Invariant:** what runs on one connection is bounded, and is dropped with it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{AbortHandle, BoxFuture};
use futures::stream::{Abortable, BoxStream, SelectAll};
use futures::{FutureExt as _, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use stoa_kit::{Result, Stream};
use stoa_node::Guest;
use stoa_node::socket::{Close, Message, Socket};

use crate::Inner;
use crate::answer::Response;
use crate::asker::Asker;
use crate::request;
use crate::said::{Said, too_much};

/// The name of the protocol.
pub(crate) const PROTOCOL: &str = "graphql-transport-ws";
/// The largest message.
pub(crate) const MESSAGE_MAX: usize = 256 << 10;
/// How long somebody may be there without saying who they are.
const INIT_MAX: Duration = Duration::from_secs(10);
/// Questions that are at work on one connection: a page has many that it watches.
const AT_ONCE_MAX: usize = 100;
/// The longest name that a client may give to a question.
const ID_MAX: usize = 128;

/// What a client says.
#[derive(Deserialize)]
struct Heard {
    r#type: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    payload: Json,
}

/// What a client is told.
#[derive(Serialize)]
struct Told<'a, T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<T>,
}

/// What came of a question.
enum Event {
    Next(Response),
    Refused(Vec<Said>),
    Complete,
}

/// A connection.
struct Talk {
    inner: Arc<Inner>,
    socket: Socket,
    /// The trace that it belongs to; empty where there is none.
    trace: String,
    is_local: bool,
    /// Whether it was acknowledged.
    begun: bool,
    running: HashMap<String, AbortHandle>,
    events: SelectAll<BoxStream<'static, (String, Event)>>,
}

/// Talks to a client until either has enough.
pub(crate) async fn talk(inner: Arc<Inner>, socket: Socket, trace: String, is_local: bool) {
    let known = socket.protocol.is_some();
    let mut talk = Talk {
        inner,
        socket,
        trace,
        is_local,
        begun: false,
        running: HashMap::new(),
        events: SelectAll::new(),
    };
    let close = match known {
        true => talk.run().await,
        false => Some(close(4406, "Subprotocol not acceptable")),
    };
    if let Some(close) = close {
        talk.socket.end(close).await;
    }
}

fn close(code: u16, reason: impl Into<String>) -> Close {
    Close { code, reason: reason.into() }
}

impl Talk {
    /// Talks; why it ends, where that is not the client's doing.
    async fn run(&mut self) -> Option<Close> {
        let mut late: BoxFuture<'static, ()> =
            self.socket.guest.node().world().sleep(INIT_MAX).boxed();
        loop {
            futures::select_biased! {
                heard = self.socket.next().fuse() => {
                    if let Err(close) = self.hear(heard?).await {
                        return Some(close);
                    }
                }
                event = self.events.select_next_some() => {
                    let (id, event) = event;
                    self.tell(&id, event).await.ok()?;
                }
                () = (&mut late).fuse() => {
                    if !self.begun {
                        return Some(close(4408, "Connection initialisation timeout"));
                    }
                    late = futures::future::pending().boxed();
                }
            }
        }
    }

    async fn hear(&mut self, message: Message) -> Result<(), Close> {
        let Message::Text(text) = message else { return Err(close(4400, "Invalid message")) };
        let heard: Heard = serde_json::from_str(&text)
            .map_err(|error| close(4400, format!("Invalid message: {error}")))?;
        match heard.r#type.as_str() {
            "connection_init" => self.init(&heard.payload).await,
            "ping" => self.say::<()>(None, "pong", None).await,
            "pong" => Ok(()),
            "subscribe" => match heard.id {
                Some(id) if !id.is_empty() && id.len() <= ID_MAX => {
                    self.subscribe(id, heard.payload).await
                }
                _ => Err(close(4400, "Invalid message: no id, or a long one")),
            },
            "complete" => {
                if let Some(running) = heard.id.and_then(|id| self.running.remove(&id)) {
                    running.abort();
                }
                Ok(())
            }
            _ => Err(close(4400, "Invalid message: no such type")),
        }
    }

    async fn init(&mut self, payload: &Json) -> Result<(), Close> {
        if self.begun {
            return Err(close(4429, "Too many initialisation requests"));
        }
        let token = ["authorization", "Authorization"].iter().find_map(|name| payload.get(name));
        if let Some(token) = token {
            let signed_in = self.socket.guest.sign_in(token.as_str().unwrap_or_default()).await;
            signed_in.map_err(|error| close(4403, error.to_string()))?;
        }
        self.begun = true;
        self.say::<()>(None, "connection_ack", None).await
    }

    async fn subscribe(&mut self, id: String, payload: Json) -> Result<(), Close> {
        if !self.begun {
            return Err(close(4401, "Unauthorized"));
        }
        if self.running.contains_key(&id) {
            return Err(close(4409, format!("Subscriber for {id} already exists")));
        }
        let answered = self.enter().await.and_then(|guest| Ok((guest, request::of_json(payload)?)));
        let asker = |guest| {
            Asker::on_socket(guest, self.trace.clone(), self.is_local, self.inner.introspection)
        };
        let (guest, request) = match answered {
            Ok((guest, request)) => (guest, request),
            Err(error) => {
                let said = asker(self.socket.guest.clone()).said(&error);
                return self.say(Some(&id), "error", Some(said)).await;
            }
        };
        let (inner, asker) = (Arc::clone(&self.inner), asker(guest));
        let asked = async move { events(inner.responses(asker, request).await) };
        let (abort, registration) = AbortHandle::new_pair();
        let name = id.clone();
        let told = asked.flatten_stream().map(move |event| (name.clone(), event));
        self.events.push(Abortable::new(told, registration).boxed());
        self.running.insert(id, abort);
        Ok(())
    }

    /// Lets the client in once more, to ask one thing more.
    async fn enter(&mut self) -> Result<Guest> {
        if self.running.len() >= AT_ONCE_MAX {
            return Err(too_much(format!("{AT_ONCE_MAX} questions are at work already")));
        }
        self.socket.guest.enter(None).await?;
        Ok(self.socket.guest.clone())
    }

    async fn tell(&mut self, id: &str, event: Event) -> Result<(), Close> {
        // What was to be no more may have been on its way.
        if !self.running.contains_key(id) {
            return Ok(());
        }
        match event {
            Event::Next(response) => self.say(Some(id), "next", Some(response)).await,
            Event::Refused(said) => {
                self.running.remove(id);
                self.say(Some(id), "error", Some(said)).await
            }
            Event::Complete => {
                self.running.remove(id);
                self.say::<()>(Some(id), "complete", None).await
            }
        }
    }

    async fn say<T: Serialize>(
        &mut self, id: Option<&str>, kind: &'static str, payload: Option<T>,
    ) -> Result<(), Close> {
        let told = serde_json::to_string(&Told { id, r#type: kind, payload });
        let told = told.map_err(|_| close(4500, "Internal server error"))?;
        let sent = self.socket.send(Message::Text(told)).await;
        sent.map_err(|error| close(4500, error.to_string()))
    }
}

/// What comes of a question, to its end. One that was refused has said all.
fn events(responses: Result<Stream<Response>, Vec<Said>>) -> BoxStream<'static, Event> {
    match responses {
        Err(said) => futures::stream::iter([Event::Refused(said)]).boxed(),
        Ok(responses) => {
            let next = responses.filter_map(async |response| response.ok().map(Event::Next));
            next.chain(futures::stream::iter([Event::Complete])).boxed()
        }
    }
}
