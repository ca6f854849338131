//! WebSockets (RFC 6455, over HTTP/1.1): a request to a face that becomes a conversation.
//!
//! Whoever asks for one comes in by the door, as for anything else. A page in a browser cannot send a
//! token with such a request, so a face may let its visitor [sign in](Guest::sign_in) by the first
//! thing they say; and since browsers ask nobody before a page opens one, its origin is checked here.
//!
//! **Invariant:** a message is of bounded size, and one at a time is on its way out. Who does not read
//! it for as long as any reply may stand, or answers no ping, is cut off.
//!
//! **Invariant:** a node that is told to stop says so (1001) and ends the conversation.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use stoa_kit::{Code, Error, Result};
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message as Frame};

use crate::budget::Budget;
use crate::face::{Content, Visit};
use crate::guest::Guest;
use crate::rpc::tell;
use crate::stopping::told;
use crate::unwound::unwound;

/// The version of the protocol, the only one that there ever was.
const VERSION: &str = "13";
/// The largest message, where the face does not say.
const MESSAGE_MAX: usize = 64 << 10;
/// What is read at once.
const BUFFER: usize = 4 << 10;
/// How often somebody who says nothing is asked whether they are there.
const BEAT: Duration = Duration::from_secs(30);
/// What a frame that closes has room for, beside the code.
const REASON_MAX: usize = 123;
/// How long whoever was told that it is over may take to say so too.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// Something that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

/// Why a conversation ends, as its end is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The code: 1000 for the usual end, 4000 and on for what a subprotocol means by it.
    pub code: u16,
    /// A few words for people; what is beyond 123 bytes is cut off.
    pub reason: String,
}

/// A conversation that waits for HTTP to be through with its connection.
pub struct Talk(Option<Talking>);

pub(crate) type Talking = BoxFuture<'static, ()>;

impl Talk {
    pub(crate) fn take(&mut self) -> Option<Talking> {
        self.0.take()
    }
}

/// One end of a WebSocket.
pub struct Socket {
    /// Whom it is to.
    pub guest: Guest,
    /// What both speak, of what the face speaks; none where they have nothing in common.
    pub protocol: Option<&'static str>,
    stream: WebSocketStream<TokioIo<Upgraded>>,
    stopping: watch::Receiver<bool>,
    room: Arc<Budget>,
    patience: Duration,
    /// Uptime at which the other end was heard last.
    heard: Duration,
    /// Until it is looked after next.
    beat: BoxFuture<'static, ()>,
    is_over: bool,
}

/// Whether a request asks for a WebSocket.
pub fn is_wanted(headers: &HeaderMap) -> bool {
    has(headers, header::UPGRADE, "websocket")
}

impl Visit {
    /// Makes a WebSocket of the request: the answer says so, and then `talk` has the conversation. The
    /// subprotocol is the first of `protocols` that the client offers.
    ///
    /// # Errors
    /// `request.upgrade` for a request that is none for a WebSocket, `request.origin`.
    pub fn upgrade<T: Future<Output = ()> + Send + 'static>(
        mut self, protocols: &[&'static str], message_max: Option<usize>,
        talk: impl FnOnce(Socket) -> T + Send + 'static,
    ) -> Result<Response<Content>> {
        let headers = &self.head.headers;
        self.door.origins.check(headers)?;
        let key = headers.get(header::SEC_WEBSOCKET_KEY);
        let version = headers.get(header::SEC_WEBSOCKET_VERSION);
        let is_asked = self.head.method == Method::GET
            && self.head.version == Version::HTTP_11
            && is_wanted(headers)
            && has(headers, header::CONNECTION, "upgrade")
            && version.is_some_and(|version| version == VERSION);
        let (Some(key), true) = (key, is_asked) else { return Err(not_asked()) };
        let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()));
        let spoken = |name: &&&str| has(headers, header::SEC_WEBSOCKET_PROTOCOL, name);
        let protocol = protocols.iter().find(spoken).copied();
        let upgrade = self.head.extensions.remove::<OnUpgrade>().ok_or_else(not_asked)?;
        let mut answer = Response::new(Content::from(""));
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = answer.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept.map_err(Error::internal)?);
        if let Some(protocol) = protocol {
            let protocol = HeaderValue::from_static(protocol);
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        let (path, trace) = (self.head.uri.path().to_owned(), self.trace());
        let talking = async move {
            // Whoever is gone before the answer is there has nothing to say.
            let Ok(upgraded) = upgrade.await else { return Ok(()) };
            let most = message_max.unwrap_or(MESSAGE_MAX);
            talk(Socket::new(self, protocol, TokioIo::new(upgraded), most).await).await;
            Ok(())
        };
        let talking = async move {
            if let Err(error) = unwound(talking).await {
                tell(&error, &path, &trace);
            }
        };
        *answer.body_mut() = Content::Socket(Talk(Some(Box::pin(talking))));
        Ok(answer)
    }
}

impl Socket {
    async fn new(
        visit: Visit, protocol: Option<&'static str>, io: TokioIo<Upgraded>, message_max: usize,
    ) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(message_max))
            .max_frame_size(Some(message_max));
        let stream = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        let Visit { guest, door, .. } = visit;
        let world = Arc::clone(door.node().world());
        Self {
            protocol,
            stream,
            stopping: door.node().stopping.subscribe(),
            room: Arc::clone(&door.outgoing),
            patience: door.receive_max,
            heard: world.uptime(),
            beat: world.sleep(BEAT),
            is_over: false,
            guest,
        }
    }

    /// The next thing that the other end says; none once it is over, whoever ended it. Where this is
    /// not waited for to the end, nothing is lost.
    pub async fn next(&mut self) -> Option<Message> {
        while !self.is_over {
            tokio::select! {
                biased;
                () = told(&mut self.stopping) => {
                    self.close(CloseCode::Away.into(), "this node was told to stop").await;
                }
                frame = self.stream.next() => {
                    self.heard = self.guest.node().world().uptime();
                    match frame {
                        Some(Ok(Frame::Text(text))) => {
                            return Some(Message::Text(text.as_str().to_owned()));
                        }
                        Some(Ok(Frame::Binary(bytes))) => return Some(Message::Binary(bytes)),
                        Some(Ok(Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_))) => {}
                        // The answer to it leaves as what follows is read.
                        Some(Ok(Frame::Close(_))) => {}
                        Some(Err(error)) => self.fail(&error).await,
                        None => self.is_over = true,
                    }
                }
                () = &mut self.beat => self.look().await,
            }
        }
        None
    }

    /// Says something. It is sent once this is waited for.
    ///
    /// # Errors
    /// `socket.over` where it is over, or the other end does not read.
    pub async fn send(&mut self, message: Message) -> Result<()> {
        let frame = match message {
            Message::Text(text) => Frame::text(text),
            Message::Binary(bytes) => Frame::Binary(bytes),
        };
        let mut held = self.room.open(&self.guest.caller, &self.guest.visitor.network);
        held.take_anyway(frame.len());
        self.write(frame).await
    }

    /// Ends it, and says why.
    pub async fn end(mut self, close: Close) {
        self.close(close.code, &close.reason).await;
    }

    async fn write(&mut self, frame: Frame) -> Result<()> {
        if self.is_over {
            return Err(over());
        }
        let sent = tokio::select! {
            biased;
            sent = self.stream.send(frame) => sent.is_ok(),
            () = self.guest.node().world().sleep(self.patience) => false,
        };
        self.is_over = !sent;
        if sent { Ok(()) } else { Err(over()) }
    }

    /// Whether somebody is there who has not said anything for a while.
    async fn look(&mut self) {
        let world = self.guest.node().world();
        self.beat = world.sleep(BEAT);
        if world.uptime().saturating_sub(self.heard) >= 2 * BEAT {
            self.is_over = true;
        } else {
            // Where it cannot be sent, it is over.
            let _ = self.write(Frame::Ping(Bytes::new())).await;
        }
    }

    async fn fail(&mut self, error: &tungstenite::Error) {
        use tungstenite::Error as E;
        let (code, reason) = match error {
            E::Capacity(_) => (CloseCode::Size, "a message is too large"),
            E::Utf8(_) => (CloseCode::Invalid, "a text is not UTF-8"),
            E::Protocol(_) | E::AttackAttempt => (CloseCode::Protocol, "this is no WebSocket"),
            _ => {
                self.is_over = true;
                return;
            }
        };
        self.close(code.into(), reason).await;
    }

    async fn close(&mut self, code: u16, reason: &str) {
        let reason = &reason[..reason.floor_char_boundary(REASON_MAX)];
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        if self.write(Frame::Close(Some(frame))).await.is_ok() {
            let world = Arc::clone(self.guest.node().world());
            let rest = async { while let Some(Ok(_)) = self.stream.next().await {} };
            tokio::select! {
                () = rest => {}
                () = world.sleep(CLOSE_MAX) => {}
            }
        }
        self.is_over = true;
    }
}

/// Adds to what refuses a request that is none for a WebSocket how it would be one.
pub(crate) fn tell_how(error: &Error, refusal: &mut Response<Content>) {
    if error.reason() == "request.upgrade" {
        let headers = refusal.headers_mut();
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
    }
}

/// Whether a header that lists words has one.
fn has(headers: &HeaderMap, name: HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case(wanted))
}

fn not_asked() -> Error {
    let message = "this is a WebSocket, and the request asks for none";
    Error::new(Code::FailedPrecondition, "request.upgrade", message)
        .help("Open it by a GET over HTTP/1.1, as RFC 6455 says: version 13.")
}

fn over() -> Error {
    Error::unavailable("socket.over", "the other end is gone, or does not read")
}
