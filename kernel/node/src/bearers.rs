//! Answers to "whose token is this", kept for as long as what they rest on stays as it is.
//!
//! A look for a bearer notes which rows it reads; a commit tells which it wrote. An answer is good
//! until the two meet, so that one sign-out makes the node forget one token, and what a provider's
//! answers rest on is nothing that it has to say.
//!
//! **Invariant:** a commit tells of itself before its reply leaves: whoever revoked a token and was
//! answered never sees it used again on this node.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::unsync::Cache;
use stoa_kit::session::{Extent, Reads};
use stoa_kit::{Authenticated, Caller, MAIN, Micros};
use stoa_store::{Notice, Store, Written};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

/// Answers that are kept.
const KEPT_MAX: usize = 65_536;
/// What was written is noted of so much. Then all of it is forgotten, and with it all answers.
const NOTED_MAX: usize = 65_536;

/// A token, by a keyed hash of it.
type Name = [u8; 16];

/// Answers to "whose token is this".
pub(crate) struct Bearers(Mutex<Kept>);

struct Kept {
    answers: Cache<Name, Answer>,
    notices: Receiver<Notice>,
    changes: Changes,
}

struct Answer {
    found: Authenticated,
    rests_on: Reads,
    /// The notice up to which nothing that it rests on had changed.
    good_at: Cell<u64>,
}

/// What was written of the tables that answers rest on, each time by the number of the notice that
/// told of it.
#[derive(Default)]
struct Changes {
    /// Notices heard.
    heard: u64,
    /// The last of them that told of any of these tables.
    last: u64,
    /// The last of them before which some were missed.
    missed: u64,
    tables: HashSet<Arc<str>>,
    /// By a hash of what it was. Two that are alike cost a look too many.
    written: HashMap<u64, u64>,
    hash: RandomState,
}

/// What may have been written of a table.
#[derive(Hash)]
enum Part {
    /// Any row.
    Any,
    /// All rows.
    All,
    /// Those of a mark.
    Mark(u32),
}

impl Bearers {
    pub(crate) fn new(store: &Store) -> Self {
        let (answers, notices) = (Cache::new(KEPT_MAX), store.notices());
        Self(Mutex::new(Kept { answers, notices, changes: Changes::default() }))
    }

    /// How much was heard by now: what whoever begins to look begins with.
    pub(crate) fn heard(&self) -> u64 {
        self.kept().changes.heard
    }

    /// Whose token it is, where the answer was kept and nothing can have changed it.
    pub(crate) fn find(&self, token: Name, now: Micros) -> Option<Caller> {
        let kept = self.kept();
        let answer = kept.answers.get(&token).filter(|answer| answer.found.until > now)?;
        let (tenant, good_at) = (&answer.found.caller.tenant, answer.good_at.get());
        if kept.changes.concern(tenant, &answer.rests_on, good_at) {
            return None;
        }
        answer.good_at.set(kept.changes.heard);
        Some(answer.found.caller.clone())
    }

    /// Keeps an answer, found by a look that began when so much was heard.
    pub(crate) fn keep(&self, token: Name, found: Authenticated, rests_on: Reads, heard: u64) {
        let mut kept = self.kept();
        // Of a table that nothing rested on before, nobody knows what was written meanwhile.
        if kept.changes.follow(&rests_on) || kept.changes.heard == heard {
            kept.answers.insert(token, Answer { found, rests_on, good_at: Cell::new(heard) });
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match kept.notices.try_recv() {
                Ok(notice) => kept.changes.tell(&notice.tables),
                Err(TryRecvError::Lagged(_)) => kept.changes.miss(),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return kept,
            }
        }
    }
}

impl Changes {
    fn tell(&mut self, tables: &[Written]) {
        self.heard += 1;
        for Written { tenant, table, rows } in tables {
            if !self.tables.contains(table) {
                continue;
            }
            self.last = self.heard;
            self.note(tenant, table, Part::Any);
            match rows {
                Extent::Whole => self.note(tenant, table, Part::All),
                Extent::Marks(marks) => {
                    marks.iter().for_each(|mark| self.note(tenant, table, Part::Mark(*mark)));
                }
            }
        }
        if self.written.len() > NOTED_MAX {
            self.written.clear();
            self.missed = self.heard;
        }
    }

    fn note(&mut self, tenant: &str, table: &str, part: Part) {
        self.written.insert(self.hash.hash_one((tenant, table, part)), self.heard);
    }

    fn miss(&mut self) {
        self.heard += 1;
        (self.last, self.missed) = (self.heard, self.heard);
    }

    /// Notes from now on what is written of these tables; whether that of all of them was before.
    fn follow(&mut self, reads: &Reads) -> bool {
        let known = self.tables.len();
        self.tables.extend(reads.keys().cloned());
        self.tables.len() == known
    }

    /// Whether any of these rows of a tenant may have been written after a notice. Commits of the main
    /// tenant, where tenants are administered, write rows of others too.
    fn concern(&self, tenant: &str, reads: &Reads, after: u64) -> bool {
        if self.last <= after {
            return false;
        }
        let told = |table: &str, part: &Part| {
            [tenant, MAIN].into_iter().any(|tenant| {
                let name = self.hash.hash_one((tenant, table, part));
                self.written.get(&name).is_some_and(|heard| *heard > after)
            })
        };
        self.missed > after
            || reads.iter().any(|(table, extent)| match extent {
                Extent::Whole => told(table, &Part::Any),
                Extent::Marks(marks) => {
                    told(table, &Part::All)
                        || marks.iter().any(|mark| told(table, &Part::Mark(*mark)))
                }
            })
    }
}
