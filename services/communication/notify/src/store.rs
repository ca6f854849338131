//! All SQL of notify.

use stoa_communication::notify::{EmailState, InboxCount};
use stoa_kit::{Result, Tx, View};

use crate::model;

/// Id, user, template, subject, text, whether it was read, e-mail state, why none could be sent,
/// create time.
pub(crate) type MessageRow = (String, String, String, String, String, bool, String, String, i64);

/// Id, address, subject, text, create time.
pub(crate) type MailRow = (String, String, String, String, i64);

pub(crate) fn insert_message(
    tx: &mut Tx<'_>,
    (id, user_id): (&str, &str),
    template: &str,
    (subject, text): (&str, &str),
    email: EmailState,
) -> Result<()> {
    let (email, now) = (model::email_text(email), tx.now().0);
    tx.insert(
        "INSERT INTO notify_message
             (tenant, user_id, id, template, subject, body, seen, email, email_error, create_time)
         VALUES (:tenant, $1, $2, $3, $4, $5, FALSE, $6, '', $7)",
        (user_id, id, template, subject, text, email, now),
    )?;
    Ok(())
}

pub(crate) fn message(view: &View<'_>, user_id: &str, id: &str) -> Result<Option<MessageRow>> {
    view.row(
        "SELECT id, user_id, template, subject, body, seen, email, email_error, create_time
         FROM notify_message WHERE tenant = :tenant AND user_id = $1 AND id = $2",
        (user_id, id),
    )
}

/// What a user was told, newest first, before an identifier.
pub(crate) fn messages(
    view: &View<'_>,
    user_id: &str,
    before: &str,
    unread_only: bool,
    limit: i64,
) -> Result<Vec<MessageRow>> {
    view.rows(
        "SELECT id, user_id, template, subject, body, seen, email, email_error, create_time
         FROM notify_message
         WHERE tenant = :tenant AND user_id = $1 AND id < $2 AND (seen = FALSE OR seen <> $3)
         ORDER BY id DESC LIMIT $4",
        (user_id, before, unread_only, limit),
    )
}

pub(crate) fn unread(view: &View<'_>, user_id: &str) -> Result<i64> {
    let row = view.row::<(i64,)>(
        "SELECT COUNT(*) FROM notify_message
         WHERE tenant = :tenant AND user_id = $1 AND seen = FALSE",
        (user_id,),
    )?;
    Ok(row.map_or(0, |(count,)| count))
}

/// How much each user was told, in the order of users, after one of them.
pub(crate) fn inboxes(view: &View<'_>, after: &str, limit: i64) -> Result<Vec<InboxCount>> {
    let rows = view.rows::<(String, i64)>(
        "SELECT user_id, COUNT(*) FROM notify_message
         WHERE tenant = :tenant AND user_id > $1 GROUP BY user_id ORDER BY user_id LIMIT $2",
        (after, limit),
    )?;
    Ok(rows.into_iter().map(|(user_id, count)| InboxCount { user_id, count }).collect())
}

pub(crate) fn mark_read(tx: &mut Tx<'_>, user_id: &str, id: &str) -> Result<Option<MessageRow>> {
    tx.row(
        "UPDATE notify_message SET seen = TRUE
         WHERE tenant = :tenant AND user_id = $1 AND id = $2
         RETURNING id, user_id, template, subject, body, seen, email, email_error, create_time",
        (user_id, id),
    )
}

pub(crate) fn set_email(
    tx: &mut Tx<'_>,
    user_id: &str,
    id: &str,
    state: EmailState,
    error: &str,
) -> Result<()> {
    tx.execute(
        "UPDATE notify_message SET email = $3, email_error = $4
         WHERE tenant = :tenant AND user_id = $1 AND id = $2",
        (user_id, id, model::email_text(state), error),
    )?;
    Ok(())
}

/// Puts a mail into the local mailbox, unless it is there.
pub(crate) fn keep_mail(
    tx: &mut Tx<'_>,
    id: &str,
    to: &str,
    (subject, text): (&str, &str),
) -> Result<()> {
    let now = tx.now().0;
    tx.execute(
        "INSERT INTO notify_mail (tenant, id, address, subject, body, create_time)
         VALUES (:tenant, $1, $2, $3, $4, $5) ON CONFLICT (tenant, id) DO NOTHING",
        (id, to, subject, text, now),
    )?;
    Ok(())
}

pub(crate) fn mail(view: &View<'_>, id: &str) -> Result<Option<MailRow>> {
    view.row(
        "SELECT id, address, subject, body, create_time FROM notify_mail
         WHERE tenant = :tenant AND id = $1",
        (id,),
    )
}

/// The local mailbox, newest first, before an identifier.
pub(crate) fn mailbox(view: &View<'_>, before: &str, limit: i64) -> Result<Vec<MailRow>> {
    view.rows(
        "SELECT id, address, subject, body, create_time FROM notify_mail
         WHERE tenant = :tenant AND id < $1 ORDER BY id DESC LIMIT $2",
        (before, limit),
    )
}
