//! The contract's functions.

use stoa_kit::ports::{self, Mailer};
use stoa_kit::{Ctx, Error, JobOptions, Reason as _, Result, Tx, View};
use stoa_notify_v1::*;
use stoa_users_v1::{LookupUserRequest, LookupUserRequestBy, User};

use crate::templates::{self, Template};
use crate::{model, store};

/// Keeps the promises of `stoa.notify.v1`.
pub(crate) struct Notify {
    pub(crate) templates: Vec<Template>,
}

impl NotifyService for Notify {
    fn notify(&self, tx: &mut Tx, request: NotifyRequest) -> Result<NotifyResponse> {
        // Whoever is told need not have an account here: their inbox waits for them.
        let user = user(tx, &request.user_id)?.unwrap_or_default();
        let template = templates::find(&self.templates, &request.template, &user.locale)?;
        let (subject, text) = template.render(&request.data)?;
        let id = tx.new_id("ntf");
        let email_state = if model::wants_email(&user) {
            let job = DeliverEmailRequest {
                user_id: request.user_id.clone(),
                notification_id: id.clone(),
            };
            tx.enqueue(&job, JobOptions::default())?;
            EmailState::Queued
        } else {
            EmailState::Unspecified
        };
        tx.add(Notification {
            id: id.clone(),
            user_id: request.user_id,
            template: template.name.to_owned(),
            subject,
            text,
            email_state: email_state.into(),
            ..Notification::default()
        })?;
        Ok(NotifyResponse { id })
    }

    fn list_inbox(&self, view: &View, request: ListInboxRequest) -> Result<ListInboxResponse> {
        let (notifications, next_page_token) = view
            .list_all::<Notification>("id DESC")
            .owned_by(view.owner()?)
            .only_if(request.unread_only, "read = FALSE")
            .page(&request)?;
        Ok(ListInboxResponse { notifications, next_page_token })
    }

    fn get_notification(
        &self, view: &View, request: GetNotificationRequest,
    ) -> Result<GetNotificationResponse> {
        let notification: Option<Notification> = view.get((view.owner()?, &request.id))?;
        let notification = view.visible(notification, &request.id)?;
        Ok(GetNotificationResponse { notification: notification.into() })
    }

    fn batch_get_notifications(
        &self, view: &View, request: BatchGetNotificationsRequest,
    ) -> Result<BatchGetNotificationsResponse> {
        let rows = view.all("user_id = $1 AND id = ANY ($2)", (view.owner()?, &request.ids))?;
        Ok(BatchGetNotificationsResponse { notifications: view.visible_many(rows, &request.ids)? })
    }

    fn count_unread(
        &self, view: &View, _request: CountUnreadRequest,
    ) -> Result<CountUnreadResponse> {
        Ok(CountUnreadResponse { count: store::unread(view, view.owner()?)? })
    }

    fn count_inboxes(
        &self, view: &View, request: CountInboxesRequest,
    ) -> Result<CountInboxesResponse> {
        let page = view.page(&request, 1)?;
        let mut inboxes = store::inboxes(view, page.after(), page.limit())?;
        let next_page_token = page.cut(&mut inboxes, |inbox| vec![inbox.user_id.clone()])?;
        Ok(CountInboxesResponse { inboxes, next_page_token })
    }

    fn mark_read(&self, tx: &mut Tx, request: MarkReadRequest) -> Result<MarkReadResponse> {
        let user = tx.owner()?.to_owned();
        let notification = store::mark_read(tx, &user, &request.id)?
            .ok_or_else(|| Error::not_found("notification", &request.id))?;
        Ok(MarkReadResponse { notification: notification.into() })
    }

    fn list_mailbox(
        &self, view: &View, request: ListMailboxRequest,
    ) -> Result<ListMailboxResponse> {
        let (mail, next_page_token) = view.list_all("id DESC").page(&request)?;
        Ok(ListMailboxResponse { mail, next_page_token })
    }

    fn get_mail(&self, view: &View, request: GetMailRequest) -> Result<GetMailResponse> {
        let mail: Option<Mail> = view.get(&request.id)?;
        let mail = mail.ok_or_else(|| Error::not_found("mail", &request.id))?;
        Ok(GetMailResponse { mail: mail.into() })
    }

    async fn deliver_email(
        &self, ctx: &Ctx, request: DeliverEmailRequest,
    ) -> Result<DeliverEmailResponse> {
        // The job's identifier stays the same over its attempts, so that a mail server, or the
        // local mailbox, that sees the mail again knows it.
        let id = ctx.key().unwrap_or(&request.notification_id).to_owned();
        let DeliverEmailRequest { user_id, notification_id } = request;
        let letter = GetLetterRequest { user_id: user_id.clone(), notification_id };
        let letter = ctx.call(letter).await?;
        let GetLetterResponse { to, subject, text } = letter;
        let state = match ctx.port_if_any::<dyn Mailer>()? {
            Some(mailer) => {
                mailer.deliver(ports::Mail { id, to, subject, text }).await?;
                EmailState::Sent
            }
            None => {
                ctx.call(KeepMailRequest { id, to, subject, text, user_id }).await?;
                EmailState::Kept
            }
        };
        Ok(DeliverEmailResponse { state: state.into() })
    }

    fn get_letter(&self, view: &View, request: GetLetterRequest) -> Result<GetLetterResponse> {
        let (user_id, id) = (&request.user_id, &request.notification_id);
        let message: Option<Notification> = view.get((user_id, id))?;
        let message = message.ok_or_else(|| Error::not_found("notification", id))?;
        let to = user(view, &request.user_id)?.unwrap_or_default().email;
        if to.is_empty() {
            let who = request.user_id;
            return Err(Reason::NoAddress.because(format!("user `{who}` has no address")));
        }
        Ok(GetLetterResponse { to, subject: message.subject, text: message.text })
    }

    fn keep_mail(&self, tx: &mut Tx, request: KeepMailRequest) -> Result<KeepMailResponse> {
        let KeepMailRequest { id, to, subject, text, user_id } = request;
        // A mail that is there was kept by an earlier attempt.
        tx.add_new(Mail { id, to, subject, text, user_id, ..Mail::default() }, "id")?;
        Ok(KeepMailResponse::default())
    }
}

fn user(view: &View, id: &str) -> Result<Option<User>> {
    let by = LookupUserRequestBy::Id(id.to_owned());
    Ok(view.call(LookupUserRequest { by: Some(by) })?.user.into_option())
}
