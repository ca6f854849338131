//! Commands that wait for the writer: bounded, and fair between callers.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use stoa_kit::{Error, Result};

use super::writer::Waiting;
use crate::Metrics;

/// Bytes that may wait.
const BYTES_MAX: usize = 64 << 20;

/// The queue.
pub(super) struct Queue {
    inner: Mutex<Inner>,
    wake: Condvar,
    most: usize,
}

#[derive(Default)]
struct Inner {
    /// One line a caller; whoever sends much waits behind itself.
    lines: HashMap<Arc<str>, VecDeque<Waiting>>,
    /// Whose turn it is.
    turns: VecDeque<Arc<str>>,
    count: usize,
    bytes: usize,
    closed: bool,
}

impl Queue {
    pub(super) fn new(most: usize) -> Self {
        Self { inner: Mutex::default(), wake: Condvar::new(), most }
    }

    /// Accepts a command or refuses it at once.
    pub(super) fn put(&self, waiting: Waiting, metrics: &Metrics) -> Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.closed {
            return Err(Error::unavailable("store.closed", "the store is closing"));
        }
        let bytes = waiting.commit.header.bytes;
        if inner.count >= self.most || inner.bytes + bytes > BYTES_MAX {
            return Err(Error::exhausted(
                "store.queue_full",
                "more commands wait than can be run in time",
                Duration::from_secs(1),
            ));
        }
        inner.count += 1;
        inner.bytes += bytes;
        metrics.queue.store(inner.count as i64, Relaxed);
        let caller = Arc::clone(&waiting.commit.header.caller);
        let line = inner.lines.entry(Arc::clone(&caller)).or_default();
        line.push_back(waiting);
        if line.len() == 1 {
            inner.turns.push_back(caller);
        }
        let first = inner.count == 1;
        drop(inner);
        if first {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Waits for commands and takes up to `most`, one of each caller in turn; none once the
    /// queue is closed and empty.
    pub(super) fn take(&self, most: usize) -> Option<Vec<Waiting>> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut inner = self
            .wake
            .wait_while(inner, |inner| inner.count == 0 && !inner.closed)
            .unwrap_or_else(PoisonError::into_inner);
        if inner.count == 0 {
            return None;
        }
        let mut batch = Vec::with_capacity(inner.count.min(most));
        while batch.len() < most {
            let Some(caller) = inner.turns.pop_front() else { break };
            let Some(line) = inner.lines.get_mut(&caller) else { continue };
            let Some(waiting) = line.pop_front() else { continue };
            if line.is_empty() {
                inner.lines.remove(&caller);
            } else {
                inner.turns.push_back(caller);
            }
            inner.count -= 1;
            inner.bytes -= waiting.commit.header.bytes;
            batch.push(waiting);
        }
        Some(batch)
    }

    /// Refuses further commands; those accepted are still taken.
    pub(super) fn close(&self) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.wake.notify_all();
    }
}
