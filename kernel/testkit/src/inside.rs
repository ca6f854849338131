//! Inside a service: what its queries see and its commands do, without a method of its contract.

use stoa_kit::registry::{Registry, ServiceId};
use stoa_kit::session::Session;
use stoa_kit::tx::{Cause, Run};
use stoa_kit::{Caller, Result, Tx, View};
use stoa_store::{Commit, Header, Outcome, Read};

use crate::Node;

impl Node {
    /// What a query of a service sees, asked by somebody.
    ///
    /// # Errors
    /// What `ask` returns, and where there is no such service.
    pub async fn view<T: Send + 'static>(
        &self, service: &str, caller: &Caller, ask: impl Fn(&View) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (registry, caller) = (self.inner().registry().clone(), caller.clone());
        let id = place(&registry, service);
        let (send, receive) = std::sync::mpsc::channel();
        let read: Read<()> = Box::new(move |session, stamp| {
            let cause = Cause::Request;
            let run =
                Run { registry: &registry, caller: &caller, cause: &cause, stamp, nested: false };
            let _ = send.send(run.query(session, id, &ask)?);
            Ok(())
        });
        self.inner().store().read(None, read).await?;
        Ok(receive.recv().expect("the query gave nothing"))
    }

    /// Does something as a command of a service would, asked by somebody.
    ///
    /// # Errors
    /// What `change` returns, and where there is no such service.
    pub async fn change<T: Send + 'static>(
        &self, service: &str, caller: &Caller,
        change: impl Fn(&mut Tx) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (registry, caller) = (self.inner().registry().clone(), caller.clone());
        let id = place(&registry, service);
        let header = Header {
            tenant: caller.tenant.clone(),
            cause: Cause::Request.to_string(),
            caller: caller.subject.clone(),
            method: "test",
            trace: String::new(),
            key: None,
            asked: None,
            deadline: None,
            bytes: 0,
        };
        let (send, receive) = std::sync::mpsc::channel();
        let run = Box::new(move |session: &mut dyn Session, stamp| {
            let cause = Cause::Request;
            let run =
                Run { registry: &registry, caller: &caller, cause: &cause, stamp, nested: false };
            let (value, gathered) = run.command(session, id, &change)?;
            let _ = send.send(value);
            Ok(Outcome { reply: None, gathered })
        });
        self.inner().store().commit(Commit { header, run }).await?;
        Ok(receive.iter().last().expect("the command gave nothing"))
    }
}

fn place(registry: &Registry, service: &str) -> ServiceId {
    let place = registry.services().iter().position(|known| known.name == service);
    ServiceId(place.expect("there is no such service") as u16)
}
