//! Running a command, as far as it is the same on both engines.

use std::sync::Arc;
use std::time::Duration;

use stoa_contract::Code;
use stoa_kit::session::{Extent, Reads, Session, Stamp};
use stoa_kit::{Error, Micros, Result, World};
use tokio::sync::oneshot;

use crate::inspect::Statement;
use crate::queue::Queue;
use crate::timeline::Recorder;
use crate::{Changes, Commit, Committed, Header, Metrics, Outcome, Run, kernel};

/// A command and whoever waits for it.
pub(crate) struct Waiting {
    pub commit: Commit,
    /// Since when it waits.
    pub since: Duration,
    reply: oneshot::Sender<Result<Committed>>,
}

/// Where the outcome of a command that waits will appear.
pub(crate) type Receipt = oneshot::Receiver<Result<Committed>>;

impl Waiting {
    /// Accepts a command into a queue or refuses it at once.
    pub(crate) fn admit(
        queue: &Queue<Self>, commit: Commit, metrics: &Metrics, since: Duration,
    ) -> Result<Receipt> {
        let (reply, receipt) = oneshot::channel();
        let ((tenant, caller), bytes) = whose(&commit.header);
        queue.put((&tenant, &caller), bytes, Self { commit, since, reply }, &metrics.queue)?;
        Ok(receipt)
    }

    /// Back into the queue, for somebody else to do.
    pub(crate) fn put_back(self, queue: &Queue<Self>, metrics: &Metrics) {
        let ((tenant, caller), bytes) = whose(&self.commit.header);
        queue.put_back((&tenant, &caller), bytes, self, &metrics.queue);
    }

    /// The command, unless nobody waits for it any more.
    pub(crate) fn unless_late(self, uptime: Duration) -> Option<Self> {
        if self.commit.header.deadline.is_none_or(|deadline| deadline > uptime) {
            return Some(self);
        }
        self.answer(Err(Error::new(
            Code::DeadlineExceeded,
            "request.deadline",
            "the deadline passed before the command could run",
        )
        .help("Nothing was changed; retry with the same idempotency key.")));
        None
    }

    /// Hands the outcome to whoever waits.
    pub(crate) fn answer(self, outcome: Result<Committed>) {
        // Whoever stopped waiting does not miss the reply.
        let _ = self.reply.send(outcome);
    }
}

/// Whose turn a command takes, and how much it keeps.
fn whose(header: &Header) -> ((Arc<str>, Arc<str>), usize) {
    ((Arc::clone(&header.tenant), Arc::clone(&header.caller)), header.bytes)
}

/// What a command is told whose queue ended without it.
pub(crate) fn closed() -> Error {
    Error::unavailable("store.closed", "the store closed before the commit")
}

/// What callers are told when a COMMIT was sent and not confirmed.
pub(crate) fn outcome_unknown(cause: &Error) -> Error {
    Error::unavailable(
        "store.outcome_unknown",
        "the commit failed, and whether it is durable is not known",
    )
    .cause(format!("{cause:?}"))
}

/// What a command or a query is told that outgrew its budget.
pub(crate) fn too_slow() -> Error {
    Error::new(
        Code::ResourceExhausted,
        "store.too_slow",
        "the statement took longer than its budget",
    )
    .help("Ask for less at once: a smaller page, a narrower filter, a job in chunks.")
}

/// What an insert is told that added no row, or several.
pub(crate) fn one_row(rows: u64, sql: &str) -> Result<()> {
    if rows == 1 {
        return Ok(());
    }
    Err(Error::internal(format!("an insert added {rows} rows: {sql}")))
}

/// A fresh stamp.
pub(crate) fn stamp(world: &dyn World, now: Micros) -> Stamp {
    let mut seed = [0u8; 16];
    world.entropy(&mut seed);
    let (low, high) = seed.split_at(8);
    let number = |bytes: &[u8]| bytes.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
    Stamp { now, seed: [number(low), number(high)] }
}

/// Runs a command; a panic is a fault of ours and a rollback.
pub(crate) fn guarded(run: &mut Run, session: &mut dyn Session, stamp: Stamp) -> Result<Outcome> {
    unwound(|| run(session, stamp))
}

/// Runs service code; a panic in it is an error.
pub(crate) fn unwound<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(body))
        .unwrap_or_else(|panic| Err(Error::panicked(panic)))
}

/// What a command is told that wrote something else when it was run again.
pub(crate) fn not_deterministic(method: &str) -> Error {
    Error::internal(format!("{method} is not deterministic: run again, it writes something else"))
}

/// What a run leaves behind as it goes: the rows it changed by table and, for a rehearsal, a
/// digest of what it wrote.
#[derive(Default)]
pub(crate) struct Trail {
    /// Rows changed by table.
    pub changes: Changes,
    /// What was read, where somebody wants to know.
    pub reads: Option<Reads>,
    /// Whether what is written changes no answer.
    pub unseen: bool,
    /// A digest of every statement that wrote, for rehearsals.
    pub digest: Option<blake3::Hasher>,
    /// How it goes, where somebody may want to know.
    pub recorder: Option<Recorder>,
    /// The changes as they were when each open savepoint began.
    saved: Vec<Changes>,
    /// The error that broke the transaction, until the savepoint around it is rolled back.
    broken: Option<Error>,
}

impl Trail {
    /// Whether the transaction can go on: after an error PostgreSQL refuses every further
    /// statement, and so both engines do.
    pub(crate) fn whole(&self) -> Result<()> {
        self.broken.clone().map_or(Ok(()), Err)
    }

    /// Passes a result on; an error breaks the transaction.
    pub(crate) fn keep<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result {
            self.broken.get_or_insert_with(|| error.clone());
        }
        result
    }

    /// Notes a statement that wrote.
    pub(crate) fn note(
        &mut self, origin: stoa_kit::session::Origin<'_>, statement: &Statement,
        params: &[stoa_kit::value::Value<'_>], rows: u64,
    ) {
        if let Some(digest) = &mut self.digest {
            digest.update(statement.sqlite.as_bytes());
            digest.update(format!("{} {params:?} {rows}", origin.tenant).as_bytes());
        }
        if rows > 0 {
            for scope in &statement.writes {
                if origin.service != 0 || kernel::SEEN.contains(&&*scope.table) {
                    let unseen = self.unseen.then(Extent::default);
                    let extent = unseen.unwrap_or_else(|| scope.extent(params));
                    kernel::count(&mut self.changes, &scope.table, rows, &extent);
                }
            }
        }
    }

    /// When a statement begins, where it is noted how the run goes.
    pub(crate) fn begins(&self) -> Option<Duration> {
        self.recorder.as_ref().map(Recorder::now)
    }

    /// Notes how a statement went.
    pub(crate) fn ran(&mut self, statement: &Arc<Statement>, began: Option<Duration>, rows: u64) {
        if let (Some(recorder), Some(began)) = (&mut self.recorder, began) {
            recorder.ran(statement, began, rows);
        }
    }

    /// Notes a call.
    pub(crate) fn enter(&mut self, path: &'static str) {
        if let Some(recorder) = &mut self.recorder {
            recorder.enter(path);
        }
    }

    /// Notes its end.
    pub(crate) fn leave(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.leave();
        }
    }

    /// Notes what a statement is about to read, if somebody wants to know.
    pub(crate) fn note_reads(
        &mut self, statement: &Statement, params: &[stoa_kit::value::Value<'_>],
    ) {
        let Some(reads) = &mut self.reads else { return };
        for scope in &statement.reads {
            let extent = scope.extent(params);
            reads.entry(Arc::clone(&scope.table)).or_default().add(&extent);
        }
    }

    /// The rows changed so far, by table.
    pub(crate) fn written(&self) -> Vec<(String, u64)> {
        self.changes.iter().map(|(table, (rows, _))| (table.to_string(), *rows)).collect()
    }

    /// A savepoint begins.
    pub(crate) fn savepoint(&mut self) {
        self.saved.push(self.changes.clone());
    }

    /// The youngest savepoint ends, and what was done since is kept.
    pub(crate) fn release(&mut self) {
        self.saved.pop();
    }

    /// The youngest savepoint ends, and what was done since is undone.
    pub(crate) fn rollback(&mut self) {
        if let Some(before) = self.saved.pop() {
            self.changes = before;
        }
        self.broken = None;
    }
}
