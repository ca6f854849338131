//! Following the log, and adding to it.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use stoa_kit::session::Session;
use stoa_kit::{Ctx, Reason as _, Result, Stream, Tx};
use stoa_store::kernel;

use crate::contract::*;
use crate::stopping::{stopping, told};
use crate::{Node, Position};

/// What to do when the node stops.
const AGAIN: &str =
    "Follow from the last position you saw, on another node or when this one is back.";
/// Events sent in one message, unless one commit has more.
const EVENTS_MAX: i64 = 256;

pub(super) type EventRow = (i64, i64, String, String, String, Vec<u8>);

pub(super) fn annotate(tx: &mut Tx, request: AnnotateRequest) -> Result<AnnotateResponse> {
    tx.emit(&Annotated { subject: request.subject, text: request.text });
    Ok(AnnotateResponse {})
}

pub(super) async fn events(
    ctx: Ctx, request: FollowEventsRequest,
) -> Result<Stream<FollowEventsResponse>> {
    let node = Arc::clone(ctx.node::<Arc<Node>>()?);
    let from = match request.position.as_str() {
        "" => node.store().settled().await?,
        text => Position::parse(text)?.0,
    };
    let seconds = if request.heartbeat_seconds == 0 { 10 } else { request.heartbeat_seconds };
    let follower = Follower {
        notices: node.store().notices(),
        stopping: node.stopping.subscribe(),
        node,
        tenant: Arc::clone(&ctx.caller().tenant),
        from,
        topic: request.topic,
        heartbeat: Duration::from_secs(seconds.unsigned_abs().into()),
    };
    // Who is too far behind learns it before anything is streamed.
    follower.check().await?;
    let steps = futures::stream::unfold(Some(follower), |follower| async {
        let mut follower = follower?;
        match follower.next().await {
            Ok(batch) => Some((Ok(batch), Some(follower))),
            Err(error) => Some((Err(error), None)),
        }
    });
    Ok(steps.boxed())
}

/// Somebody who follows the log.
struct Follower {
    node: Arc<Node>,
    notices: tokio::sync::broadcast::Receiver<stoa_store::Notice>,
    stopping: tokio::sync::watch::Receiver<bool>,
    tenant: Arc<str>,
    from: i64,
    topic: String,
    heartbeat: Duration,
}

impl Follower {
    /// The next events, or none once the heartbeat is due.
    async fn next(&mut self) -> Result<FollowEventsResponse> {
        let mut beat = self.node.world().sleep(self.heartbeat);
        loop {
            let events = self.read().await?;
            if !events.is_empty() {
                return Ok(self.batch(events));
            }
            tokio::select! {
                () = &mut beat => return Ok(self.batch(Vec::new())),
                () = told(&mut self.stopping) => return Err(stopping(AGAIN)),
                () = news(&mut self.notices, &self.tenant) => {}
            }
        }
    }

    /// Refuses who asks from where the log has been swept.
    async fn check(&self) -> Result<()> {
        let (tenant, from) = (Arc::clone(&self.tenant), self.from);
        self.node.read(None, move |session, _| above_floor(session, &tenant, from)).await
    }

    /// Reads what comes next and moves on behind it. Commits are read whole: a position is a place
    /// between two of them, and who comes back with one has seen all of what lies before it.
    async fn read(&mut self) -> Result<Vec<Event>> {
        const FULL: &str = "SELECT position FROM stoa_event WHERE tenant = :tenant \
             AND position > $1 AND position <= $2 AND ($3 = '' OR topic = $3) \
             ORDER BY position, ordinal LIMIT 1 OFFSET $4";
        const READ: &str = "SELECT position, ordinal, topic, message, subject, payload \
             FROM stoa_event WHERE tenant = :tenant \
             AND position > $1 AND position <= $2 AND ($3 = '' OR topic = $3) \
             ORDER BY position, ordinal";
        let settled = self.node.store().settled().await?;
        let (tenant, from) = (Arc::clone(&self.tenant), self.from);
        let topic = self.topic.clone();
        let (end, rows) = self
            .node
            .read(None, move |session, _| {
                // The same snapshot: nothing is swept between the look at the floor and the events.
                above_floor(session, &tenant, from)?;
                let full = (from, settled, &topic, EVENTS_MAX - 1);
                let full = kernel::rows::<(i64,)>(session, &tenant, FULL, full)?;
                let end = full.first().map_or(settled, |(position,)| *position);
                let rows = kernel::rows::<EventRow>(session, &tenant, READ, (from, end, &topic))?;
                Ok((end, rows))
            })
            .await?;
        self.from = self.from.max(end);
        Ok(rows.into_iter().map(event).collect())
    }

    fn batch(&self, events: Vec<Event>) -> FollowEventsResponse {
        FollowEventsResponse { events, position: Position(self.from).to_string() }
    }
}

fn above_floor(session: &mut dyn Session, tenant: &str, from: i64) -> Result<()> {
    const FLOOR: &str = "SELECT position FROM stoa_floor WHERE tenant = :tenant";
    let floor = kernel::rows::<(i64,)>(session, tenant, FLOOR, ())?;
    if floor.first().is_some_and(|(floor,)| from < *floor) {
        return Err(Reason::Behind.because("the log no longer holds what follows here"));
    }
    Ok(())
}

async fn news(
    notices: &mut tokio::sync::broadcast::Receiver<stoa_store::Notice>, tenant: &Arc<str>,
) {
    use tokio::sync::broadcast::error::RecvError;
    loop {
        match notices.recv().await {
            Ok(notice) if notice.events.contains(tenant) => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

pub(super) fn event((position, ordinal, topic, message, subject, payload): EventRow) -> Event {
    Event { position: Position(position).to_string(), ordinal, topic, subject, message, payload }
}
