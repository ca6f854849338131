//! The port between the kit and an engine: one open transaction or snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::value::{Row, Value};
use crate::{Micros, Result};

/// Where a statement comes from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The service whose tables it may touch, by its index in the registry.
    pub service: u16,
    /// The tenant that `:tenant` stands for.
    pub tenant: &'a str,
    /// Whether it may write: false in a query, also one called by a command.
    pub writes: bool,
}

/// The text of a statement.
#[derive(Debug, Clone, Copy)]
pub enum Sql<'a> {
    /// A literal of the code, of which there are only so many: known again by its address.
    Literal(&'static str),
    /// One that was put together at run time: known again by what it says, for as long as there is
    /// room to remember it.
    Made(&'a str),
}

impl<'a> Sql<'a> {
    /// What it says.
    pub fn text(self) -> &'a str {
        match self {
            Self::Literal(text) => text,
            Self::Made(text) => text,
        }
    }
}

impl From<&'static str> for Sql<'_> {
    fn from(text: &'static str) -> Self {
        Self::Literal(text)
    }
}

/// Which rows of a table are meant, of one tenant: all of them, or those whose key begins with one of
/// some values, each by a mark. Two values may have one mark; one never has two, on no node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// Any row.
    Whole,
    /// Those whose key begins, behind the tenant, with a value of one of these marks.
    Marks(BTreeSet<u32>),
}

/// Marks that an extent tells apart. One with more is the whole table.
const MARKS_MAX: usize = 4_096;

impl Default for Extent {
    fn default() -> Self {
        Self::Marks(BTreeSet::new())
    }
}

impl Extent {
    /// Adds the rows of another one.
    pub fn add(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::Whole, _) => {}
            (Self::Marks(own), Self::Marks(more)) if own.len() + more.len() <= MARKS_MAX => {
                own.extend(more);
            }
            _ => *self = Self::Whole,
        }
    }

    /// Whether a row may be in both.
    pub fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Marks(one), Self::Marks(other)) => !one.is_disjoint(other),
            (Self::Marks(marks), Self::Whole) | (Self::Whole, Self::Marks(marks)) => {
                !marks.is_empty()
            }
            (Self::Whole, Self::Whole) => true,
        }
    }
}

/// What a query read: rows of tables, whether they were there or not.
pub type Reads = BTreeMap<Arc<str>, Extent>;

/// One open transaction or snapshot of an engine.
pub trait Session {
    /// Runs a statement and shows its rows, if it returns any; gives the number of rows it
    /// changed. `each` returns whether it wants more.
    ///
    /// # Errors
    /// `internal` for a statement the engine refuses, `unavailable` where the engine is in
    /// trouble, `aborted` where a concurrent change got in the way.
    fn run(
        &mut self, origin: Origin<'_>, sql: Sql<'_>, params: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<bool>,
    ) -> Result<u64>;

    /// Runs a statement that adds one row, or fails. It may be sent later, in one go with the
    /// next that is waited for.
    ///
    /// # Errors
    /// As [`Session::run`]; those of an earlier statement of this kind too.
    fn insert(&mut self, origin: Origin<'_>, sql: Sql<'_>, params: &[Value<'_>]) -> Result<()>;

    /// Waits for every statement that was not waited for.
    ///
    /// # Errors
    /// Theirs.
    fn flush(&mut self) -> Result<()>;

    /// Opens a savepoint inside the transaction.
    ///
    /// # Errors
    /// As [`Session::run`].
    fn savepoint(&mut self) -> Result<()>;

    /// Closes the youngest savepoint, keeping what was done since.
    ///
    /// # Errors
    /// As [`Session::run`].
    fn release(&mut self) -> Result<()>;

    /// Closes the youngest savepoint, undoing what was done since.
    ///
    /// # Errors
    /// As [`Session::run`].
    fn rollback(&mut self) -> Result<()>;

    /// Whether what is written from here on changes nothing that anybody is told: it wakes no watch.
    fn unseen(&mut self, _unseen: bool) {}

    /// A method is called: what runs until [`Session::leave`] is a part of it.
    fn enter(&mut self, _path: &'static str) {}

    /// The call that began last has ended.
    fn leave(&mut self) {}

    /// The tables that were written so far and not undone since, each with how many rows.
    fn written(&self) -> Vec<(String, u64)>;

    /// The time of what runs, given its stamp. A snapshot may ask for it only when somebody wants
    /// to know: it is not before the time of any commit that the snapshot shows.
    fn now(&mut self, stamp: Stamp) -> Micros {
        stamp.now
    }

    /// Whether commands of this engine run one after another, so that a row which many update
    /// costs no conflicts.
    fn is_serial(&self) -> bool;

    /// Notes from now on what is read, for [`Session::reads`].
    fn watch(&mut self);

    /// What was read since, never less.
    fn reads(&mut self) -> Reads;

    /// A position of which the snapshot shows every commit, and of those behind it perhaps some.
    fn position(&self) -> i64;
}

/// What a command gets its time, ids and randomness from. A re-run gets the same stamp.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// The time of the commit.
    pub now: Micros,
    /// Where its ids and random numbers start.
    pub seed: [u64; 2],
}
