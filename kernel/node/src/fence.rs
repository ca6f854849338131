//! Fences: whoever works under a lock says with a command by which, and the command does not happen
//! once somebody else has it.
//!
//! To ask before is not enough: what holds then may not hold when the command commits. So the service
//! that knows is asked inside of the commit itself.

use std::sync::Arc;

use stoa_contract::Code;
use stoa_kit::session::{Session, Stamp};
use stoa_kit::tx::Run as Look;
use stoa_kit::{Caller, Cause, Error, Fence, Result};
use stoa_store::Run;

use crate::Node;

impl Node {
    /// What checks a fence inside of a commit, for whoever sends one.
    ///
    /// # Errors
    /// `request.fence` where nothing would check it: who sent one must not go without it.
    pub(crate) fn fence(&self, caller: &Caller, text: Option<&str>) -> Result<Option<Fence>> {
        let Some(text) = text else { return Ok(None) };
        let registry = Arc::clone(&self.registry);
        let (name, said) = text.split_once(':').unwrap_or((text, ""));
        let (service, check) = registry.fence(name).ok_or_else(unchecked)?;
        let (caller, said) = (caller.clone(), said.to_owned());
        Ok(Some(Arc::new(move |session: &mut dyn Session, stamp: Stamp| {
            let (registry, caller, cause) = (&*registry, &caller, &Cause::Request);
            let look = Look { registry, caller, cause, stamp, nested: true };
            look.query(session, service, |view| check(view, &said))
        })))
    }

    /// Checks a fence before anything begins.
    ///
    /// # Errors
    /// What it is refused with.
    pub(crate) async fn check_fence(&self, fence: Option<&Fence>) -> Result<()> {
        let Some(fence) = fence.cloned() else { return Ok(()) };
        self.read(None, move |session, stamp| fence(session, stamp)).await
    }
}

/// Runs something only while a fence holds.
pub(crate) fn fenced(fence: Option<Fence>, mut run: Run) -> Run {
    let Some(fence) = fence else { return run };
    Box::new(move |session: &mut dyn Session, stamp: Stamp| {
        fence(session, stamp)?;
        run(session, stamp)
    })
}

/// A fence that holds while two of them do.
pub(crate) fn both(one: Fence, other: Option<Fence>) -> Fence {
    let Some(other) = other else { return one };
    Arc::new(move |session: &mut dyn Session, stamp: Stamp| {
        one(session, stamp)?;
        other(session, stamp)
    })
}

fn unchecked() -> Error {
    let message = "what this fence begins with is no service that checks fences";
    Error::new(Code::FailedPrecondition, "request.fence", message)
        .help("Send `stoa-fence` as `<service>:<fence>`, by a service of this node that hands fences out.")
}
