//! Methods bound to what keeps their promises.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;
use stoa_contract::open::Struct;
use stoa_contract::{AnyMessage, Contract, Format, Kind, Method, Request, json};

use crate::blobs::Blobs;
use crate::personal::Held;
use crate::registry::ServiceId;
use crate::{Ctx, Error, Requests, Result, Stream, Table, Tx, View};

/// An implementation bound to its contract: what generated `serve` functions give.
pub struct Methods {
    pub(crate) contract: &'static Contract,
    pub(crate) handlers: Vec<(&'static Method, Handler)>,
    pub(crate) held: Vec<Held>,
    pub(crate) tells_of_people: bool,
    pub(crate) blobs: Vec<&'static Blobs>,
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
type Gather<T> = dyn Fn(Ctx, Stream<Reply>) -> BoxFuture<'static, Result<T>> + Send + Sync;

enum Erased {
    Command(Box<Command>),
    Query(Box<Query>),
    Effect(Box<Effect<Reply>>),
    Stream(Box<Effect<Stream<Reply>>>),
    Gather(Box<Gather<Reply>>),
    Converse(Box<Gather<Stream<Reply>>>),
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

/// Requests of which only the node knows that they are of one type, as that type.
fn requests<R: Request>(coming: Stream<Reply>) -> Requests<R> {
    let other = |_| Error::internal(format!("{} was handed another message", R::METHOD.path));
    let typed = move |message: Reply| Ok(*message.into_any().downcast::<R>().map_err(other)?);
    Requests::new(coming.map(move |message| message.and_then(typed)).boxed())
}

/// Replies whose type nobody needs to know.
fn replies<M: stoa_contract::Message>(items: Stream<M>) -> Stream<Reply> {
    items.map(|item| item.map(|item| Box::new(item) as Reply)).boxed()
}

impl Methods {
    /// No method of this contract is bound yet.
    pub fn new(contract: &'static Contract) -> Self {
        let (handlers, held, blobs) = (Vec::new(), Vec::new(), Vec::new());
        Self { contract, handlers, held, tells_of_people: false, blobs }
    }

    /// The same for a contract that differs from this one in names alone: of such tests make many, to
    /// see what they cost.
    #[doc(hidden)]
    #[must_use]
    pub fn renamed(mut self, contract: &'static Contract) -> Self {
        self.contract = contract;
        for (method, _) in &mut self.handlers {
            let other = contract.methods.iter().find(|other| other.name == method.name);
            *method = other.copied().unwrap_or(method);
        }
        self
    }

    /// Says that a table of the contract holds what is about people.
    #[must_use]
    pub fn holds<T: Table>(mut self) -> Self {
        self.held.push(Held::of::<T>());
        self
    }

    /// Says that rows of a table of the contract name blobs.
    #[must_use]
    pub fn names_blobs<T: Table>(mut self) -> Self {
        self.blobs.extend(T::BLOBS);
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
        self.bind::<R>(
            Box::new(()),
            Erased::Stream(Box::new(move |ctx, request| {
                let started = typed::<R>(request).map(|request| run(ctx, request));
                Box::pin(async move { Ok(replies(started?.await?)) })
            })),
        )
    }

    /// Binds an effect that takes a stream.
    #[must_use]
    pub fn gather<R: Request, F>(
        self, run: impl Fn(Ctx, Requests<R>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<R::Reply>> + Send + 'static,
    {
        self.bind::<R>(
            Box::new(()),
            Erased::Gather(Box::new(move |ctx, coming| {
                let running = run(ctx, requests(coming));
                Box::pin(async move { Ok(Box::new(running.await?) as Reply) })
            })),
        )
    }

    /// Binds an effect that takes a stream and replies with one.
    #[must_use]
    pub fn converse<R: Request, F>(
        self, run: impl Fn(Ctx, Requests<R>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Stream<R::Reply>>> + Send + 'static,
    {
        self.bind::<R>(
            Box::new(()),
            Erased::Converse(Box::new(move |ctx, coming| {
                let running = run(ctx, requests(coming));
                Box::pin(async move { Ok(replies(running.await?)) })
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
    pub(crate) handler: Handler,
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

    /// Reads a request that stands in a message, as JSON shows it.
    ///
    /// # Errors
    /// Those of [`stoa_contract::decode`].
    pub fn request_of(&self, shown: &Struct) -> Result<Box<dyn AnyMessage>> {
        self.decode_request(&json::text(shown)?, Format::Json)
    }

    /// A reply as JSON shows it, for a message that it stands in.
    ///
    /// # Errors
    /// `internal` for one that is no object.
    pub fn shown(&self, reply: &dyn AnyMessage) -> Result<Struct> {
        serde_json::from_slice(&reply.encode(Format::Json)?).map_err(Error::internal)
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

    /// Runs an effect that takes a stream.
    pub fn run_gather(
        &self, ctx: Ctx, requests: Stream<Reply>,
    ) -> BoxFuture<'static, Result<Reply>> {
        match &self.handler.erased {
            Erased::Gather(run) => run(ctx, requests),
            _ => Box::pin(std::future::ready(Err(self.mismatch()))),
        }
    }

    /// Runs an effect that takes a stream and replies with one.
    pub fn run_converse(
        &self, ctx: Ctx, requests: Stream<Reply>,
    ) -> BoxFuture<'static, Result<Stream<Reply>>> {
        match &self.handler.erased {
            Erased::Converse(run) => run(ctx, requests),
            _ => Box::pin(std::future::ready(Err(self.mismatch()))),
        }
    }
}

/// Whether a handler's kind is what its contract says.
pub(crate) fn fits(method: &Method, handler: &Handler) -> bool {
    let is_effect = |takes_stream, streams| {
        method.kind == Kind::Effect
            && (method.takes_stream.is_some(), method.streams) == (takes_stream, streams)
    };
    match &handler.erased {
        Erased::Command(_) => method.kind == Kind::Command,
        Erased::Query(_) => method.kind == Kind::Query,
        Erased::Effect(_) => is_effect(false, false),
        Erased::Stream(_) => is_effect(false, true),
        Erased::Gather(_) => is_effect(true, false),
        Erased::Converse(_) => is_effect(true, true),
    }
}
