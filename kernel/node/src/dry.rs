//! Dry runs: a command runs, tells what it would write, and is undone.
//!
//! It is the command itself that runs, over the rows that are there, behind the same permission, rules
//! and limits. Its transaction is then rolled back as that of a command that failed, so nothing of it
//! stays: no row, event, job or record, no position, and no claim on an idempotency key. What a refusal
//! leaves behind stays, as after any call: a wrong password counts.
//!
//! **Invariant:** what would be told to the outside is not run: an effect has no dry run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use stoa_contract::{AnyMessage, Code, Kind, Method};
use stoa_kit::session::{Session, Stamp};
use stoa_kit::tx::Gathered;
use stoa_kit::{Error, Result};
use stoa_store::{Commit, Committed, Outcome, Reply, Run};

use crate::Node;
use crate::call::{Answer, Body};
use crate::rpc::header;

/// What asks for a dry run, and tells of it.
pub(crate) const HEADER: &str = "stoa-dry-run";
/// Why the transaction of a dry run is rolled back. Nobody is told.
const UNDONE: &str = "node.dry_run";

/// What a command would write, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DryRun {
    /// Rows, by their table.
    pub rows: BTreeMap<String, u64>,
    /// Events, by their topic.
    pub events: BTreeMap<String, u64>,
    /// Jobs, by their method.
    pub jobs: BTreeMap<String, u64>,
}

impl DryRun {
    fn of(session: &dyn Session, gathered: &Gathered) -> Self {
        let mut dry = Self::default();
        for (table, rows) in session.written() {
            *dry.rows.entry(table).or_default() += rows;
        }
        for event in &gathered.events {
            *dry.events.entry(event.topic.to_owned()).or_default() += 1;
        }
        for job in &gathered.jobs {
            *dry.jobs.entry(job.method.to_owned()).or_default() += 1;
        }
        dry
    }

    /// The same as JSON on one line: `{"rows":{"ledger_entry":2},"events":{},"jobs":{}}`.
    pub fn json(&self) -> String {
        serde_json::json!({"rows": self.rows, "events": self.events, "jobs": self.jobs}).to_string()
    }
}

/// Whether headers ask for a dry run: `stoa-dry-run: true`.
///
/// # Errors
/// `request.header` for what is neither a yes nor a no: whoever asked for one wrongly would have it done.
pub(crate) fn asked_for(headers: &HeaderMap) -> Result<bool> {
    match header(headers, HEADER)? {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Error::new(
            Code::InvalidArgument,
            "request.header",
            format!("the header `{HEADER}` is neither `true` nor `false`"),
        )
        .help("Send `true` to have a command undone, or leave it out.")),
    }
}

/// Refuses a dry run of what cannot be undone.
pub(crate) fn check(method: &Method) -> Result<()> {
    match method.kind {
        Kind::Query | Kind::Command => Ok(()),
        Kind::Effect => Err(Error::new(
            Code::InvalidArgument,
            "request.dry_run",
            "what reaches outside of the store cannot be undone, and has no dry run",
        )
        .help("Leave the header `stoa-dry-run` out to do it.")),
    }
}

impl Node {
    /// Makes a commit that does not happen.
    pub(crate) async fn dry_run(&self, commit: Commit) -> Result<Answer> {
        let slot = Arc::new(Mutex::new(None));
        let run = undone(commit.run, Arc::clone(&slot));
        match self.store.commit(Commit { run, ..commit }).await {
            Err(error) if error.reason() == UNDONE => {}
            Err(error) => return Err(error),
            Ok(Committed { reply: Reply::Fresh(Some(Err(refusal))), .. }) => return Err(refusal),
            Ok(_) => return Err(Error::internal("a dry run was committed")),
        }
        let found = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (reply, dry) = found.ok_or_else(|| Error::internal("a dry run gave nothing"))?;
        let body = Body::Message(reply);
        Ok(Answer { body, position: None, replayed: false, dry_run: Some(dry) })
    }
}

type Slot = Arc<Mutex<Option<(Box<dyn AnyMessage>, DryRun)>>>;

/// Runs a command, keeps what came of it, and fails.
fn undone(mut run: Run, slot: Slot) -> Run {
    Box::new(move |session: &mut dyn Session, stamp: Stamp| {
        let outcome = run(session, stamp)?;
        let reply = match outcome.reply {
            Some(Ok(reply)) => reply,
            // A refusal that is remembered counts, or secrets could be guessed by dry runs.
            Some(Err(refusal)) => return Ok(Outcome { reply: Some(Err(refusal)), ..outcome }),
            None => return Err(Error::internal("a command gave no reply")),
        };
        // What was not waited for may still be refused.
        session.flush()?;
        let dry = DryRun::of(session, &outcome.gathered);
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some((reply, dry));
        Err(Error::new(Code::Canceled, UNDONE, "a dry run is undone"))
    })
}
