//! Notifications and mail, as the contract shows them.

use stoa_communication::notify::{EmailState, Mail, Notification};
use stoa_identity::users::User;
use stoa_kit::Micros;

use crate::store::{MailRow, MessageRow};

/// The preference of users who want mail as well.
const WANTS_EMAIL: &str = "notify.email";

/// Whether a user wants mail, and has an address for it.
pub(crate) fn wants_email(user: &User) -> bool {
    let wish = user.preferences.get(WANTS_EMAIL).map(String::as_str);
    wish == Some("true") && !user.email.is_empty()
}

/// What becomes of a notification as mail, as its column says it.
pub(crate) fn email_text(state: EmailState) -> &'static str {
    match state {
        EmailState::EMAIL_STATE_UNSPECIFIED => "",
        EmailState::EMAIL_STATE_QUEUED => "queued",
        EmailState::EMAIL_STATE_SENT => "sent",
        EmailState::EMAIL_STATE_KEPT => "kept",
        EmailState::EMAIL_STATE_FAILED => "failed",
    }
}

fn email_state(text: &str) -> EmailState {
    match text {
        "queued" => EmailState::Queued,
        "sent" => EmailState::Sent,
        "kept" => EmailState::Kept,
        "failed" => EmailState::Failed,
        _ => EmailState::Unspecified,
    }
}

pub(crate) fn notification(row: MessageRow) -> Notification {
    let (id, user_id, template, subject, text, read, email, email_error, created) = row;
    Notification {
        id,
        user_id,
        template,
        subject,
        text,
        read,
        email_state: email_state(&email).into(),
        email_error,
        create_time: Micros(created).timestamp(),
    }
}

pub(crate) fn mail((id, to, subject, text, created): MailRow) -> Mail {
    Mail { id, to, subject, text, create_time: Micros(created).timestamp() }
}
