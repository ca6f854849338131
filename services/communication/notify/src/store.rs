//! All SQL of notify that says more than "the row of this key".

use stoa_kit::{Result, Tx, View};
use stoa_notify_v1::{EmailState, InboxCount, Notification};

pub(crate) fn unread(view: &View, user_id: &str) -> Result<i64> {
    let row = view.row::<(i64,)>(
        "SELECT COUNT(*) FROM notify_notification
         WHERE tenant = :tenant AND user_id = $1 AND read = FALSE",
        user_id,
    )?;
    Ok(row.map_or(0, |(count,)| count))
}

/// How much each user was told, in the order of users, after one of them.
pub(crate) fn inboxes(view: &View, after: &str, limit: i64) -> Result<Vec<InboxCount>> {
    let rows = view.rows::<(String, i64)>(
        "SELECT user_id, COUNT(*) FROM notify_notification
         WHERE tenant = :tenant AND user_id > $1 GROUP BY user_id ORDER BY user_id LIMIT $2",
        (after, limit),
    )?;
    Ok(rows.into_iter().map(|(user_id, count)| InboxCount { user_id, count }).collect())
}

pub(crate) fn mark_read(tx: &mut Tx, user_id: &str, id: &str) -> Result<Option<Notification>> {
    tx.returning(
        "UPDATE notify_notification SET read = TRUE
         WHERE tenant = :tenant AND user_id = $1 AND id = $2 RETURNING {}",
        (user_id, id),
    )
}

pub(crate) fn set_email(
    tx: &mut Tx, user_id: &str, id: &str, state: EmailState, error: &str,
) -> Result<()> {
    tx.execute(
        "UPDATE notify_notification SET email_state = $3, email_error = $4
         WHERE tenant = :tenant AND user_id = $1 AND id = $2",
        (user_id, id, state, error),
    )?;
    Ok(())
}
