//! Every service of a node: what `call` finds a method in.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use stoa_contract::described::Described;
use stoa_contract::{Code, EventType, Method, Permission};

pub use crate::methods::{Bound, Methods};
use crate::ring::Ring;
use crate::service::{Authenticator, CheckFence, Service};
use crate::settings::{Initial, unknown};
use crate::{Caller, Error, Result};

/// A service's place in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId(pub u16);

impl ServiceId {
    /// The kernel itself, which owns the tables `stoa_*`.
    pub const KERNEL: Self = Self(0);
}

/// Every service of a node, checked against one another.
pub struct Registry {
    services: Vec<Service>,
    methods: HashMap<&'static str, Bound>,
    events: HashMap<&'static str, &'static EventType>,
    needs: Vec<Vec<u16>>,
    /// Known once the store is open.
    ring: OnceLock<Ring>,
    /// Made when it is first asked for.
    described: OnceLock<Described>,
}

impl Registry {
    /// Checks that names are unique, that every need is there, and that needs have no circle;
    /// orders the services so that each stands after those it needs. The kernel is the first.
    ///
    /// # Errors
    /// `node.catalogue`, naming what does not fit.
    pub fn new(kernel: Service, services: Vec<Service>) -> Result<Self> {
        let mut by_name: BTreeMap<&'static str, Service> = BTreeMap::new();
        for service in services {
            service.check()?;
            let name = service.name;
            if by_name.insert(name, service).is_some() {
                return Err(catalogue(format!("two services are called `{name}`")));
            }
        }
        let mut ordered = vec![kernel];
        while !by_name.is_empty() {
            let ready = by_name.values().find(|service| {
                service.needs.iter().all(|need| ordered.iter().any(|done| done.name == *need))
            });
            let Some(name) = ready.map(|service| service.name) else {
                return Err(unmet(&by_name, &ordered));
            };
            ordered.extend(by_name.remove(name));
        }
        Ok(Self::bind(ordered))
    }

    fn bind(mut services: Vec<Service>) -> Self {
        let position = |services: &[Service], name: &str| {
            services.iter().position(|service| service.name == name).unwrap_or(0) as u16
        };
        let needs = services
            .iter()
            .map(|service| service.needs.iter().map(|need| position(&services, need)).collect())
            .collect();
        let mut methods = HashMap::new();
        for (index, service) in services.iter_mut().enumerate() {
            for (method, handler) in service.handlers.drain(..) {
                let service = ServiceId(index as u16);
                methods.insert(method.path, Bound { method, service, handler });
            }
        }
        let contracts = services.iter().filter_map(|service| service.contract);
        let events = contracts.flat_map(|contract| contract.events);
        let events = events.map(|event| (event.message, event)).collect();
        let (ring, described) = (OnceLock::new(), OnceLock::new());
        Self { services, methods, events, needs, ring, described }
    }

    /// The services, each after those it needs; the kernel first.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// The services and their places.
    pub(crate) fn ids(&self) -> impl Iterator<Item = (ServiceId, &Service)> {
        self.services.iter().enumerate().map(|(index, one)| (ServiceId(index as u16), one))
    }

    /// A service by its place.
    pub fn service(&self, id: ServiceId) -> &Service {
        &self.services[usize::from(id.0).min(self.services.len() - 1)]
    }

    /// A method by its path, without the leading slash.
    pub fn method(&self, path: &str) -> Option<&Bound> {
        self.methods.get(path)
    }

    /// A method by its path, for whoever was asked for it.
    ///
    /// # Errors
    /// `node.no_such_method`.
    pub fn find(&self, path: &str) -> Result<&Bound> {
        self.method(path).ok_or_else(|| no_such_method(path))
    }

    /// A method by its path, or by what people call it: `ledger.CreateTransfer`.
    ///
    /// # Errors
    /// `node.no_such_method`.
    pub fn called(&self, name: &str) -> Result<&Bound> {
        let short = || {
            let (service, method) = name.split_once('.')?;
            self.methods().find(|b| b.method.service == service && b.method.name == method)
        };
        self.method(name).or_else(short).ok_or_else(|| no_such_method(name))
    }

    /// An event by the full name of its message.
    pub fn event(&self, message: &str) -> Option<&'static EventType> {
        self.events.get(message).copied()
    }

    /// Every method, in no particular order.
    pub fn methods(&self) -> impl Iterator<Item = &Bound> {
        self.methods.values()
    }

    /// The service that recognises callers, and how.
    pub fn authenticator(&self) -> Option<(ServiceId, &Authenticator)> {
        let mut all = self.services.iter().enumerate();
        all.find_map(|(index, service)| {
            Some((ServiceId(index as u16), service.authenticator.as_ref()?))
        })
    }

    /// A service that checks fences, by its name, and how.
    pub fn fence(&self, name: &str) -> Option<(ServiceId, CheckFence)> {
        let (id, service) = self.ids().find(|(_, service)| service.name == name)?;
        Some((id, service.fence?))
    }

    /// Takes what a node is started with.
    ///
    /// # Errors
    /// `config.unknown` and `config.invalid`.
    pub fn start_with(&mut self, initial: &[Initial]) -> Result<()> {
        for one in initial {
            let service = self.services.iter_mut().find(|service| service.name == one.service);
            let settings = service.and_then(|service| service.settings.as_mut());
            settings.ok_or_else(|| unknown(&one.service, &one.name))?.start(one)?;
        }
        Ok(())
    }

    /// The contracts as their descriptors tell them, for faces to describe them by.
    ///
    /// # Errors
    /// `internal` for a contract that was not made by our generator.
    pub fn described(&self) -> Result<&Described> {
        if let Some(described) = self.described.get() {
            return Ok(described);
        }
        let contracts: Vec<_> =
            self.services.iter().filter_map(|service| service.contract).collect();
        let made = Described::new(&contracts)?;
        Ok(self.described.get_or_init(|| made))
    }

    /// Hands over the cell's keys; the first ones stay.
    pub fn hand_over(&self, ring: Ring) {
        self.ring.get_or_init(|| ring);
    }

    /// The keys of the cell.
    ///
    /// # Errors
    /// `internal` before the store is open.
    pub fn ring(&self) -> Result<&Ring> {
        self.ring.get().ok_or_else(|| Error::internal("the cell's keys are not at hand yet"))
    }

    /// Whether a caller has a permission to hand on: one that they were granted, or what a scope
    /// calls a method that is open to all who signed in, if it is open to them.
    pub fn may_hand_on(&self, caller: &Caller, permission: &str) -> bool {
        let mut methods = self.methods().map(|bound| bound.method);
        caller.may(permission)
            || methods.any(|method| {
                method.permission == Permission::Authenticated
                    && caller.may_call(method)
                    && method.scope() == permission
            })
    }

    /// The method that a service calls, if it may.
    pub(crate) fn callee(&self, from: ServiceId, method: &Method) -> Result<&Bound> {
        let bound = self
            .methods
            .get(method.path)
            .ok_or_else(|| Error::internal(format!("{} is not part of this node", method.path)))?;
        self.check_need(from, bound)?;
        Ok(bound)
    }

    /// Whether a service has declared that it needs another one.
    ///
    /// # Errors
    /// `internal` where it has not.
    pub fn check_need(&self, from: ServiceId, callee: &Bound) -> Result<()> {
        let declared = self.needs.get(usize::from(from.0));
        if from == callee.service || declared.is_some_and(|n| n.contains(&callee.service.0)) {
            return Ok(());
        }
        Err(Error::internal(format!(
            "`{}` calls {} without declaring `{}` in its needs",
            self.service(from).name,
            callee.method.path,
            self.service(callee.service).name
        )))
    }
}

fn unmet(left: &BTreeMap<&'static str, Service>, ordered: &[Service]) -> Error {
    let known = |name: &&str| {
        left.contains_key(name) || ordered.iter().any(|service| service.name == *name)
    };
    for service in left.values() {
        if let Some(need) = service.needs.iter().find(|need| !known(need)) {
            return catalogue(format!("`{}` needs `{need}`, which is not here", service.name));
        }
    }
    let circle: Vec<_> = left.keys().copied().collect();
    catalogue(format!("services need one another in a circle: {}", circle.join(", ")))
}

/// What is said of a method that is not there, or is on no face.
pub fn no_such_method(method: &str) -> Error {
    Error::new(Code::Unimplemented, "node.no_such_method", format!("there is no method {method}"))
        .help("List the services of this node to see its methods.")
}

fn catalogue(message: String) -> Error {
    Error::new(stoa_contract::Code::FailedPrecondition, "node.catalogue", message)
        .help("Correct the manifests, or start the node with the services that are needed.")
}
