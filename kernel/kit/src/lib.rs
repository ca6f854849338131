//! # Writing a service
//!
//! A service is a contract, plain functions and its tables. The contract, a `.proto`, says what
//! is promised; the functions keep the promise; the tables remember. Everything else — HTTP,
//! sign-in, permissions, validation, idempotency, retries, metrics, the command line — is made
//! from the contract, and is not the service's business.
//!
//! A method is one of three kinds, and its signature says what it may do:
//!
//! ```ignore
//! impl OrdersService for Orders {
//!     // A query reads one consistent snapshot. It cannot write.
//!     fn get_order(&self, view: &View, request: GetOrderRequest) -> Result<GetOrderResponse> {
//!         Ok(GetOrderResponse { order: view.load::<Order>(&request.id)?.into() })
//!     }
//!
//!     // A command reads and changes the store, in one commit. It cannot do I/O.
//!     fn place_order(&self, tx: &mut Tx, request: PlaceOrderRequest) -> Result<PlaceOrderResponse> {
//!         let quote = tx.call(model::quote(&request))?;
//!         let order = tx.add(model::price(tx.new_id("ord"), request, quote))?;
//!         tx.call(model::issue(&order))?;
//!         tx.emit(&OrderPlaced { order_id: order.id.clone() });
//!         Ok(PlaceOrderResponse { order: order.into() })
//!     }
//! }
//!
//! // An effect talks to the outside. It holds no transaction: it reaches the store by calling.
//! async fn sign_in(&self, ctx: &Ctx, request: SignInRequest) -> Result<SignInResponse> {
//!     let user = ctx.call(FindUserRequest { email: request.email.clone() }).await?;
//!     let matches = ctx.compute(move || verify(&user.hash, &request.password)).await?;
//!     ctx.call(RecordAttemptRequest { user_id: user.id, succeeded: matches }).await
//! }
//! ```
//!
//! A message that says `(stoa.v1.table)` in the contract is a row, and what is the same for every
//! table is a word. A page shows what the caller may see, and nothing else:
//!
//! ```ignore
//! let order = view.load::<Order>(&request.id)?;         // seen by the caller, or `resource.not_found`
//! let (orders, next_page_token) = view
//!     .list::<Order>("create_time DESC, id DESC")
//!     .owned_by(&request.customer_id)
//!     .only("state", request.state)
//!     .page(&request)?;
//! request.apply(&mut user)?;                            // what a field mask names, and the etag
//! let user = tx.save(user)?;                            // its update time, etag and touch as well
//! ```
//!
//! What is about a person says so in the contract, `(stoa.v1.personal) = "user_id"`, and is sealed with
//! a key of theirs on its way into a row or an event. A service does nothing for it, but that it finds
//! nothing by it: what has to be equal is kept beside it as a [`fingerprint`](View::fingerprint). Once
//! somebody is erased their key is destroyed; what a service has to let go of besides it
//! [says in its manifest](Service::erases). See [`personal`].
//!
//! Bytes that do not belong into a row are a [blob](blobs), which a row names and holds: `string file =
//! 3 [(stoa.v1.blob) = true]`. They are uploaded before, by whoever calls, and from the commit on that adds
//! or saves the row they are its own; once it names others, or is deleted, they go. A query says where
//! they can be had:
//!
//! ```ignore
//! let picture = tx.add(Picture { file: request.upload, ..picture })?;
//! let path = view.link(&picture.file)?;
//! ```
//!
//! What a command does becomes durable together or not at all:
//!
//! | | |
//! | --- | --- |
//! | [`tx.add`](Tx::add), [`tx.add_new`](Tx::add_new), [`tx.save`](Tx::save), [`tx.delete`](Tx::delete), [`tx.get`](View::get), [`tx.load`](View::load), [`tx.load_many`](View::load_many), [`tx.list`](View::list) | rows as the contract describes them |
//! | [`tx.find`](View::find), [`tx.all`](View::all), [`tx.returning`](Tx::returning) | the same by a condition, in SQL |
//! | [`tx.query`](View::query) | the same by conditions that are known only at run time, values and names checked |
//! | [`tx.execute`](Tx::execute), [`tx.insert`](Tx::insert), [`tx.row`](View::row), [`tx.rows`](View::rows) | whatever else SQL says of its own tables; it names `tenant = :tenant`, and `id = ANY ($1)` is any of a list |
//! | [`tx.sweep`](Tx::sweep), [`view.earliest`](View::earliest) | rows that end by a time that stands in them |
//! | [`tx.grant`](Tx::grant), [`tx.revoke`](Tx::revoke), [`tx.holders`](View::holders) | who else sees a row |
//! | [`view.link`](View::link), [`ctx.upload`](Ctx::upload), [`ctx.download`](Ctx::download) | bytes that rows hold |
//! | [`tx.call`](Tx::call) | another service's command, in the same commit; the request's type finds it |
//! | [`tx.call_as_caller`](Tx::call_as_caller) | any service's command or query, in the same commit, by what the caller may |
//! | [`tx.emit`](Tx::emit) | an event, for whoever subscribes |
//! | [`tx.enqueue`](Tx::enqueue) | a job: what must happen outside, after the commit |
//! | [`tx.again`](Tx::again) | of bulk work, that this chunk was full: the next one follows at once |
//! | [`tx.now`](View::now), [`tx.new_id`](Tx::new_id), [`tx.random`](Tx::random) | time and ids, the same when the command is run again |
//!
//! SQL is looked at before it runs for the first time. What reads all that a tenant has in a table is
//! refused, unless it is a page, or says why that is right: `/* whole: few administer */`.
//!
//! An error undoes the whole commit. It is one of the reasons that the contract declares:
//! `return Err(Reason::InsufficientFunds.because("the balance is 3.00"))`. Where a failure is
//! expected and survivable, [`tx.attempt`](Tx::attempt) undoes only what was tried.
//!
//! One that has to leave something behind says so: `store::count_failure(tx, &id)?; return
//! Err(Reason::WrongCode.because("…").remembered())` commits what was written, and then refuses. So
//! guesses are counted in the commit that decides about them. A command of another service that may
//! refuse so is called before anything is written: half of what calls it must not be committed.
//!
//! Where the contract says `stream`, an effect takes [`Requests`], or gives a [`Stream`], or both: an
//! upload, a session. Each request is checked as if it came alone, and taken in when it is asked for:
//!
//! ```ignore
//! while let Some(request) = requests.next().await? { total += request.amount; }
//! ```
//!
//! An effect may have to run again, under the idempotency key it came with: then each command it
//! called before gives its first reply again, and [`ctx.secret`](Ctx::secret) the same bytes.
//! [`ctx`](Ctx) says how; a service that calls and draws through it has nothing else to do.
//!
//! Who works under a lock sends what stands for it with a command, as `stoa-fence`; the service that
//! hands it out [says](Service::fences), inside of that command's commit, whether it still holds.
//!
//! Rows have owners. What a caller creates belongs to [`view.owner`](View::owner), a user or a
//! service account; [`view.visible`](View::visible), [`view.load`](View::load),
//! [`view.load_many`](View::load_many) and [`view.list`](View::list) show it to nobody else, but to
//! those to whom it was [granted](Tx::grant), where the contract says that it can be. Rows whose
//! contract names no owner, and no permission that shows them, are seen by all who may call the
//! method. Where a list is SQL of its own, [`view.access`](View::access) says whose rows it reads,
//! and [`view.page`](View::page) which.
//!
//! Everything of one caller happens in one tenant: rows, events, jobs. SQL says `tenant = :tenant` of
//! each table that it names, and that is all that a service knows of others.
//!
//! Where the functions of a contract stand in several rooms, the contract's `Functions` is the table
//! of them, in the place of the trait: `Functions { sign_in: sessions::sign_in, … }.serve()`. One that
//! is missing does not compile.
//!
//! What operators may change while nodes run is a message of the contract too: the manifest says what
//! it is unless somebody says something else, `.settings(&Settings { .. })`, and
//! [`view.settings`](View::settings) or [`ctx.settings`](Ctx::settings) what holds now.
//!
//! A service describes itself as data, its manifest:
//!
//! ```ignore
//! const MIGRATIONS: &[Migration] =
//!     &[Migration::expand("0001_orders", include_str!("../migrations/0001_orders.sql"))];
//!
//! /// Orders: a cart becomes a purchase in one commit of four services.
//! pub fn service() -> Service {
//!     Service::new(orders::serve(Orders))
//!         .examples(include_str!("../examples.yaml"))
//!         .needs(&["catalog", "inventory", "ledger", "notify"])
//!         .migrations(MIGRATIONS)
//! }
//! ```
//!
//! It reacts to events with commands: `.on::<OrderPlaced>("count", Start::Now, 1, events::count)` runs
//! [once for each event](Service::on), subject by subject in order, in as many partitions as it
//! says. What fails three times stands aside with its subject, where people see it, and all other
//! subjects flow. Whoever cannot know the types, automation and webhooks, takes
//! [any event](Service::on_any), as JSON; whoever keeps a copy of a list fills it first, and then
//! [follows its events](Service::mirror).
//!
//! Whoever has to know of everything takes the [record of every commit](Service::records), in order and
//! without a gap.
//!
//! What happens without a caller stands in the manifest too: [`outcome`](Service::outcome) follows a
//! job, [`timer`](Service::timer) runs a command by a [`Schedule`], and [`due`](Service::due) runs
//! one when a query says that it is time. Of bulk work and of whatever ends by itself the last is
//! the one to use, because a timer with nothing to do still makes a commit:
//!
//! ```ignore
//! .due("expire", store::next_expiry, &ExpireTransfersRequest::default())
//! ```
//!
//! What an effect reaches outside is a port: a trait of [`ports`] that some driver implements. The
//! manifest names it, `.uses::<dyn Mailer>()`, so that a node which does not have it says so when it
//! starts; the effect asks for it, `ctx.port::<dyn Mailer>()?`. HTTP has a word of its own: the
//! manifest says `.reaches(&["api.stripe.com"])`, or [`reaches_given`](Service::reaches_given) where
//! users say whom to reach, and the effect [fetches](Ctx::fetch):
//!
//! ```ignore
//! let charge = Fetch::post("https://api.stripe.com/v1/charges", FORM, body).bearer(&secret);
//! let charge = ctx.fetch(charge).await?.success()?;
//! ```
//!
//! A service whose users say what is to be called, automation or a schedule, knows no type of it:
//! `.invokes()` in the manifest, and [`ctx.invoke`](Ctx::invoke) by name and as JSON, in the name of whoever
//! said so and by what they may when it happens.
//!
//! What is so only for as long as somebody says it, who is there or who is typing, is in a
//! [topic](Ctx::topic), which is told to whoever watches it and never written. A stream that holds the
//! [`Presence`] of its caller keeps them there until the connection ends:
//!
//! ```ignore
//! let room = ctx.topic(&request.room);
//! let here = room.enter(&Guest { name: request.name })?;
//! let states = room.watch::<Guest>().map_ok(move |guests| { let _ = &here; reply(guests) });
//! ```
//!
//! What others call by HTTP of their own making, a webhook with a signed body for example, is an
//! effect whose request is `stoa.v1.HttpRequest http` and whose reply is `stoa.v1.HttpResponse http`.
//! The manifest says where it answers and how much it takes, `.raw::<ReceiveRequest>("/hooks/stripe",
//! 1 << 20)`; who may come in is its permission, as ever. Where clients were written for somebody else's API, it says
//! too [how they speak](Service::raw_as).
//!
//! **Invariant:** a query cannot write, a command cannot do I/O, an effect cannot hold a
//! transaction open: there is no function for it.
//!
//! **Invariant:** a command is deterministic: with the same rows and the same stamp it writes
//! the same again.
//!
//! **Invariant:** the kit knows no engine and no transport; [`session::Session`] is the one port
//! between a transaction and its engine.

#![forbid(unsafe_code)]

pub mod blobs;
mod caller;
mod ctx;
mod delta;
mod gathered;
mod grants;
pub mod id;
pub mod invoke;
mod list;
mod mask;
mod methods;
mod mount;
mod network;
pub mod outbound;
mod page;
pub mod personal;
pub mod ports;
mod query;
mod reactions;
pub mod registry;
mod requests;
pub mod ring;
mod schedule;
mod service;
pub mod session;
pub mod settings;
mod sweep;
mod table;
mod time;
pub mod topic;
pub mod tx;
pub mod value;
mod visible;
pub mod world;

pub use caller::{Access, Caller, MAIN, Pattern, Proof};
pub use ctx::{Basis, Ctx, Fence, Look, Runner, Step, Stream};
pub use delta::Delta;
pub use grants::Holder;
pub use invoke::{Invocation, Principal};
pub use list::{List, Wanted};
pub use mask::{Mask, check_etag};
pub use methods::Methods;
pub use mount::{Manners, Mount};
pub use network::{network, network_of};
pub use page::Page;
pub use query::{Filter, Query};
pub use reactions::{Delivered, Outcome, Recorded, Records, Start, Subscription, Take};
pub use registry::Registry;
pub use requests::Requests;
pub use ring::{Ring, Root, Seal};
pub use schedule::Schedule;
pub use service::{
    Ask, Authenticated, Authenticator, CheckFence, Erase, KERNEL, Migration, Phase, Service, Timer,
    When,
};
pub use stoa_contract::open::Struct;
pub use stoa_contract::{
    Code, Error, Event, Message, Reason, Request, Resource, Result, Violation, v1,
};
pub use table::{Table, tagged};
pub use time::Micros;
pub use topic::{Presence, Topic};
pub use tx::{Cause, JobOptions, Tx, View};
pub use world::World;

#[doc(hidden)]
pub use stoa_contract as contract;
