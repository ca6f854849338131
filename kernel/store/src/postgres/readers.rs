//! Readers: threads with a connection each, for queries and for whatever else is asked of the
//! database outside of a command.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::time::Duration;

use futures::future::BoxFuture;
use stoa_contract::Code;
use stoa_kit::session::Stamp;
use stoa_kit::{Error, Result};
use tokio::sync::oneshot;

use super::Shared;
use super::dial::Role;
use super::link::{Link, Step, is_crowded};
use super::session::PgSession;
use super::trouble::is_passing;
use crate::{Read, run};

/// How long a query may take in all.
const BUDGET: Duration = Duration::from_secs(20);
/// Queries that may wait.
pub(super) const WAITING: usize = 2_048;

/// Something to be done on a reader's connection; it may be done again after a lost one.
pub(super) struct Errand {
    work: Box<Work>,
    done: oneshot::Sender<Result<()>>,
}

type Work = dyn FnMut(&mut Link) -> Result<()> + Send;

impl Shared {
    /// Has a reader do something.
    pub(super) fn ask<T: Send + 'static>(
        &self, mut work: impl FnMut(&mut Link) -> Result<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T>> {
        let (done, wait) = oneshot::channel();
        let (give, given) = std::sync::mpsc::channel();
        let work = Box::new(move |link: &mut Link| {
            // Whoever stopped waiting does not miss the result.
            let _ = give.send(work(link)?);
            Ok(())
        });
        // All wait in one line: there is nobody to be fair to.
        let nobody = Arc::from("");
        let put = self.errands.put((&nobody, &nobody), 0, Errand { work, done }, &self.asked);
        Box::pin(async move {
            put?;
            wait.await.unwrap_or_else(|_| Err(run::closed()))?;
            given.try_recv().map_err(Error::internal)
        })
    }

    /// Runs a query on a snapshot that holds a position.
    pub(super) fn read(
        self: &Arc<Self>, position: Option<i64>, mut read: Read<()>,
    ) -> BoxFuture<'static, Result<()>> {
        self.metrics.reads.fetch_add(1, Relaxed);
        let shared = Arc::clone(self);
        self.ask(move |link| {
            if let Some(position) = position {
                shared.check(link, position)?;
            }
            let stamp = Stamp { now: shared.world.now(), seed: [0, 0] };
            link.snapshot = true;
            link.lead(Step::plain("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
            let mut session = PgSession::new(link, &shared, BUDGET)
                .timed_by_server(shared.options.database_clock);
            let outcome = run::unwound(|| read(&mut session, stamp));
            session.trail.whole()?;
            outcome
        })
    }

    /// There is one primary, and a new snapshot of it holds all that was ever acknowledged: a
    /// position is there, or it is none of this cell's.
    fn check(&self, link: &mut Link, position: i64) -> Result<()> {
        const NEXT: &str = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
        if position <= self.highest.load(Acquire) || position < self.base() + link.number(NEXT)? {
            return Ok(());
        }
        Err(Error::new(
            Code::FailedPrecondition,
            "position.unknown",
            "this position is ahead of the cell's last commit",
        )
        .help("Use a position that this cell gave."))
    }
}

/// A reader's state.
pub(super) struct Reader {
    shared: Arc<Shared>,
    link: Link,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>) -> Result<Self> {
        let link = Link::new(Arc::clone(&shared), Role::Read)?;
        Ok(Self { shared, link })
    }

    /// One step: waits for an errand and does it. False when the store closes.
    pub(super) fn step(&mut self) -> bool {
        let Some(errands) = self.shared.errands.take(1, &self.shared.asked) else { return false };
        for mut errand in errands {
            let mut outcome = self.once(&mut errand.work);
            if outcome.as_ref().is_err_and(is_passing) {
                self.link.reset();
                outcome = self.once(&mut errand.work);
            }
            if outcome.as_ref().is_err_and(is_crowded) && self.link.is_left_out() {
                let nobody = Arc::from("");
                let whose = (&nobody, &nobody);
                self.shared.errands.put_back(whose, 0, errand, &self.shared.asked);
                return self.link.rest();
            }
            // Whoever stopped waiting does not miss the result, and nobody waits for the end of
            // the snapshot.
            let _ = errand.done.send(outcome);
            let snapshot = std::mem::take(&mut self.link.snapshot);
            if snapshot && !self.link.forget_lead() && self.link.plain("ROLLBACK").is_err() {
                self.link.reset();
            }
        }
        true
    }

    fn once(&mut self, work: &mut Work) -> Result<()> {
        self.link.connect()?;
        work(&mut self.link)
    }
}
