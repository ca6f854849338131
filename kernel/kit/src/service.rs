//! The manifest: a service described as data.

use std::any::Any;
use std::sync::Arc;

use stoa_contract::{Code, Contract, Event, Format, Message, Method, Raw, Request};

use crate::blobs::{Blobs, Objects};
use crate::caller::Caller;
use crate::methods::{Handler, Methods};
use crate::mount::{Manners, Mount};
use crate::outbound::Http;
use crate::personal::Held;
use crate::ports::{Port, Use};
use crate::reactions::{Delivered, Outcome, Records, Start, Subscription, Take};
use crate::settings::Settings;
use crate::{Error, Micros, Result, Schedule, Tx, View};

/// The kernel's name among the services: its tables are `stoa_…`.
pub const KERNEL: &str = "stoa";

/// Refuses what a fence says, where it does not hold on the snapshot that is looked at.
pub type CheckFence = fn(&View, &str) -> Result<()>;

/// A service: its contract bound to functions, its tables, what it needs, how it reacts.
pub struct Service {
    /// The short name, unique in a node: `ledger`.
    pub name: &'static str,
    /// What it promises; the kernel promises nothing here.
    pub contract: Option<&'static Contract>,
    /// The services it may call.
    pub needs: &'static [&'static str],
    /// The ports that its effects use.
    pub uses: Vec<Use>,
    /// The hosts that its effects reach over HTTP.
    pub reaches: &'static [&'static str],
    /// Whether its effects reach hosts that users name.
    pub reaches_given: bool,
    /// Whether its effects call what only its data names.
    pub invokes: bool,
    /// Its tables, oldest change first.
    pub migrations: &'static [Migration],
    /// How it reacts to events.
    pub subscriptions: Vec<Subscription>,
    /// What it does with the records of commits.
    pub records: Option<Records>,
    /// What follows its jobs.
    pub outcomes: Vec<Outcome>,
    /// What it does by the clock, or when it is due.
    pub timers: Vec<Timer>,
    /// Its effects that take HTTP as it comes.
    pub mounts: Vec<Mount>,
    /// How it recognises callers, if it is the one service of a node that does.
    pub authenticator: Option<Authenticator>,
    /// What checks the fences that it hands out.
    pub fence: Option<CheckFence>,
    /// What operators may change of it.
    pub settings: Option<Settings>,
    /// Its tables that hold what is about people.
    pub held: Vec<Held>,
    /// Its tables whose rows name blobs.
    pub blobs: Vec<&'static Blobs>,
    /// What else it lets go of when somebody is erased.
    pub erase: Option<Erase>,
    /// How each of its methods is asked, as `examples.yaml` tells it.
    pub examples: &'static str,
    tells_of_people: bool,
    pub(crate) handlers: Vec<(&'static Method, Handler)>,
}

/// One change of a service's tables.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its name, `0001_accounts`; its order and its identity.
    pub name: &'static str,
    /// The statements.
    pub sql: &'static str,
    /// Whether older code keeps working after it.
    pub phase: Phase,
}

/// What a migration does to older code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Older code keeps working.
    Expand,
    /// Older code breaks: it does not start on the database any more. Stop it before.
    Contract,
}

impl Migration {
    /// A change after which older code keeps working.
    pub const fn expand(name: &'static str, sql: &'static str) -> Self {
        Self { name, sql, phase: Phase::Expand }
    }

    /// A change that older code does not survive.
    pub const fn contract(name: &'static str, sql: &'static str) -> Self {
        Self { name, sql, phase: Phase::Contract }
    }
}

/// A command that runs without a caller, once however many nodes there are.
#[derive(Debug, Clone)]
pub struct Timer {
    /// Its name, unique in the service.
    pub name: &'static str,
    /// When it fires.
    pub when: When,
    /// The path of the command.
    pub method: &'static str,
    /// The request, canonical.
    pub request: Vec<u8>,
}

/// When a timer fires.
#[derive(Debug, Clone)]
pub enum When {
    /// By the clock.
    By(Schedule),
    /// At the time that a query gives.
    Due(Ask),
}

/// Lets go of what a service knows of somebody who is erased.
pub type Erase = fn(&mut Tx, subject: &str) -> Result<()>;

/// Asks when there will be something to do, as far as is known now.
pub type Ask = fn(&View) -> Result<Option<Micros>>;

/// Whoever a token belongs to.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// The caller.
    pub caller: Caller,
    /// When the token must be looked at again, at the latest.
    pub until: Micros,
    /// The command to run because the token was used, by its path, and its request, canonical.
    pub due: Option<(&'static str, Vec<u8>)>,
}

impl Authenticated {
    /// Has a command of the provider's own committed because the token was used.
    #[must_use]
    pub fn then<R: Request>(mut self, request: &R) -> Self {
        self.due = Some((R::METHOD.path, request.encode_to_vec()));
        self
    }
}

/// How a node recognises the bearer of a token. An answer is kept until a commit writes a row that
/// it was read from: what is read of it by keys is what others may change often.
pub struct Authenticator {
    /// The tenant that a token names, whether it is good or not: where its bearer is looked for.
    pub tenant: fn(token: &str) -> Option<&str>,
    /// Finds the bearer; none for a token that is unknown, expired or revoked.
    pub run: fn(&View, token: &str) -> Result<Option<Authenticated>>,
    /// Who somebody is now whose call was long ago, by their subject and what they came with; none
    /// if they may nothing any more.
    pub principal: fn(&View, subject: &str, credential: &str) -> Result<Option<Caller>>,
    /// Keeps the hash of a code by which the first administrator of the tenant is made; false if
    /// there is one.
    pub prepare: fn(&mut Tx, code_hash: &[u8]) -> Result<bool>,
}

impl Service {
    /// A service with nothing but its methods.
    pub fn new(methods: Methods) -> Self {
        let objects = Use::of::<dyn Objects>(false);
        Self {
            name: methods.contract.name,
            contract: Some(methods.contract),
            needs: &[],
            uses: if methods.blobs.is_empty() { Vec::new() } else { vec![objects] },
            reaches: &[],
            reaches_given: false,
            invokes: false,
            migrations: &[],
            subscriptions: Vec::new(),
            records: None,
            outcomes: Vec::new(),
            timers: Vec::new(),
            mounts: Vec::new(),
            authenticator: None,
            fence: None,
            settings: None,
            held: methods.held,
            blobs: methods.blobs,
            erase: None,
            examples: "",
            tells_of_people: methods.tells_of_people,
            handlers: methods.handlers,
        }
    }

    /// The kernel itself, under the name that its tables begin with; for the node.
    pub fn kernel(methods: Methods) -> Self {
        Self { name: KERNEL, ..Self::new(methods) }
    }

    /// Shows how each of its methods is asked: the text of its `examples.yaml`.
    #[must_use]
    pub fn examples(mut self, examples: &'static str) -> Self {
        self.examples = examples;
        self
    }

    /// Names the services it may call.
    #[must_use]
    pub fn needs(mut self, needs: &'static [&'static str]) -> Self {
        self.needs = needs;
        self
    }

    /// Names a port without which the service is of no use: a node that does not provide it does
    /// not start.
    #[must_use]
    pub fn uses<P: Port + ?Sized>(mut self) -> Self {
        self.uses.push(Use::of::<P>(false));
        self
    }

    /// Names a port that the service can do without, and says itself what it does then.
    #[must_use]
    pub fn may_use<P: Port + ?Sized>(mut self) -> Self {
        self.uses.push(Use::of::<P>(true));
        self
    }

    /// Names the hosts that its effects reach over HTTP, `api.stripe.com` or `*.example.com`.
    #[must_use]
    pub fn reaches(self, hosts: &'static [&'static str]) -> Self {
        Self { reaches: hosts, ..self.uses::<dyn Http>() }
    }

    /// Says that its effects reach what users name, as far as the operator of a node lets them.
    #[must_use]
    pub fn reaches_given(self) -> Self {
        Self { reaches_given: true, ..self.uses::<dyn Http>() }
    }

    /// Says that its effects call methods that only its data names, in the name of those who wrote it:
    /// automation, schedules.
    #[must_use]
    pub fn invokes(self) -> Self {
        Self { invokes: true, ..self }
    }

    /// Names the changes that made its tables, oldest first.
    #[must_use]
    pub fn migrations(mut self, migrations: &'static [Migration]) -> Self {
        self.migrations = migrations;
        self
    }

    /// Reacts to an event, subject by subject in order.
    #[must_use]
    pub fn on<E: Event>(
        self, name: &'static str, start: Start, partitions: u16,
        run: impl Fn(&mut Tx, E) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.on_any(name, Some(E::TOPIC), start, partitions, move |tx, event| {
            // A topic may have events of several types.
            if event.message != E::NAME {
                return Ok(());
            }
            let payload = tx.open_message(&event.message, &event.payload)?;
            run(tx, stoa_contract::decode::<E>(&payload, Format::Binary)?)
        })
    }

    /// Reacts to events without knowing their types, of one topic or of all: automation,
    /// webhooks, views.
    #[must_use]
    pub fn on_any(
        mut self, name: &'static str, topic: Option<&'static str>, start: Start, partitions: u16,
        run: impl Fn(&mut Tx, &Delivered) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        let (partitions, run) = (partitions.max(1), Box::new(run));
        let fill = None;
        self.subscriptions.push(Subscription { name, topic, partitions, start, run, fill });
        self
    }

    /// Keeps a copy of what another service lists: a search, a cache, a view. It is filled page by
    /// page, each in a commit of its own, then follows the events since the filling began; where
    /// the log was swept past it, it is filled anew.
    ///
    /// `fill` is given the token of a page, empty for the first one, before which it forgets what
    /// it kept; it asks for that page, keeps what it shows, and gives the token of the next, empty
    /// after the last. Events are delivered after the last page, also those that a page shows
    /// already: `run` takes from them what is so now, not what they changed.
    #[must_use]
    pub fn mirror<E: Event>(
        self, name: &'static str, partitions: u16,
        fill: impl Fn(&mut Tx, &str) -> Result<String> + Send + Sync + 'static,
        run: impl Fn(&mut Tx, E) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        let mut service = self.on(name, Start::Now, partitions, run);
        if let Some(subscription) = service.subscriptions.last_mut() {
            subscription.fill = Some(Box::new(fill));
        }
        service
    }

    /// Takes the record of every commit of a tenant, of whichever service, in the order of their
    /// positions: each once, and none is left out, for none is swept before it was taken. What it
    /// makes of them is durable together with how far it has come. The records of its own commits it
    /// is not handed: it would follow itself without end.
    #[must_use]
    pub fn records(mut self, name: &'static str, take: Take) -> Self {
        self.records = Some(Records { name, take });
        self
    }

    /// Records what a job came to, in the commit that completes it.
    #[must_use]
    pub fn outcome<R: Request>(
        mut self,
        run: impl Fn(&mut Tx, &R, Result<&R::Reply, &Error>) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        let run = Arc::new(run);
        self.outcomes.push(Outcome {
            method: R::METHOD.path,
            run: Box::new(move |tx, request, outcome| {
                let request = cast::<R>(request.as_any())?;
                match outcome {
                    Ok(reply) => run(tx, request, Ok(cast::<R::Reply>(reply.as_any())?)),
                    Err(error) => run(tx, request, Err(error)),
                }
            }),
        });
        self
    }

    /// Runs a command of its own by the clock, whether or not there is something to do.
    #[must_use]
    pub fn timer<R: Request>(self, name: &'static str, schedule: Schedule, request: &R) -> Self {
        self.timed(name, When::By(schedule), request)
    }

    /// Runs a command of its own when there is something to do. `ask` is a query over the
    /// service's own tables: when the next work will be due, a time in the past if some waits,
    /// none if there is none. It is asked again after a commit that wrote one of those tables, at
    /// the most once a second; while nothing is due, nothing is written.
    #[must_use]
    pub fn due<R: Request>(self, name: &'static str, ask: Ask, request: &R) -> Self {
        self.timed(name, When::Due(ask), request)
    }

    fn timed<R: Request>(mut self, name: &'static str, when: When, request: &R) -> Self {
        let (method, request) = (R::METHOD.path, request.encode_to_vec());
        self.timers.push(Timer { name, when, method, request });
        self
    }

    /// Mounts an effect on a path: it answers there, and below, whatever HTTP asks by whatever
    /// verb, with bodies of up to `body_max` bytes. The door lets in who may call the method.
    ///
    /// A key that a known caller sends holds as everywhere. Of strangers none does: what they send
    /// twice, the service tells by what they send.
    #[must_use]
    pub fn raw<R: Raw>(mut self, prefix: &'static str, body_max: usize) -> Self {
        self.mounts.push(Mount::of::<R>(prefix, body_max));
        self
    }

    /// The same for clients that were written for somebody else's API: they send their token, and are
    /// refused, in its way.
    #[must_use]
    pub fn raw_as<R: Raw>(
        mut self, prefix: &'static str, body_max: usize, manners: Manners,
    ) -> Self {
        let mut mount = Mount::of::<R>(prefix, body_max);
        mount.manners = Some(manners);
        self.mounts.push(mount);
        self
    }

    /// Recognises the bearers of tokens for the node.
    #[must_use]
    pub fn authenticates(mut self, by: Authenticator) -> Self {
        self.authenticator = Some(by);
        self
    }

    /// Checks its fences: what a caller sends as `stoa-fence` along with a command of any service, this
    /// one's name, a colon and what `check` is given, is looked at inside of the command's commit;
    /// along with an effect, before it begins and inside of each of its commits. Where it does not
    /// hold any more, nothing happens. A service that hands out locks says by it which lock, and
    /// how-manieth holder the caller is.
    #[must_use]
    pub fn fences(mut self, check: CheckFence) -> Self {
        self.fence = Some(check);
        self
    }

    /// Names what operators may change while it runs, and what it is until they do.
    #[must_use]
    pub fn settings<T: Message>(mut self, defaults: &T) -> Self {
        self.settings = Some(Settings::of(defaults));
        self
    }

    /// Lets go of more than what is sealed when somebody is erased, in the same commit and before
    /// their key is destroyed: fingerprints, and whatever else must not stay as it is.
    #[must_use]
    pub fn erases(mut self, run: Erase) -> Self {
        self.erase = Some(run);
        self
    }

    /// Whether every method of its contract is bound, and as the kind that the contract says; and
    /// whether it answers for what it holds of people.
    ///
    /// # Errors
    /// `internal`, naming the method; `node.catalogue` where nobody says what becomes of what it is
    /// told of people.
    pub fn check(&self) -> Result<()> {
        for method in self.contract.map_or(&[][..], |contract| contract.methods) {
            let bound = self.handlers.iter().find(|(known, _)| known.path == method.path);
            if !bound.is_some_and(|(_, handler)| crate::methods::fits(method, handler)) {
                return Err(Error::internal(format!("{} is not bound", method.path)));
            }
        }
        if self.tells_of_people && self.held.is_empty() && self.erase.is_none() {
            let message =
                format!("`{}` is told of people, and does not say where that stays", self.name);
            return Err(Error::new(Code::FailedPrecondition, "node.catalogue", message).help(
                "Keep it in a table of the contract, or say with `.erases(…)` what becomes of it when \
                 somebody is erased.",
            ));
        }
        let mut named =
            self.blobs.iter().flat_map(|of| of.fields.iter().map(move |field| (of, field)));
        let unsaid = named.find(|(_, field)| field.subject.is_none() && self.erase.is_none());
        if let Some((of, field)) = unsaid {
            let message =
                format!("{}.{} names blobs, and nobody says about whom", of.table, field.column);
            return Err(Error::new(Code::FailedPrecondition, "node.catalogue", message).help(
                "Say `(stoa.v1.personal)` whom the bytes are about, or with `.erases(…)` which rows go \
                 when somebody is erased.",
            ));
        }
        Ok(())
    }
}

fn cast<T: Any>(message: &dyn Any) -> Result<&T> {
    message.downcast_ref().ok_or_else(|| Error::internal("a job was handed another message"))
}
