//! Services bound to their contracts: what `call` finds a method in.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, OnceLock};

use futures::future::BoxFuture;
use stoa_contract::{AnyMessage, Contract, EventType, Format, Kind, Method, Permission, Request};

use crate::personal::Held;
use crate::ring::Ring;
use crate::service::{Authenticator, Service};
use crate::settings::{Initial, unknown};
use crate::{Caller, Ctx, Error, Result, Stream, Table, Tx, View};

/// A service's place in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId(pub u16);

impl ServiceId {
    /// The kernel itself, which owns the tables `stoa_*`.
    pub const KERNEL: Self = Self(0);
}

/// An implementation bound to its contract: what generated `serve` functions give.
pub struct Methods {
    pub(crate) contract: &'static Contract,
    pub(crate) handlers: Vec<(&'static Method, Handler)>,
    pub(crate) held: Vec<Held>,
    pub(crate) tells_of_people: bool,
}

pub(crate) type CommandFn<R> =
    Box<dyn Fn(&mut Tx, R) -> Result<<R as Request>::Reply> + Send + Sync>;
pub(crate) type QueryFn<R> = Box<dyn Fn(&View, R) -> Result<<R as Request>::Reply> + Send + Sync>;

type Reply = Box<dyn AnyMessage>;
type Decode = fn(&[u8], Format) -> Result<Reply>;

/// A method's implementation, its types erased.
pub(crate) struct Handler {
    /// The typed function, for calls between services: nothing is encoded on the way.
    typed: Box<dyn Any + Send + Sync>,
    /// The same for callers that do not know the types.
    erased: Erased,
    request: Decode,
    reply: Decode,
}

type Command = dyn Fn(&mut Tx, &dyn Any) -> Result<Reply> + Send + Sync;
type Query = dyn Fn(&View, &dyn Any) -> Result<Reply> + Send + Sync;
type Effect<T> = dyn Fn(Ctx, &dyn Any) -> BoxFuture<'static, Result<T>> + Send + Sync;

enum Erased {
    Command(Box<Command>),
    Query(Box<Query>),
    Effect(Box<Effect<Reply>>),
    Stream(Box<Effect<Stream<Reply>>>),
}

fn decode<M: stoa_contract::Message>(bytes: &[u8], format: Format) -> Result<Reply> {
    Ok(Box::new(stoa_contract::decode::<M>(bytes, format)?))
}

fn typed<R: Request>(request: &dyn Any) -> Result<R> {
    request
        .downcast_ref::<R>()
        .cloned()
        .ok_or_else(|| Error::internal(format!("{} was handed another message", R::METHOD.path)))
}

impl Methods {
    /// No method of this contract is bound yet.
    pub fn new(contract: &'static Contract) -> Self {
        Self { contract, handlers: Vec::new(), held: Vec::new(), tells_of_people: false }
    }

    /// Says that a table of the contract holds what is about people.
    #[must_use]
    pub fn holds<T: Table>(mut self) -> Self {
        self.held.push(Held::of::<T>());
        self
    }

    /// Says that a message of the contract which is kept in no table tells of people.
    #[must_use]
    pub fn tells_of_people(mut self) -> Self {
        self.tells_of_people = true;
        self
    }

    /// Binds a command.
    #[must_use]
    pub fn command<R: Request>(
        self, run: impl Fn(&mut Tx, R) -> Result<R::Reply> + Send + Sync + 'static,
    ) -> Self {
        let run = Arc::new(run);
        let inner = Arc::clone(&run);
        self.bind::<R>(
            Box::new(Box::new(move |tx: &mut Tx, request: R| inner(tx, request)) as CommandFn<R>),
            Erased::Command(Box::new(move |tx, request| {
                Ok(Box::new(run(tx, typed::<R>(request)?)?))
            })),
        )
    }

    /// Binds a query.
    #[must_use]
    pub fn query<R: Request>(
        self, run: impl Fn(&View, R) -> Result<R::Reply> + Send + Sync + 'static,
    ) -> Self {
        let run = Arc::new(run);
        let inner = Arc::clone(&run);
        self.bind::<R>(
            Box::new(Box::new(move |view: &View, request: R| inner(view, request)) as QueryFn<R>),
            Erased::Query(Box::new(move |view, request| {
                Ok(Box::new(run(view, typed::<R>(request)?)?))
            })),
        )
    }

    /// Binds an effect.
    #[must_use]
    pub fn effect<R: Request, F>(self, run: impl Fn(Ctx, R) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<R::Reply>> + Send + 'static,
    {
        self.bind::<R>(
            Box::new(()),
            Erased::Effect(Box::new(move |ctx, request| {
                let started = typed::<R>(request).map(|request| run(ctx, request));
                Box::pin(async move { Ok(Box::new(started?.await?) as Reply) })
            })),
        )
    }

    /// Binds an effect that replies with a stream.
    #[must_use]
    pub fn stream<R: Request, F>(self, run: impl Fn(Ctx, R) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Stream<R::Reply>>> + Send + 'static,
    {
        use futures::StreamExt;
        self.bind::<R>(
            Box::new(()),
            Erased::Stream(Box::new(move |ctx, request| {
                let started = typed::<R>(request).map(|request| run(ctx, request));
                Box::pin(async move {
                    let items = started?.await?;
                    Ok(items.map(|item| item.map(|item| Box::new(item) as Reply)).boxed())
                })
            })),
        )
    }

    fn bind<R: Request>(mut self, typed: Box<dyn Any + Send + Sync>, erased: Erased) -> Self {
        let (request, reply) = (decode::<R> as Decode, decode::<R::Reply> as Decode);
        self.handlers.push((R::METHOD, Handler { typed, erased, request, reply }));
        self
    }
}

/// A method bound to its implementation.
pub struct Bound {
    /// The method, as its contract describes it.
    pub method: &'static Method,
    /// The service it belongs to.
    pub service: ServiceId,
    handler: Handler,
}

impl Bound {
    fn mismatch(&self) -> Error {
        Error::internal(format!("{} is not bound as its contract says", self.method.path))
    }

    pub(crate) fn command<R: Request>(&self, tx: &mut Tx, request: R) -> Result<R::Reply> {
        let run = self.handler.typed.downcast_ref::<CommandFn<R>>();
        run.ok_or_else(|| self.mismatch())?(tx, request)
    }

    pub(crate) fn query<R: Request>(&self, view: &View, request: R) -> Result<R::Reply> {
        let run = self.handler.typed.downcast_ref::<QueryFn<R>>();
        run.ok_or_else(|| self.mismatch())?(view, request)
    }

    /// Reads a request.
    ///
    /// # Errors
    /// Those of [`stoa_contract::decode`].
    pub fn decode_request(&self, bytes: &[u8], format: Format) -> Result<Box<dyn AnyMessage>> {
        (self.handler.request)(bytes, format)
    }

    /// Reads a reply, as it was remembered.
    ///
    /// # Errors
    /// Those of [`stoa_contract::decode`].
    pub fn decode_reply(&self, bytes: &[u8], format: Format) -> Result<Box<dyn AnyMessage>> {
        (self.handler.reply)(bytes, format)
    }

    /// Runs a command.
    ///
    /// # Errors
    /// What the command returns.
    pub fn run_command(&self, tx: &mut Tx, request: &dyn AnyMessage) -> Result<Reply> {
        match &self.handler.erased {
            Erased::Command(run) => run(tx, request.as_any()),
            _ => Err(self.mismatch()),
        }
    }

    /// Runs a query.
    ///
    /// # Errors
    /// What the query returns.
    pub fn run_query(&self, view: &View, request: &dyn AnyMessage) -> Result<Reply> {
        match &self.handler.erased {
            Erased::Query(run) => run(view, request.as_any()),
            _ => Err(self.mismatch()),
        }
    }

    /// Runs an effect.
    pub fn run_effect(
        &self, ctx: Ctx, request: &dyn AnyMessage,
    ) -> BoxFuture<'static, Result<Reply>> {
        match &self.handler.erased {
            Erased::Effect(run) => run(ctx, request.as_any()),
            _ => Box::pin(std::future::ready(Err(self.mismatch()))),
        }
    }

    /// Runs an effect that replies with a stream.
    pub fn run_stream(
        &self, ctx: Ctx, request: &dyn AnyMessage,
    ) -> BoxFuture<'static, Result<Stream<Reply>>> {
        match &self.handler.erased {
            Erased::Stream(run) => run(ctx, request.as_any()),
            _ => Box::pin(std::future::ready(Err(self.mismatch()))),
        }
    }
}

/// Every service of a node, checked against one another.
pub struct Registry {
    services: Vec<Service>,
    methods: HashMap<&'static str, Bound>,
    events: HashMap<&'static str, &'static EventType>,
    needs: Vec<Vec<u16>>,
    /// Known once the store is open.
    ring: OnceLock<Ring>,
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
        Self { services, methods, events, needs, ring: OnceLock::new() }
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

fn catalogue(message: String) -> Error {
    Error::new(stoa_contract::Code::FailedPrecondition, "node.catalogue", message)
        .help("Correct the manifests, or start the node with the services that are needed.")
}

/// Whether a handler's kind is what its contract says.
pub(crate) fn fits(method: &Method, handler: &Handler) -> bool {
    match &handler.erased {
        Erased::Command(_) => method.kind == Kind::Command,
        Erased::Query(_) => method.kind == Kind::Query,
        Erased::Effect(_) => method.kind == Kind::Effect && !method.streams,
        Erased::Stream(_) => method.kind == Kind::Effect && method.streams,
    }
}
