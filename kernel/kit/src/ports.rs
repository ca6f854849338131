//! What drivers provide to services: traits that a driver implements and an effect uses.
//!
//! A service names in its manifest the ports that it uses ([`Service::uses`]), or can do without
//! ([`Service::may_use`]); an effect asks for one by its trait ([`Ctx::port`]). A new port is a trait
//! and a line that names it, here or in the crate that has a use for it:
//!
//! ```
//! # use stoa_kit::ports::Port;
//! trait Resolver: Send + Sync {}
//!
//! impl Port for dyn Resolver {
//!     const NAME: &'static str = "resolver";
//!     const PROVIDE: &'static str = "Set `resolver` to the address of a name server.";
//! }
//! ```
//!
//! **Invariant:** memory that may vanish lives behind a port; a service has none.
//!
//! [`Service::uses`]: crate::Service::uses
//! [`Service::may_use`]: crate::Service::may_use
//! [`Ctx::port`]: crate::Ctx::port

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::{Code, Error, Result};

/// The trait of a port, as people know it: implemented for the trait's own type, `dyn Mailer`.
pub trait Port: Send + Sync + 'static {
    /// What it is called.
    const NAME: &'static str;
    /// What the operator of a node does to have it.
    const PROVIDE: &'static str;
}

/// What the drivers of a node provide, by the trait of each port.
#[derive(Clone, Default)]
pub struct Ports(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl Ports {
    /// What is there and a driver more: `ports.with::<dyn Mailer>(Arc::new(smtp))`. It takes the
    /// place of one that provided the same port.
    #[must_use]
    pub fn with<P: Port + ?Sized>(mut self, driver: Arc<P>) -> Self {
        self.0.insert(TypeId::of::<P>(), Arc::new(driver));
        self
    }

    /// The driver of a port, if there is one.
    pub fn get<P: Port + ?Sized>(&self) -> Option<&P> {
        self.kept().map(|driver| &**driver)
    }

    /// The same, to be kept.
    pub fn shared<P: Port + ?Sized>(&self) -> Option<Arc<P>> {
        self.kept().cloned()
    }

    fn kept<P: Port + ?Sized>(&self) -> Option<&Arc<P>> {
        self.0.get(&TypeId::of::<P>())?.downcast_ref::<Arc<P>>()
    }
}

/// A port, as a manifest names it.
#[derive(Debug, Clone, Copy)]
pub struct Use {
    /// What it is called.
    pub name: &'static str,
    /// What the operator of a node does to have it.
    pub provide: &'static str,
    /// Whether the service can do without.
    pub optional: bool,
    port: TypeId,
}

impl Use {
    /// The use of a port.
    pub fn of<P: Port + ?Sized>(optional: bool) -> Self {
        Self { name: P::NAME, provide: P::PROVIDE, optional, port: TypeId::of::<P>() }
    }

    /// Whether this is the use of a port.
    pub fn is_of<P: Port + ?Sized>(&self) -> bool {
        self.port == TypeId::of::<P>()
    }

    /// Whether something provides the port.
    pub fn is_met(&self, ports: &Ports) -> bool {
        ports.0.contains_key(&self.port)
    }
}

/// What is said where nothing provides a port that a service uses.
pub fn absent(service: &str, port: &str, provide: &'static str) -> Error {
    let message =
        format!("`{service}` uses the port `{port}`, which nothing provides on this node");
    Error::new(Code::FailedPrecondition, "node.no_port", message).help(provide)
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

impl Port for dyn Mailer {
    const NAME: &'static str = "mailer";
    const PROVIDE: &'static str = "Set `mail` to the URL of a mail server.";
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Post(&'static str);

    impl Mailer for Post {
        fn deliver(&self, mail: Mail) -> BoxFuture<'static, Result<()>> {
            let refused = Error::unavailable("mail.refused", format!("{}, {}", mail.id, self.0));
            Box::pin(std::future::ready(Err(refused)))
        }
    }

    trait Other: Send + Sync {}

    impl Port for dyn Other {
        const NAME: &'static str = "other";
        const PROVIDE: &'static str = "";
    }

    #[test]
    fn a_port_is_found_by_its_trait_and_no_other() {
        let (mailer, other) = (Use::of::<dyn Mailer>(false), Use::of::<dyn Other>(false));
        let none = Ports::default();
        assert!(none.get::<dyn Mailer>().is_none() && !mailer.is_met(&none));
        let ports = none.with::<dyn Mailer>(Arc::new(Post("first")));
        let ports = ports.with::<dyn Mailer>(Arc::new(Post("second")));
        assert!(mailer.is_met(&ports) && !other.is_met(&ports));
        assert!(ports.get::<dyn Other>().is_none());
        let mail =
            Mail { id: "m".into(), to: String::new(), subject: String::new(), text: String::new() };
        let sent = futures::executor::block_on(ports.get::<dyn Mailer>().unwrap().deliver(mail));
        assert_eq!(sent.unwrap_err().message(), "m, second");
    }
}
