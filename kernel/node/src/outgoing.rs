//! Replies on their way out.
//!
//! A client that does not read keeps what it asked for in our memory. So a reply leaves in small
//! pieces, each when there is room for it, counts in a budget until the last one has left, and is
//! given up together with its connection once nothing of it moves.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use connectrpc::ConnectRpcBody;
use futures::{FutureExt, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body, Frame, SizeHint};
use stoa_kit::{Error, Result, World};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::budget::Held;
use crate::face::Content;

/// The largest piece: about a frame of HTTP/2, and whole groups of base64.
const PIECE: usize = 3 * 5_461;
/// Replies up to here are sent whatever there is room for: those of commands tell of what happened.
const SMALL: usize = 64 << 10;
/// Queries that one connection may have running or unsent.
const QUERIES: usize = 32;

/// What waits to be sent on one connection.
pub(crate) struct Wire {
    /// Each query holds a permit until its reply is sent.
    pub(crate) queries: Arc<Semaphore>,
    world: Arc<dyn World>,
    waiting: Mutex<Waiting>,
}

/// Replies that wait for the client, and since when nothing of them moved.
#[derive(Default)]
struct Waiting {
    /// Few, as many as a connection has requests: found by looking at each.
    since: Vec<(u64, Duration)>,
    last: u64,
}

impl Waiting {
    /// Something of a reply moved.
    fn moved(&mut self, id: u64, now: Duration) {
        match self.since.iter_mut().find(|(waits, _)| *waits == id) {
            Some((_, since)) => *since = now,
            None => self.since.push((id, now)),
        }
    }

    /// A reply does not wait for the client.
    fn remove(&mut self, id: u64) {
        self.since.retain(|(waits, _)| *waits != id);
    }
}

impl Wire {
    pub(crate) fn new(world: &Arc<dyn World>) -> Arc<Self> {
        let queries = Arc::new(Semaphore::new(QUERIES));
        Arc::new(Self { queries, world: Arc::clone(world), waiting: Mutex::default() })
    }

    /// Whether the client has let a reply stand for so long.
    pub(crate) fn is_stuck(&self, patience: Duration) -> bool {
        let now = self.world.uptime();
        self.waiting().since.iter().any(|(_, since)| now.saturating_sub(*since) >= patience)
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body on its way out.
pub(crate) struct Outgoing {
    pieces: VecDeque<Frame<Bytes>>,
    /// What follows the pieces, where it is not known from the start. An error of it breaks the
    /// connection off: otherwise what came so far would pass for the whole.
    rest: Option<Rest>,
    /// Whether it goes out as base64, as `application/grpc-web-text` has it.
    text: bool,
    wire: Arc<Wire>,
    id: u64,
    _held: Option<Held>,
    _query: Option<OwnedSemaphorePermit>,
}

/// Frames as they come.
pub(crate) type Rest = UnsyncBoxBody<Bytes, Error>;

/// What is to be sent: frames that are there, and those that come.
pub(crate) struct Sent(VecDeque<Frame<Bytes>>, Option<Rest>);

impl From<ConnectRpcBody> for Sent {
    fn from(mut body: ConnectRpcBody) -> Self {
        if matches!(body, ConnectRpcBody::Streaming(_)) {
            return Self(
                VecDeque::new(),
                Some(body.map_err(|never| match never {}).boxed_unsync()),
            );
        }
        let mut pieces = VecDeque::new();
        // What is there as a whole gives its frames without being waited for.
        while let Some(Some(Ok(frame))) = body.frame().now_or_never() {
            pieces.push_back(frame);
        }
        Self(pieces, None)
    }
}

impl From<Content> for Sent {
    fn from(content: Content) -> Self {
        match content {
            Content::Whole(bytes) => Self([Frame::data(bytes)].into(), None),
            // What is said from here on is no body.
            Content::Socket(_) => Self(VecDeque::new(), None),
            Content::Stream(bytes) => {
                let frames = bytes.map(|bytes| bytes.map(Frame::data));
                Self(VecDeque::new(), Some(StreamBody::new(frames).boxed_unsync()))
            }
        }
    }
}

impl Outgoing {
    /// A body that takes no room worth counting: a refusal, a page of health or of metrics.
    pub(crate) fn plain(body: impl Into<Sent>, text: bool, wire: &Arc<Wire>) -> Self {
        Self::new(body, text, wire, None, None)
    }

    /// The reply of a call. That of a query, which holds a permit, can be asked for again.
    ///
    /// # Errors
    /// `node.crowded` for a large reply of a query when there is no room for it.
    pub(crate) fn reply(
        body: impl Into<Sent>, text: bool, wire: &Arc<Wire>, mut held: Held,
        query: Option<OwnedSemaphorePermit>,
    ) -> Result<Self> {
        let refusable = query.is_some();
        let mut reply = Self::new(body, text, wire, None, query);
        let size = reply.pieces.iter().filter_map(Frame::data_ref).map(Bytes::len).sum();
        match size > SMALL && refusable {
            true => held.take(size)?,
            false => held.take_anyway(size),
        }
        reply._held = Some(held);
        Ok(reply)
    }

    fn new(
        body: impl Into<Sent>, text: bool, wire: &Arc<Wire>, held: Option<Held>,
        query: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let Sent(pieces, rest) = body.into();
        let mut waiting = wire.waiting();
        waiting.last += 1;
        let id = waiting.last;
        if rest.is_none() {
            waiting.since.push((id, wire.world.uptime()));
        }
        drop(waiting);
        Self { pieces, rest, text, wire: Arc::clone(wire), id, _held: held, _query: query }
    }

    /// The next piece of what is here.
    fn piece(&mut self) -> Option<Frame<Bytes>> {
        let frame = match self.pieces.pop_front()?.into_data() {
            Ok(mut data) => {
                if data.len() > PIECE {
                    let piece = data.split_to(PIECE);
                    self.pieces.push_front(Frame::data(data));
                    data = piece;
                }
                Frame::data(if self.text { BASE64.encode(&data).into() } else { data })
            }
            Err(trailers) => trailers,
        };
        if !self.is_end_stream() {
            self.wire.waiting().moved(self.id, self.wire.world.uptime());
        }
        Some(frame)
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>, context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        if self.pieces.is_empty()
            && let Some(rest) = &mut self.rest
        {
            match Pin::new(rest).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => self.pieces.push_back(frame),
                Poll::Ready(None) => self.rest = None,
                Poll::Ready(Some(Err(error))) => {
                    self.rest = None;
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Pending => {
                    // It is not the client that is waited for.
                    self.wire.waiting().remove(self.id);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(self.piece().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        // Trailers have no length, and a body of known length has none of them.
        let known = self.pieces.iter().map(|piece| piece.data_ref().map(Bytes::len));
        match known.sum::<Option<usize>>() {
            Some(size) if self.rest.is_none() && !self.text => SizeHint::with_exact(size as u64),
            _ => SizeHint::default(),
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.wire.waiting().remove(self.id);
    }
}
