//! A snapshot, as a service sees it.

use std::cell::RefCell;
use std::time::Duration;

use stoa_contract::{AnyMessage as _, Code, Kind, Request};

use super::{Cause, Core};
use crate::caller::Caller;
use crate::personal::{Copied, Keys};
use crate::registry::{Bound, Registry, ServiceId};
use crate::session::{Origin, Session, Sql, Stamp};
use crate::value::{FromRow, Params};
use crate::{Error, Micros, Result};

/// Nested calls deeper than this are a mistake.
const DEPTH_MAX: u8 = 16;

/// One consistent snapshot: what a query reads.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub(super) core: &'a Core<'a>,
    pub(super) service: ServiceId,
    pub(super) writes: bool,
}

impl View<'_> {
    /// The rows that a statement gives. `:tenant` is bound by the kernel, `$1` and on by `params`.
    ///
    /// # Errors
    /// `internal` for a statement that is refused; any error dooms the transaction.
    pub fn rows<T: FromRow>(&self, sql: &'static str, params: impl Params) -> Result<Vec<T>> {
        self.rows_of(sql.into(), params)
    }

    /// The same for a statement that may have been put together at run time.
    pub(crate) fn rows_of<T: FromRow>(&self, sql: Sql<'_>, params: impl Params) -> Result<Vec<T>> {
        self.read(sql, params, usize::MAX).map(|(rows, _)| rows)
    }

    /// The first row that a statement gives, if any.
    ///
    /// # Errors
    /// As [`View::rows`].
    pub fn row<T: FromRow>(&self, sql: &'static str, params: impl Params) -> Result<Option<T>> {
        self.read(sql.into(), params, 1).map(|(mut rows, _)| rows.pop())
    }

    pub(super) fn origin(&self) -> Origin<'_> {
        Origin {
            service: self.service.0,
            tenant: &self.core.run.caller.tenant,
            writes: self.writes,
        }
    }

    /// The first rows that a statement gives, and how many it changed.
    pub(super) fn read<T: FromRow>(
        &self, sql: Sql<'_>, params: impl Params, most: usize,
    ) -> Result<(Vec<T>, u64)> {
        let Some(personal) = T::PERSONAL else { return self.run(sql, params, most) };
        let (rows, changed) = self.run::<Copied>(sql, params, most)?;
        let open = |row| T::read(&self.open_row(personal, row)?);
        let rows = self.core.doom(rows.into_iter().map(open).collect());
        rows.map(|rows| (rows, changed))
    }

    pub(super) fn run<T: FromRow>(
        &self, sql: Sql<'_>, params: impl Params, most: usize,
    ) -> Result<(Vec<T>, u64)> {
        self.core.alive()?;
        let (origin, mut rows) = (self.origin(), Vec::new());
        let changed = self.core.doom(self.bind(params, |values| {
            self.session(&mut |session| {
                session.run(origin, sql, values, &mut |row| {
                    if rows.len() < most {
                        rows.push(T::read(row)?);
                    }
                    // A statement that writes must run to its end.
                    Ok(self.writes || rows.len() < most)
                })
            })
        }));
        let changed = changed?;
        self.core.wrote.set(self.core.wrote.get() || changed > 0);
        Ok((rows, changed))
    }

    pub(crate) fn session(
        &self, body: &mut dyn FnMut(&mut dyn Session) -> Result<u64>,
    ) -> Result<u64> {
        self.core.session.with(body)
    }

    /// Asks a query, of this service or one that it needs, on the same snapshot.
    ///
    /// # Errors
    /// What the query returns; outside [`Tx::attempt`] it dooms the transaction.
    pub fn call<R: Request>(&self, request: R) -> Result<R::Reply> {
        const { assert!(matches!(R::METHOD.kind, Kind::Query), "a view can only ask queries") };
        self.dispatch(request, |bound, callee, request| bound.query::<R>(&callee, request))
    }

    /// Tells the session what cannot fail.
    pub(super) fn note(&self, tell: impl Fn(&mut dyn Session)) {
        // What is told is no statement, and gives no error.
        let _ = self.session(&mut |session| {
            tell(session);
            Ok(0)
        });
    }

    pub(super) fn dispatch<R: Request>(
        &self, mut request: R, run: impl FnOnce(&Bound, View, R) -> Result<R::Reply>,
    ) -> Result<R::Reply> {
        let core = self.core;
        core.alive()?;
        let outcome = (|| {
            let bound = core.run.registry.callee(self.service, R::METHOD)?;
            let told = |error: Error| error.out_of(&R::METHOD.short_name());
            request.admit().map_err(told)?;
            if core.depth.get() == DEPTH_MAX {
                return Err(Error::internal(format!("calls nest deeper than {DEPTH_MAX}")));
            }
            core.depth.set(core.depth.get() + 1);
            let writes = self.writes && bound.method.kind == Kind::Command;
            let wrote = core.has_written();
            self.note(|session| session.enter(R::METHOD.path));
            let outcome = run(bound, View { core, service: bound.service, writes }, request);
            self.note(|session| session.leave());
            core.depth.set(core.depth.get() - 1);
            if wrote && outcome.as_ref().is_err_and(Error::is_remembered) {
                // With the refusal, half of what called it would be committed.
                let path = R::METHOD.path;
                let what = format!("{path} remembers a refusal: call it before writing anything");
                return Err(Error::internal(what));
            }
            // A service knows of its own methods what their fields were in the request that came.
            if bound.service == self.service { outcome } else { outcome.map_err(told) }
        })();
        core.doom(outcome)
    }

    /// The time of this commit, or of the snapshot: not before that of any commit which it shows.
    /// Positions order commits; time does not, since a clock may have been wrong.
    pub fn now(&self) -> Micros {
        self.core.session.now(self.core.run.stamp)
    }

    /// Who asked first: a nested call sees the caller of the outermost one.
    pub fn caller(&self) -> &Caller {
        self.core.run.caller
    }

    /// The user who asked.
    ///
    /// # Errors
    /// `auth.no_user` where the caller is not a user.
    pub fn user(&self) -> Result<&str> {
        self.caller().person()
    }

    /// Asks for a proof, not older than this, of who calls: for what only some requests of a method
    /// take. Where all do, its contract says `(stoa.v1.step_up_seconds)`.
    ///
    /// # Errors
    /// `auth.step_up_required`.
    pub fn step_up(&self, within: Duration) -> Result<()> {
        self.caller().step_up(within, self.now())
    }

    /// Who owns what the caller creates: the id of a user or a service account.
    ///
    /// # Errors
    /// `auth.no_owner` where nobody in particular asks, or the node itself.
    pub fn owner(&self) -> Result<&str> {
        self.caller().owner().ok_or_else(|| {
            Error::new(Code::FailedPrecondition, "auth.no_owner", "nobody would own this")
                .help("Sign in, or use a key: what is created belongs to whoever creates it.")
        })
    }

    /// Why this runs.
    pub fn cause(&self) -> &Cause {
        self.core.run.cause
    }

    /// Whether a service of this node asks, rather than somebody over a face.
    pub fn is_nested(&self) -> bool {
        self.core.depth.get() > 0
    }

    /// The same in the name of the kernel, for its own rows.
    pub(crate) fn of_kernel(&self) -> View<'_> {
        View { core: self.core, service: ServiceId::KERNEL, writes: self.writes }
    }

    pub(crate) fn service(&self) -> ServiceId {
        self.service
    }

    /// The same snapshot, as another service sees it.
    pub(crate) fn seen_by(&self, service: ServiceId) -> Self {
        Self { service, ..*self }
    }

    pub(crate) fn writes(&self) -> bool {
        self.writes
    }

    pub(crate) fn commits(&self) -> bool {
        self.core.commits
    }

    pub(crate) fn stamp(&self) -> Stamp {
        self.core.run.stamp
    }

    pub(crate) fn keys(&self) -> &RefCell<Keys> {
        &self.core.keys
    }

    /// Every service of the node; for the node's own contract.
    pub fn registry(&self) -> &Registry {
        self.core.run.registry
    }

    /// Whether commands run one after another on this engine; for kit primitives.
    pub(crate) fn is_serial(&self) -> bool {
        self.core.session.is_serial()
    }
}
