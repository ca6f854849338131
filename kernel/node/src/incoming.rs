//! Requests that come as a stream, on their way in.
//!
//! Nothing of one is taken before somebody asks for it, and what was taken counts in the budget of
//! bytes until they ask for the next. A message that has begun has as long to arrive as a request
//! that comes alone. Until the next one begins there is as much time again, unless the method
//! answers with a stream: in a conversation either side may be silent.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use connectrpc::{ConnectError, ErrorCode};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use stoa_contract::{Code, Error};
use stoa_kit::{Result, Stream, World};

use crate::budget::Held;
use crate::door::{Coming, DISCARD_MAX};
use crate::refusal::{too_large, too_slow, truncated};

/// What has as long to arrive as one message, where there are no messages.
const PIECE: usize = 64 << 10;
/// What stands before each message of a stream: flags, and how many bytes follow.
const PREFIX: usize = 5;

/// What whoever takes a stream in shares with whoever works on it.
pub(crate) struct Flow {
    held: Mutex<Held>,
    refused: Mutex<Option<Error>>,
    largest: usize,
}

impl Flow {
    pub(crate) fn new(held: Held, largest: usize) -> Arc<Self> {
        Arc::new(Self { held: Mutex::new(held), refused: Mutex::default(), largest })
    }

    fn take(&self, amount: usize) -> Result<()> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).take(amount)
    }

    fn give_back(&self, amount: usize) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).give_back(amount);
    }

    fn refused(&self) -> std::sync::MutexGuard<'_, Option<Error>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why a stream ended before its end: what it was refused with here, or what RPC says.
    fn why(&self, error: &ConnectError) -> Error {
        let here = self.refused().clone();
        here.unwrap_or_else(|| match error.code {
            ErrorCode::ResourceExhausted => too_large(self.largest),
            ErrorCode::Internal => truncated(),
            _ => {
                let message = "a stream is messages, each with its length before it";
                Error::new(Code::InvalidArgument, "protobuf.malformed", message)
                    .help("Frame messages as Connect or gRPC do, without compressing them.")
            }
        })
    }

    /// The messages of a stream, as they were sent. What one takes is held until the next is asked for.
    pub(crate) fn messages(
        self: &Arc<Self>, coming: connectrpc::dispatcher::RequestStream,
    ) -> Stream<Bytes> {
        let flow = Arc::clone(self);
        let coming = coming.map(move |message| message.map_err(|error| flow.why(&error)));
        self.counted(coming.boxed(), PREFIX)
    }

    /// The bytes of a body, as they come.
    pub(crate) fn bytes<B: Coming>(self: &Arc<Self>, body: Incoming<B>) -> Stream<Bytes> {
        let pieces = futures::stream::unfold(body, |mut body| async {
            let frame = body.frame().await?;
            Some((frame.map(|frame| frame.into_data().unwrap_or_default()), body))
        });
        self.counted(pieces.boxed(), 0)
    }

    /// Gives the room of each piece, and of what stood before it, back once the next is asked for.
    fn counted(self: &Arc<Self>, pieces: Stream<Bytes>, before: usize) -> Stream<Bytes> {
        let state = (pieces, Arc::clone(self), 0);
        let steps = futures::stream::unfold(state, move |(mut pieces, flow, taken)| async move {
            flow.give_back(taken);
            let piece = pieces.next().await?;
            let taken = piece.as_ref().map_or(0, |piece| before + piece.len());
            Some((piece, (pieces, flow, taken)))
        });
        steps.boxed()
    }
}

/// What a stream consists of, and how much of it may come.
pub(crate) enum Measure {
    /// Messages of RPC, each of bounded size.
    Messages {
        /// Of the message that is coming: what has come of what stands before it, and what is to
        /// come of itself.
        prefix: Vec<u8>,
        left: usize,
    },
    /// Bytes, of bounded number.
    Bytes { left: usize },
}

impl Measure {
    pub(crate) const MESSAGES: Self = Self::Messages { prefix: Vec::new(), left: 0 };

    /// Takes note of what came: whether something was complete with it; none where it is too much.
    fn pass(&mut self, data: &[u8], most: usize) -> Option<bool> {
        match self {
            Self::Bytes { left } => {
                let before = *left / PIECE;
                *left = left.checked_sub(data.len())?;
                Some(*left / PIECE < before)
            }
            Self::Messages { prefix, left } => {
                let (mut data, mut complete) = (data, false);
                while !data.is_empty() {
                    if *left == 0 && prefix.len() < PREFIX {
                        let (head, rest) = data.split_at(data.len().min(PREFIX - prefix.len()));
                        prefix.extend_from_slice(head);
                        data = rest;
                        let Some(length) = prefix.get(1..PREFIX) else { continue };
                        *left = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                        if *left > most {
                            return None;
                        }
                    }
                    let some = data.len().min(*left);
                    (data, *left) = (&data[some..], *left - some);
                    if *left == 0 {
                        complete = true;
                        prefix.clear();
                    }
                }
                Some(complete)
            }
        }
    }

    /// Whether something began that is not complete.
    fn has_begun(&self) -> bool {
        matches!(self, Self::Messages { prefix, .. } if !prefix.is_empty())
    }
}

/// How a stream is taken in.
pub(crate) struct Terms {
    pub(crate) measure: Measure,
    /// How long something that began has to arrive.
    pub(crate) patience: Duration,
    /// Whether the caller may be silent between two messages.
    pub(crate) is_conversation: bool,
    /// Whether the client hears an answer only once all that it sends was read.
    pub(crate) answers_last: bool,
}

/// A body that is taken in piece by piece.
pub(crate) struct Incoming<B> {
    body: B,
    flow: Arc<Flow>,
    terms: Terms,
    world: Arc<dyn World>,
    /// How long was waited for what is coming, and since when it is waited for again.
    waited: Duration,
    since: Option<Duration>,
    late: Option<BoxFuture<'static, ()>>,
    /// What it was refused with, and how much of it is still read.
    refused: Option<(Error, usize)>,
}

impl<B: Coming> Incoming<B> {
    pub(crate) fn new(body: B, flow: &Arc<Flow>, terms: Terms, world: &Arc<dyn World>) -> Self {
        Self {
            body,
            flow: Arc::clone(flow),
            terms,
            world: Arc::clone(world),
            waited: Duration::ZERO,
            since: None,
            late: None,
            refused: None,
        }
    }

    /// Takes note of what came.
    fn taken(&mut self, data: &[u8]) -> Result<()> {
        let most = self.flow.largest;
        let complete = self.terms.measure.pass(data, most).ok_or_else(|| too_large(most))?;
        if complete {
            self.waited = Duration::ZERO;
        }
        self.flow.take(data.len())
    }

    /// Waits for what is coming no longer than it may take: ready where it is too late.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let measure = &self.terms.measure;
        if self.refused.is_none() && self.terms.is_conversation && !measure.has_begun() {
            return Poll::Pending;
        }
        self.since.get_or_insert_with(|| self.world.uptime());
        let left = self.terms.patience.saturating_sub(self.waited);
        self.late.get_or_insert_with(|| self.world.sleep(left)).poll_unpin(context)
    }

    /// Something came: what was waited for it counts only while somebody waited.
    fn came(&mut self) {
        self.late = None;
        if let Some(since) = self.since.take() {
            self.waited += self.world.uptime().saturating_sub(since);
        }
    }

    /// Refuses what comes: nothing more of it is kept.
    fn refuse(&mut self, error: Error) {
        *self.flow.refused() = Some(error.clone());
        (self.late, self.since, self.waited) = (None, None, Duration::ZERO);
        self.refused = Some((error, if self.terms.answers_last { DISCARD_MAX } else { 0 }));
    }

    /// Reads on, up to a bound, what nobody wants.
    fn poll_discard(&mut self, left: usize, context: &mut Context<'_>) -> Poll<()> {
        let mut left = left;
        while left > 0 {
            left = match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    left.saturating_sub(frame.data_ref().map_or(0, Bytes::len).max(1))
                }
                Poll::Ready(_) => 0,
                Poll::Pending => match self.poll_late(context) {
                    Poll::Ready(()) => 0,
                    Poll::Pending => {
                        self.refused.iter_mut().for_each(|(_, kept)| *kept = left);
                        return Poll::Pending;
                    }
                },
            };
        }
        self.refused.iter_mut().for_each(|(_, kept)| *kept = 0);
        Poll::Ready(())
    }
}

impl<B: Coming> Body for Incoming<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>, context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let this = &mut *self;
        loop {
            if let Some((error, left)) = this.refused.clone() {
                ready!(this.poll_discard(left, context));
                return Poll::Ready(Some(Err(error)));
            }
            match Pin::new(&mut this.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    this.came();
                    match this.taken(frame.data_ref().map_or(&[], |data| data)) {
                        Ok(()) => return Poll::Ready(Some(Ok(frame))),
                        Err(error) => this.refuse(error),
                    }
                }
                Poll::Ready(Some(Err(_))) => this.refuse(truncated()),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    ready!(this.poll_late(context));
                    this.refuse(too_slow());
                }
            }
        }
    }
}
