//! Filling: a copy of a list is made, page by page, before the first event is delivered to it.
//!
//! The cursors stand where the filling began and hold the log meanwhile, so nothing that happens
//! between two pages is missed.

use std::sync::Arc;

use stoa_kit::session::{Session, Stamp};
use stoa_kit::tx::Run;
use stoa_kit::{Caller, Cause, Result};
use stoa_store::{Outcome, kernel};

use super::cursors::TO_FILL;
use super::partition::Subscription;
use crate::Node;
use crate::background::{Why, overtaken, react};

/// Fills a page of everything that is being filled; true if there was any.
pub(super) async fn work(node: &Arc<Node>, all: &[Subscription]) -> Result<bool> {
    let (mut worked, mut outcome) = (false, Ok(()));
    for one in all {
        if let Some(page) = &one.page {
            worked = true;
            outcome = outcome.and(fill(node, one, page.clone()).await);
        }
    }
    outcome.map(|()| worked)
}

/// Fills a page and notes which is the next, in one commit.
async fn fill(node: &Arc<Node>, one: &Subscription, page: String) -> Result<()> {
    const NEXT: &str = "UPDATE stoa_cursor SET fill = $4 WHERE tenant = :tenant \
         AND subscription = $1 AND generation = $2 AND fill = $3 AND state = ''";
    let (reaction, generation) = (Arc::clone(&one.reaction), one.generation);
    let (registry, tenant) = (Arc::clone(node.registry()), Arc::clone(&reaction.tenant));
    let (label, cause) = (reaction.label, Cause::Fill(reaction.name.clone()));
    let why = Why::of(&cause);
    let run = move |session: &mut dyn Session, stamp: Stamp| {
        let subscription = &registry.service(reaction.service).subscriptions[reaction.index];
        let (registry, caller) = (&*registry, &Caller::system(&tenant));
        let command = Run { registry, caller, cause: &cause, stamp, nested: false };
        let (next, gathered) =
            command.command(session, reaction.service, |tx| subscription.fill(tx, &page))?;
        let next = if next.is_empty() { next } else { format!("{TO_FILL}{next}") };
        let params = (&reaction.name, generation, format!("{TO_FILL}{page}"), next);
        match kernel::execute(session, &tenant, NEXT, params)? {
            0 => Err(overtaken("another node filled the page")),
            _ => Ok(Outcome { reply: None, gathered }),
        }
    };
    match react(node, &one.reaction.tenant, why, label, run).await {
        Err(error) if error.reason() == "background.overtaken" => Ok(()),
        other => other.map(|_| ()),
    }
}
