//! Calls that a caller asks for, within a transaction.

use stoa_contract::{AnyMessage, Kind};

use super::{Tx, View};
use crate::{Error, Result};

impl Tx<'_> {
    /// Calls a command or a query of any service, in this transaction, as if the caller had called it
    /// by itself: by what they may, to the rules of its contract, and seeing what they see. Calls between
    /// services lend the caller what the manifest says is needed; this one lends nothing.
    ///
    /// # Errors
    /// Those of a call over a face. A refusal that is [remembered](Error::remembered) is for whoever
    /// calls this to hand on; any other error dooms the transaction, outside [`Tx::attempt`].
    pub fn call_as_caller(
        &mut self, method: &str, request: Box<dyn AnyMessage>,
    ) -> Result<Box<dyn AnyMessage>> {
        let core = self.view.core;
        core.alive()?;
        let outcome = self.as_if_alone(method, request);
        if outcome.as_ref().is_err_and(Error::is_remembered) {
            return outcome;
        }
        core.doom(outcome)
    }

    fn as_if_alone(
        &self, method: &str, mut request: Box<dyn AnyMessage>,
    ) -> Result<Box<dyn AnyMessage>> {
        let core = self.view.core;
        let bound = core.run.registry.find(method)?;
        self.caller().authorize(bound.method)?;
        if let Some(within) = bound.method.step_up {
            self.step_up(within)?;
        }
        request.admit()?;
        let writes = bound.method.kind == Kind::Command;
        let callee = View { core, service: bound.service, writes };
        // Nobody stands between this caller and what they call.
        let depth = core.depth.replace(0);
        self.note(|session| session.enter(bound.method.path));
        let outcome = match bound.method.kind {
            Kind::Query => bound.run_query(&callee, request.as_ref()),
            _ => bound.run_command(&mut Tx { view: callee }, request.as_ref()),
        };
        self.note(|session| session.leave());
        core.depth.set(depth);
        outcome
    }
}
