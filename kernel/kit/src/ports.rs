//! What drivers provide to services: traits that a driver implements and an effect uses.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::Result;

/// What the drivers of a node provide. A port without a driver is absent, and the service says
/// what it does then.
#[derive(Clone, Default)]
pub struct Ports {
    /// Delivers mail.
    pub mailer: Option<Arc<dyn Mailer>>,
}

/// A message to one mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The left part of its Message-ID; a provider that sees it again need not deliver again.
    pub id: String,
    /// The address it goes to.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The body, plain text.
    pub text: String,
}

/// Delivers mail.
pub trait Mailer: Send + Sync + 'static {
    /// Hands a message to the next mail server.
    ///
    /// # Errors
    /// `unavailable` where trying again may help, `failed_precondition` where it will not.
    fn deliver(&self, mail: Mail) -> BoxFuture<'static, Result<()>>;
}
