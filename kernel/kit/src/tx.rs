//! Transactions and snapshots, as a service sees them.

mod as_caller;
mod cause;
mod view;

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use stoa_contract::{Event, Kind, Request};

use crate::caller::Caller;
use crate::id::{self, Stream};
use crate::personal::Keys;
use crate::registry::{Registry, ServiceId};
use crate::session::{Session, Stamp};
use crate::value::Params;
use crate::{Error, Micros, Result};

pub use cause::Cause;
pub use view::View;

pub use crate::gathered::{Emitted, Enqueued, Gathered, JobOptions};

/// Who asks, why and when: what a run of a method stands on. For the node; services are handed
/// a [`Tx`] or a [`View`].
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// Every service of the node.
    pub registry: &'a Registry,
    /// Who asked first.
    pub caller: &'a Caller,
    /// Why.
    pub cause: &'a Cause,
    /// Where time, ids and randomness come from.
    pub stamp: Stamp,
    /// Whether a service asks, from one of its effects: authorized by the declared need, like
    /// every call between services.
    pub nested: bool,
}

/// One open transaction or snapshot and everything a run of a method gathers.
struct Core<'a> {
    session: &'a dyn Handle,
    run: Run<'a>,
    ids: RefCell<Stream>,
    doomed: RefCell<Option<Error>>,
    depth: Cell<u8>,
    gathered: RefCell<Gathered>,
    keys: RefCell<Keys>,
    /// Whether any row was written.
    wrote: Cell<bool>,
    /// Whether what is read may not be durable yet.
    commits: bool,
}

/// A session that a view and the transaction around it share.
trait Handle {
    fn with(&self, body: &mut dyn FnMut(&mut dyn Session) -> Result<u64>) -> Result<u64>;
    fn now(&self, stamp: Stamp) -> Micros;
    fn is_serial(&self) -> bool;
}

impl Handle for RefCell<&mut dyn Session> {
    fn with(&self, body: &mut dyn FnMut(&mut dyn Session) -> Result<u64>) -> Result<u64> {
        body(&mut **self.borrow_mut())
    }

    fn now(&self, stamp: Stamp) -> Micros {
        self.borrow_mut().now(stamp)
    }

    fn is_serial(&self) -> bool {
        self.borrow().is_serial()
    }
}

impl Run<'_> {
    /// Runs a command of a service: its result and what it leaves for the commit record.
    ///
    /// # Errors
    /// What `body` returns, or the first error met outside [`Tx::attempt`], which doomed the
    /// transaction even if the command swallowed it.
    pub fn command<T>(
        &self, session: &mut dyn Session, service: ServiceId,
        body: impl FnOnce(&mut Tx) -> Result<T>,
    ) -> Result<(T, Gathered)> {
        let (outcome, gathered) = self.asked(session, service, body)?;
        Ok((outcome?, gathered))
    }

    /// The same for whoever asked for this command and waits for what it comes to: a refusal that
    /// is [remembered](Error::remembered) is a result too, and what it leaves is to be committed.
    ///
    /// # Errors
    /// As [`Run::command`], but for such a refusal.
    pub fn asked<T>(
        &self, session: &mut dyn Session, service: ServiceId,
        body: impl FnOnce(&mut Tx) -> Result<T>,
    ) -> Result<(Result<T>, Gathered)> {
        let session = RefCell::new(session);
        let core = Core::new(&session, *self, true);
        let outcome = body(&mut Tx { view: View { core: &core, service, writes: true } });
        let outcome = core.doomed.into_inner().map_or(outcome, Err);
        let mut gathered = core.gathered.into_inner();
        if let Err(error) = &outcome {
            if !error.is_remembered() {
                return Err(error.clone());
            }
            gathered.forgets_key = true;
        }
        Ok((outcome, gathered))
    }

    /// Runs a query of a service.
    ///
    /// # Errors
    /// As [`Run::command`].
    pub fn query<T>(
        &self, session: &mut dyn Session, service: ServiceId, body: impl FnOnce(&View) -> Result<T>,
    ) -> Result<T> {
        let session = RefCell::new(session);
        let core = Core::new(&session, *self, false);
        let outcome = body(&View { core: &core, service, writes: false });
        core.doomed.into_inner().map_or(outcome, Err)
    }
}

impl<'a> Core<'a> {
    fn new(session: &'a dyn Handle, run: Run<'a>, commits: bool) -> Self {
        let [low, high] = run.stamp.seed;
        Self {
            session,
            run,
            ids: RefCell::new(Stream::new(low ^ high.rotate_left(32))),
            doomed: RefCell::new(None),
            depth: Cell::new(u8::from(run.nested)),
            gathered: RefCell::new(Gathered::default()),
            keys: RefCell::new(Keys::default()),
            wrote: Cell::new(false),
            commits,
        }
    }

    fn alive(&self) -> Result<()> {
        match &*self.doomed.borrow() {
            Some(first) => Err(first.clone()),
            None => Ok(()),
        }
    }

    /// Remembers the first error, so that every later use returns it.
    fn doom<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result {
            self.doomed.borrow_mut().get_or_insert_with(|| error.clone());
        }
        result
    }

    /// Whether anything was left to be committed.
    fn has_written(&self) -> bool {
        let gathered = self.gathered.borrow();
        self.wrote.get() || !gathered.events.is_empty() || !gathered.jobs.is_empty()
    }

    /// Opens, keeps or undoes a savepoint.
    fn savepoint(&self, step: fn(&mut dyn Session) -> Result<()>) -> Result<()> {
        self.doom(self.session.with(&mut |session| step(session).map(|()| 0)).map(|_| ()))
    }
}

/// One open transaction: what a command reads and changes.
pub struct Tx<'a> {
    view: View<'a>,
}

impl<'a> Deref for Tx<'a> {
    type Target = View<'a>;

    fn deref(&self) -> &View<'a> {
        &self.view
    }
}

impl Tx<'_> {
    /// Runs a statement and gives the number of rows it changed.
    ///
    /// # Errors
    /// `internal` for a statement that is refused; any error dooms the transaction.
    pub fn execute(&mut self, sql: &'static str, params: impl Params) -> Result<u64> {
        self.view.run::<()>(sql.into(), params, 0).map(|(_, changed)| changed)
    }

    /// The same in the name of the kernel, for its own rows.
    pub(crate) fn execute_as_kernel(
        &mut self, sql: &'static str, params: impl Params,
    ) -> Result<u64> {
        self.of_kernel().run::<()>(sql.into(), params, 0).map(|(_, changed)| changed)
    }

    /// Adds one row, which cannot be there yet: `INSERT … VALUES (…)` without `ON CONFLICT`. On
    /// PostgreSQL it leaves together with the next statement whose answer is needed, and so
    /// costs no round trip of its own.
    ///
    /// # Errors
    /// `internal` for a statement that is refused, and for a row that is there already, which may
    /// be noticed only by a later statement; any error dooms the transaction.
    pub fn insert(&mut self, sql: &'static str, params: impl Params) -> Result<()> {
        let View { core, .. } = self.view;
        let origin = self.view.origin();
        core.alive()?;
        let added = self.bind(params, |values| {
            self.session(&mut |session| session.insert(origin, sql.into(), values).map(|()| 1))
        });
        core.doom(added)?;
        core.wrote.set(true);
        Ok(())
    }

    /// Calls a command or a query, of this service or one that it needs, in this transaction.
    ///
    /// # Errors
    /// What the method returns; outside [`Tx::attempt`] it dooms the transaction.
    pub fn call<R: Request>(&mut self, request: R) -> Result<R::Reply> {
        const { assert!(!matches!(R::METHOD.kind, Kind::Effect), "an effect cannot run here") };
        self.view.dispatch(request, |bound, callee, request| match R::METHOD.kind {
            Kind::Query => bound.query::<R>(&callee, request),
            _ => bound.command::<R>(&mut Tx { view: callee }, request),
        })
    }

    /// Runs something as another service, in this transaction; what it fails with ends it.
    pub(crate) fn as_service<T>(
        &mut self, service: ServiceId, body: impl FnOnce(&mut Tx) -> Result<T>,
    ) -> Result<T> {
        let outcome = body(&mut Tx { view: self.view.seen_by(service) });
        self.view.core.doom(outcome)
    }

    /// Writes what changes no answer of any query, and wakes no watch.
    pub(crate) fn unseen<T>(&mut self, body: impl FnOnce(&mut Tx) -> Result<T>) -> Result<T> {
        let tell = |unseen| {
            move |session: &mut dyn Session| {
                session.unseen(unseen);
                Ok(0)
            }
        };
        self.session(&mut tell(true))?;
        let outcome = body(self);
        self.session(&mut tell(false))?;
        outcome
    }

    /// Tries something that may fail: an error undoes what `body` did, and nothing else.
    ///
    /// # Errors
    /// What `body` returns, after its changes are undone.
    pub fn attempt<T>(&mut self, body: impl FnOnce(&mut Tx) -> Result<T>) -> Result<T> {
        let core = self.view.core;
        core.alive()?;
        let before = core.gathered.borrow().clone();
        let wrote = core.wrote.get();
        core.savepoint(|session| session.savepoint())?;
        let outcome = body(self).and_then(|value| {
            core.savepoint(|session| session.flush())?;
            Ok(value)
        });
        let failed = core.doomed.borrow_mut().take().or_else(|| outcome.as_ref().err().cloned());
        match failed {
            None => {
                core.savepoint(|session| session.release())?;
                outcome
            }
            Some(error) => {
                // A key that was made in the attempt goes with it.
                *core.keys.borrow_mut() = Keys::default();
                core.savepoint(|session| session.rollback())?;
                *core.gathered.borrow_mut() = before;
                core.wrote.set(wrote);
                Err(error)
            }
        }
    }

    /// Runs something of a service for another tenant, in this commit: for the node's own contract,
    /// which makes tenants. What it emits or enqueues would belong to both, and is refused.
    ///
    /// # Errors
    /// What `body` returns; it dooms the transaction.
    pub fn within<T>(
        &mut self, tenant: &str, service: ServiceId, body: impl FnOnce(&mut Tx) -> Result<T>,
    ) -> Result<T> {
        let outer = self.view.core;
        outer.alive()?;
        let caller = Caller::system(tenant);
        let core = Core::new(outer.session, Run { caller: &caller, ..outer.run }, true);
        let outcome = body(&mut Tx { view: View { core: &core, service, writes: true } });
        let outcome = match core.doomed.into_inner() {
            Some(first) => Err(first),
            None if core.gathered.into_inner() != Gathered::default() => {
                Err(Error::internal("something is left for the log of two tenants"))
            }
            None => outcome,
        };
        outer.doom(outcome)
    }

    /// Appends an event to the tenant's log, in this commit.
    pub fn emit<E: Event>(&mut self, event: &E) {
        let core = self.view.core;
        let (depth, sealed) = (self.cause().depth(), self.seal_message(event));
        // What cannot be sealed ends the transaction.
        let Ok(payload) = core.doom(sealed) else { return };
        core.gathered.borrow_mut().events.push(Emitted {
            topic: E::TOPIC,
            message: E::NAME,
            subject: event.subject().to_owned(),
            payload,
            depth,
        });
    }

    /// Enqueues a job of this service: its method runs after this commit, on behalf of the caller. A
    /// method that takes a permission runs as they are then, and not at all once they may not; one that
    /// is `internal` runs as a part of the service, and sees what a call between services does.
    ///
    /// # Errors
    /// `internal` where the method is not declared as a job of this service.
    pub fn enqueue<R: Request>(&mut self, request: &R, options: JobOptions) -> Result<String> {
        let core = self.view.core;
        core.alive()?;
        let service = core.run.registry.service(self.view.service).name;
        if R::METHOD.job.is_none() || R::METHOD.service != service {
            return core.doom(Err(Error::internal(format!(
                "{} is not a job of {service}",
                R::METHOD.path
            ))));
        }
        let id = self.new_id("job");
        let caller = core.run.caller;
        let (behalf, credential) = match &options.on_behalf {
            Some(subject) => (subject.clone(), String::new()),
            None => (caller.subject.to_string(), caller.credential.to_string()),
        };
        core.gathered.borrow_mut().jobs.push(Enqueued {
            id: id.clone(),
            method: R::METHOD.path,
            request: request.encode_to_vec(),
            options,
            behalf,
            credential,
            depth: self.cause().depth(),
        });
        Ok(id)
    }

    /// Says whether this command, which does bulk work a chunk in each commit, has filled its
    /// chunk: if so, the timer or the job that runs it runs it again at once, in a commit of its
    /// own. Called by anybody else, a command does one chunk.
    pub fn again(&mut self, full: bool) {
        let core = self.view.core;
        if core.depth.get() == u8::from(core.run.nested) {
            core.gathered.borrow_mut().again |= full;
        }
    }

    /// Names something this commit changed, for the commit's story and for live queries.
    pub fn touch(&mut self, kind: &str, id: &str) {
        let key = format!("{kind}/{id}");
        let touched = &mut self.view.core.gathered.borrow_mut().touched;
        if !touched.contains(&key) {
            touched.push(key);
        }
    }

    /// A new identifier: `<prefix>_` and 26 characters. A re-run of the command gets it again.
    pub fn new_id(&self, prefix: &str) -> String {
        let chance = u128::from(self.random()) << 64 | u128::from(self.random());
        id::format(prefix, self.now(), chance)
    }

    /// A random number, not for secrets. A re-run of the command gets it again.
    pub fn random(&self) -> u64 {
        self.view.core.ids.borrow_mut().next()
    }

    /// Bytes that nobody can make again once they are deleted, whatever else they have: salts. A
    /// re-run of the command gets them again, for the same purpose.
    ///
    /// # Errors
    /// `internal` where the node has no keys yet.
    pub fn salt(&self, purpose: &str) -> Result<[u8; 32]> {
        let service = self.registry().service(self.view.service).name;
        let purpose = [b"salt", service.as_bytes(), purpose.as_bytes()];
        Ok(self.registry().ring()?.draw(self.stamp(), &purpose))
    }

    /// The time so much later.
    pub fn after(&self, wait: Duration) -> Micros {
        self.now().after(wait)
    }
}

/// A subject that acts through a service: `service:orders on behalf of user:usr_…`.
pub fn on_behalf(service: &str, subject: &str) -> Arc<str> {
    format!("service:{service} on behalf of {subject}").into()
}
