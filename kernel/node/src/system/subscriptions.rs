//! Subscriptions and what stands aside of them.

use stoa_kit::{Micros, Reason as _, Result, Tx, View};

use crate::Position;
use crate::background::partition_of;
use crate::contract::*;

pub(super) fn list(view: &View, _: ListSubscriptionsRequest) -> Result<ListSubscriptionsResponse> {
    const LIST: &str = "SELECT subscription, generation, partition, position, ordinal, \
         CASE WHEN state = '' AND fill <> '' THEN 'filling' ELSE state END, \
         holder FROM stoa_cursor WHERE tenant = :tenant AND state <> 'replaced' \
         ORDER BY subscription, generation, partition \
     /* whole: there are as many as partitions of subscriptions */";
    type Row = (String, i64, i64, i64, i64, String, String);
    let rows = view.rows::<Row>(LIST, ())?;
    let mut subscriptions = Vec::new();
    for same in rows.chunk_by(|one, next| one.0 == next.0) {
        for (name, _, partition, position, ordinal, state, holder) in same.iter().cloned() {
            let lag = match state.as_str() {
                "" => lag(view, &name, (position, ordinal), (partition, same.len()))?,
                _ => 0,
            };
            let position = Position(position).to_string();
            subscriptions.push(Subscription { name, partition, position, lag, state, holder });
        }
    }
    Ok(ListSubscriptionsResponse { subscriptions })
}

pub(super) fn resume(
    tx: &mut Tx, request: ResumeSubscriptionRequest,
) -> Result<ResumeSubscriptionResponse> {
    const FLOOR: &str = "SELECT position FROM stoa_floor WHERE tenant = :tenant";
    const RESUME: &str = "UPDATE stoa_cursor SET state = '', \
         ordinal = CASE WHEN position < $2 THEN $3 ELSE ordinal END, \
         position = CASE WHEN position < $2 THEN $2 ELSE position END \
         WHERE tenant = :tenant AND subscription = $1 AND state = 'lost'";
    let floor = tx.row::<(i64,)>(FLOOR, ())?.map_or(0, |(floor,)| floor);
    let resumed = tx.execute(RESUME, (&request.subscription, floor, i64::MAX))?;
    if resumed == 0 {
        return Err(Reason::NotLost.because("no partition of this subscription is lost"));
    }
    Ok(ResumeSubscriptionResponse { resumed: i64::try_from(resumed).unwrap_or(i64::MAX) })
}

pub(super) fn list_parked(view: &View, request: ListParkedRequest) -> Result<ListParkedResponse> {
    const LIST: &str = "SELECT subscription, subject, position, ordinal, error, time \
         FROM stoa_parked WHERE tenant = :tenant \
         AND (subscription, subject, position, ordinal) > ($1, $2, $3, $4) \
         ORDER BY subscription, subject, position, ordinal LIMIT $5";
    let page = view.page(&request, 4)?;
    type Row = (String, String, i64, i64, String, i64);
    let (subscription, subject) = (page.key(0), page.key(1));
    let (position, ordinal) = (page.number(2, 0)?, page.number(3, 0)?);
    let rows = view.rows::<Row>(LIST, (subscription, subject, position, ordinal, page.limit()))?;
    let parked = rows.into_iter().map(|row| {
        let (subscription, subject, position, ordinal, error, time) = row;
        Parked {
            subscription,
            subject,
            position: Position(position).to_string(),
            ordinal,
            error,
            park_time: Micros(time).timestamp(),
        }
    });
    let mut parked = parked.collect();
    let next_page_token = page.cut(&mut parked, |last: &Parked| {
        let position = Position::parse(&last.position).map_or(0, |position| position.0);
        let (position, ordinal) = (position.to_string(), last.ordinal.to_string());
        vec![last.subscription.clone(), last.subject.clone(), position, ordinal]
    })?;
    Ok(ListParkedResponse { parked, next_page_token })
}

pub(super) fn release_parked(
    tx: &mut Tx, request: ReleaseParkedRequest,
) -> Result<ReleaseParkedResponse> {
    let released = release(tx, &request.subscription, &request.subject)?;
    if released == 0 {
        return Err(Reason::NotParked.because("nothing of this subject is parked there"));
    }
    Ok(ReleaseParkedResponse { released })
}

pub(super) fn drop_parked(tx: &mut Tx, request: DropParkedRequest) -> Result<DropParkedResponse> {
    const FIRST: &str = "SELECT position, ordinal FROM stoa_parked WHERE tenant = :tenant \
         AND subscription = $1 AND subject = $2 ORDER BY position, ordinal LIMIT 1";
    const DROP: &str = "DELETE FROM stoa_parked WHERE tenant = :tenant \
         AND subscription = $1 AND subject = $2 AND position = $3 AND ordinal = $4";
    let first = tx.row::<(i64, i64)>(FIRST, (&request.subscription, &request.subject))?;
    let Some((position, ordinal)) = first else {
        return Err(Reason::NotParked.because("nothing of this subject is parked there"));
    };
    tx.execute(DROP, (&request.subscription, &request.subject, position, ordinal))?;
    let released = release(tx, &request.subscription, &request.subject)?;
    Ok(DropParkedResponse { released })
}

/// Events that wait for one of so many partitions of a subscription.
fn lag(view: &View, name: &str, from: (i64, i64), (own, all): (i64, usize)) -> Result<i64> {
    const WAITING: &str = "SELECT subject FROM stoa_event WHERE tenant = :tenant \
         AND position >= $1 AND (position > $1 OR ordinal > $2) AND ($3 = '' OR topic = $3) \
         ORDER BY position, ordinal LIMIT 1000";
    let services = view.registry().services().iter();
    let subscriptions =
        services.flat_map(|service| service.subscriptions.iter().map(move |one| (service, one)));
    let mut known = subscriptions.filter(|(service, one)| {
        name.split_once('.').is_some_and(|name| name == (service.name, one.name))
    });
    let Some((_, subscription)) = known.next() else { return Ok(0) };
    let topic = subscription.topic.unwrap_or("");
    let waiting = view.rows::<(String,)>(WAITING, (from.0, from.1, topic))?;
    let is_own = |(subject,): &&(String,)| partition_of(subject, all) as i64 == own;
    Ok(waiting.iter().filter(is_own).count() as i64)
}

fn release(tx: &mut Tx, subscription: &str, subject: &str) -> Result<i64> {
    const RELEASE: &str = "UPDATE stoa_parked SET attempts = -1 \
         WHERE tenant = :tenant AND subscription = $1 AND subject = $2";
    let released = tx.execute(RELEASE, (subscription, subject))?;
    Ok(i64::try_from(released).unwrap_or(i64::MAX))
}
