//! Calls that effects make of what only data names.

use std::sync::Arc;

use stoa_kit::invoke::later;
use stoa_kit::{Basis, Error, Invocation, Principal, Result, Struct};

use crate::Node;
use crate::call::{Body, Call};

impl Node {
    /// Runs a call as one over a face, by what whoever it is made for may now.
    pub(crate) async fn invoke(
        self: &Arc<Self>, basis: &Basis, invocation: Invocation, key: Option<String>,
    ) -> Result<Struct> {
        let bound = self.registry.called(&invocation.method)?;
        later(bound)?;
        let caller = match &invocation.on_behalf {
            Some(Principal { subject, credential }) => {
                self.now(&basis.caller.tenant, subject, credential).await?
            }
            // The node may everything: what data names is not done as the node.
            None if basis.caller.is_system() => {
                return Err(Error::internal("a call that data names is made in nobody's name"));
            }
            None => basis.caller.clone(),
        };
        let call = Call {
            method: bound.method.path.to_owned(),
            caller,
            request: bound.request_of(&invocation.request)?,
            key,
            fence: None,
            trace: basis.trace.clone(),
            deadline: basis.deadline,
            cause: basis.cause.clone(),
            address: basis.address.clone(),
            position: None,
            dry_run: false,
        };
        match self.call(call).await?.body {
            Body::Message(reply) => bound.shown(reply.as_ref()),
            Body::Stream(_) => Err(Error::internal("a method that is no stream gave one")),
        }
    }
}
