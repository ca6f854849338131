//! The checkpointer: copies the log into the database while commands run.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use super::{Shared, connect};

/// The hand-over between the writer, which notices that the log is long, and the thread that
/// copies most of it.
#[derive(Default)]
pub(super) struct Checkpointer {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    Asked,
    Done,
    Closed,
}

impl Checkpointer {
    pub(super) fn ask(&self) {
        self.set(State::Asked);
    }

    pub(super) fn reset(&self) {
        self.set(State::Idle);
    }

    pub(super) fn close(&self) {
        self.set(State::Closed);
    }

    pub(super) fn is_done(&self) -> bool {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) == State::Done
    }

    fn set(&self, next: State) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *state != State::Closed {
            *state = next;
        }
        self.wake.notify_all();
    }

    /// Rests for a while; false once the store closes.
    pub(super) fn rest(&self, wait: Duration) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = |state: &mut State| *state != State::Closed;
        let waited = self.wake.wait_timeout_while(state, wait, closed);
        *waited.unwrap_or_else(PoisonError::into_inner).0 != State::Closed
    }

    fn wait(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self
            .wake
            .wait_while(state, |state| matches!(state, State::Idle | State::Done))
            .unwrap_or_else(PoisonError::into_inner);
        *state == State::Asked
    }
}

/// What the thread does until the store closes.
pub(super) fn run(shared: &Arc<Shared>) {
    let mut connection = None;
    while shared.checkpointer.wait() {
        if connection.is_none() {
            connection = connect(shared, true).ok();
        }
        shared.files.mark.unsettled();
        let copied = connection.as_ref().is_some_and(|connection| copy_log(connection).is_ok());
        if !copied {
            connection = None;
        }
        shared.checkpointer.set(State::Done);
    }
}

/// Copies the log into the database as far as nobody's snapshot needs it. True: all of it.
pub(super) fn copy_log(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok(row.get::<_, i64>(1)? == row.get::<_, i64>(2)?)
    })
}

/// Copies all of the log and ends it, once nobody else has the database open.
pub(super) fn end_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}
