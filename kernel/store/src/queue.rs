//! Work that waits for an engine: bounded, and fair between callers.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stoa_kit::{Error, Result};

/// Bytes that may wait.
const BYTES_MAX: usize = 64 << 20;

/// A queue of items that each belong to somebody.
pub(crate) struct Queue<T> {
    inner: Mutex<Inner<T>>,
    wake: Condvar,
    most: usize,
}

struct Inner<T> {
    /// One line a caller; whoever sends much waits behind itself.
    lines: HashMap<Arc<str>, VecDeque<(usize, T)>>,
    /// Whose turn it is.
    turns: VecDeque<Arc<str>>,
    count: usize,
    bytes: usize,
    woken: bool,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new(most: usize) -> Self {
        let inner = Inner {
            lines: HashMap::new(),
            turns: VecDeque::new(),
            count: 0,
            bytes: 0,
            woken: false,
            closed: false,
        };
        Self { inner: Mutex::new(inner), wake: Condvar::new(), most }
    }

    /// Accepts an item of a caller, which keeps so many bytes, or refuses it at once. `depth`
    /// shows how many wait.
    pub(crate) fn put(
        &self, caller: &Arc<str>, bytes: usize, item: T, depth: &AtomicI64,
    ) -> Result<()> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(Error::unavailable("store.closed", "the store is closing"));
        }
        if inner.count >= self.most || inner.bytes + bytes > BYTES_MAX {
            return Err(Error::exhausted(
                "store.queue_full",
                "more work waits than can be done in time",
                Duration::from_secs(1),
            ));
        }
        inner.count += 1;
        inner.bytes += bytes;
        depth.store(inner.count as i64, Relaxed);
        let line = inner.lines.entry(Arc::clone(caller)).or_default();
        line.push_back((bytes, item));
        if line.len() == 1 {
            inner.turns.push_back(Arc::clone(caller));
        }
        drop(inner);
        self.wake.notify_one();
        Ok(())
    }

    /// Has whoever waits for items come and look, although there may be none.
    pub(crate) fn wake(&self) {
        self.lock().woken = true;
        self.wake.notify_one();
    }

    /// Waits for items and takes up to `most`, one of each caller in turn; none once the queue
    /// is closed and empty.
    pub(crate) fn take(&self, most: usize, depth: &AtomicI64) -> Option<Vec<T>> {
        let mut inner = self
            .wake
            .wait_while(self.lock(), |inner| inner.count == 0 && !inner.closed && !inner.woken)
            .unwrap_or_else(PoisonError::into_inner);
        if inner.count == 0 && inner.closed {
            return None;
        }
        inner.woken = false;
        let mut batch = Vec::with_capacity(inner.count.min(most));
        while batch.len() < most {
            let Some(caller) = inner.turns.pop_front() else { break };
            let Some(line) = inner.lines.get_mut(&caller) else { continue };
            let Some((bytes, item)) = line.pop_front() else { continue };
            if line.is_empty() {
                inner.lines.remove(&caller);
            } else {
                inner.turns.push_back(caller);
            }
            inner.count -= 1;
            inner.bytes -= bytes;
            batch.push(item);
        }
        depth.store(inner.count as i64, Relaxed);
        Some(batch)
    }

    /// Refuses further items; those accepted are still taken.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
