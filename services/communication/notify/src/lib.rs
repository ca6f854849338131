//! Notify: telling people — an inbox for every user, and mail for those who want it.
//!
//! A notification is written by the command that it tells of, in its commit. Users who set their
//! preference `notify.email` to `true` are sent mail as well, by a job that follows. A node
//! without a mail server keeps that mail in its local mailbox.
//!
//! **Invariant:** who was told of something was told in the commit that made it so: there is no
//! notification without the fact, and no fact without the notification.
//!
//! **Invariant:** a template renders whole or not at all: a variable without a value is an error,
//! never an empty space.
//!
//! **Invariant:** an inbox is shown to its owner and to nobody else.

#![forbid(unsafe_code)]

mod api;
mod jobs;
mod model;
mod store;
mod templates;

use stoa_kit::ports::Mailer;
use stoa_kit::{Migration, Result, Service};
use stoa_notify_v1::DeliverEmailRequest;

pub use templates::Template;

const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_inbox", include_str!("../migrations/0001_inbox.sql"))];

/// The service with the templates of Stoa's own services, for a node's catalogue.
pub fn service() -> Service {
    serve(templates::STANDARD.to_vec())
}

/// The service with further templates: one of the same name and locale replaces Stoa's.
///
/// # Errors
/// `notify.malformed_template`, naming the template.
pub fn service_with(more: &[Template]) -> Result<Service> {
    more.iter().try_for_each(Template::check)?;
    Ok(serve([more, templates::STANDARD].concat()))
}

fn serve(templates: Vec<Template>) -> Service {
    Service::new(stoa_notify_v1::serve(api::Notify { templates }))
        .examples(include_str!("../examples.yaml"))
        .needs(&["users"])
        .may_use::<dyn Mailer>()
        .migrations(MIGRATIONS)
        .outcome::<DeliverEmailRequest>(jobs::delivered)
}
