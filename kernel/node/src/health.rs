//! Health over gRPC: what `/ready` says, for the node and for each of its services.

use std::sync::Arc;
use std::time::Duration;

use connectrpc::ConnectError;
use connectrpc_health::{Checker, Status, StatusStream};
use stoa_contract::{Code, Error};

use crate::Node;
use crate::rpc::translate;

/// How often health is looked at for somebody who watches it.
const EVERY: Duration = Duration::from_secs(1);

/// The node's own health. A service is as well as the node that runs it.
pub(crate) struct Health(pub(crate) Arc<Node>);

impl Health {
    fn status(&self) -> Status {
        match self.0.health() {
            Ok(()) => Status::Serving,
            Err(_) => Status::NotServing,
        }
    }

    fn known(&self, service: &str) -> Result<(), ConnectError> {
        let mut contracts = self.0.registry().services().iter().filter_map(|s| s.contract);
        if service.is_empty() || contracts.any(|contract| contract.full_name == service) {
            return Ok(());
        }
        let error = Error::new(Code::NotFound, "node.no_such_service", "there is no such service");
        Err(translate(&error.help("Ask for the full name of a service, or for none.")))
    }
}

impl Checker for Health {
    async fn check(&self, service: &str) -> Result<Status, ConnectError> {
        self.known(service).map(|()| self.status())
    }

    async fn watch(&self, service: &str) -> Result<StatusStream, ConnectError> {
        self.known(service)?;
        let health = Self(Arc::clone(&self.0));
        let changes = futures::stream::unfold((health, None), |(health, before)| async move {
            loop {
                let now = health.status();
                if before != Some(now) {
                    return Some((now, (health, Some(now))));
                }
                health.0.world().sleep(EVERY).await;
            }
        });
        Ok(StatusStream::new(changes))
    }
}
