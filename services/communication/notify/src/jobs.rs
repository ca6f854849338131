//! What follows the job that sends mail.

use stoa_kit::{Error, Result, Tx};
use stoa_notify_v1::{DeliverEmailRequest, DeliverEmailResponse, EmailState};

use crate::store;

/// Records at the notification what became of its mail.
pub(crate) fn delivered(
    tx: &mut Tx, request: &DeliverEmailRequest, outcome: Result<&DeliverEmailResponse, &Error>,
) -> Result<()> {
    let (state, error) = match outcome {
        Ok(reply) => (reply.state.as_known().unwrap_or_default(), ""),
        Err(error) => (EmailState::Failed, error.message()),
    };
    store::set_email(tx, &request.user_id, &request.notification_id, state, error)
}
