//! What a stream of requests may come to in all, as its contract says: so many bytes, and for so long.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use stoa_contract::{AnyMessage, Code, Error, Total};
use stoa_kit::{Stream, World};

type Messages = Stream<Box<dyn AnyMessage>>;

/// Requests, until they are more than they may be.
pub(crate) fn weighed(total: Total, requests: Messages) -> Messages {
    let mut left = total.bytes_max;
    let weighed = requests.map(move |request| {
        let request = request?;
        left = left.checked_sub(request.size() as u64).ok_or_else(|| too_large(total))?;
        Ok(request)
    });
    weighed.boxed()
}

/// Replies, until their stream was open for as long as it may be.
pub(crate) fn timed(total: Total, replies: Messages, world: &Arc<dyn World>) -> Messages {
    let following = Some((replies, world.sleep(time(total))));
    let timed = futures::stream::unfold(following, move |following| async move {
        let (mut replies, mut late) = following?;
        tokio::select! {
            biased;
            () = &mut late => Some((Err(too_long(total)), None)),
            reply = replies.next() => Some((reply?, Some((replies, late)))),
        }
    });
    timed.boxed()
}

/// Waits until a stream was open for as long as it may be: why it ends.
pub(crate) async fn late(total: Total, world: &Arc<dyn World>) -> Error {
    world.sleep(time(total)).await;
    too_long(total)
}

fn time(total: Total) -> Duration {
    Duration::from_secs(total.seconds_max.into())
}

fn too_large(total: Total) -> Error {
    let message = format!("a stream has {} bytes at the most, all together", total.bytes_max);
    Error::new(Code::ResourceExhausted, "stream.too_large", message)
        .help("Send what it is in several streams, if that can be.")
}

fn too_long(total: Total) -> Error {
    let message = format!("a stream is open for {} seconds at the most", total.seconds_max);
    Error::new(Code::DeadlineExceeded, "stream.too_long", message)
        .help("Begin another one, with what was not answered.")
}
