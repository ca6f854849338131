//! Work that waits for an engine: bounded, and fair between tenants and between callers.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stoa_kit::{Error, Result};

/// Bytes that may wait.
const BYTES_MAX: usize = 64 << 20;

/// A queue of items that each belong to somebody, of some tenant.
pub(crate) struct Queue<T> {
    inner: Mutex<Inner<T>>,
    wake: Condvar,
    most: usize,
}

struct Inner<T> {
    /// One for each tenant that has something here, and whose turn it is.
    tenants: HashMap<Arc<str>, Lines<T>>,
    turns: VecDeque<Arc<str>>,
    count: usize,
    bytes: usize,
    woken: bool,
    closed: bool,
}

/// What waits of one tenant.
struct Lines<T> {
    /// One line a caller; whoever sends much waits behind itself.
    callers: HashMap<Arc<str>, VecDeque<(usize, T)>>,
    turns: VecDeque<Arc<str>>,
    count: usize,
    bytes: usize,
}

impl<T> Default for Lines<T> {
    fn default() -> Self {
        Self { callers: HashMap::new(), turns: VecDeque::new(), count: 0, bytes: 0 }
    }
}

impl<T> Queue<T> {
    pub(crate) fn new(most: usize) -> Self {
        let inner = Inner {
            tenants: HashMap::new(),
            turns: VecDeque::new(),
            count: 0,
            bytes: 0,
            woken: false,
            closed: false,
        };
        Self { inner: Mutex::new(inner), wake: Condvar::new(), most }
    }

    /// Accepts an item of a tenant's caller, which keeps so many bytes, or refuses it at once.
    /// `depth` shows how many wait.
    pub(crate) fn put(
        &self, (tenant, caller): (&Arc<str>, &Arc<str>), bytes: usize, item: T, depth: &AtomicI64,
    ) -> Result<()> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(Error::unavailable("store.closed", "the store is closing"));
        }
        let own = inner.tenants.get(tenant).map_or((0, 0), |lines| (lines.count, lines.bytes));
        let room = |used: usize, own: usize, most: usize| used <= most && own <= part(most);
        if !room(inner.count + 1, own.0 + 1, self.most)
            || !room(inner.bytes + bytes, own.1 + bytes, BYTES_MAX)
        {
            return Err(Error::exhausted(
                "store.queue_full",
                "more work waits than can be done in time",
                Duration::from_secs(1),
            ));
        }
        inner.add((tenant, caller), bytes, |line| line.push_back((bytes, item)));
        depth.store(inner.count as i64, Relaxed);
        drop(inner);
        self.wake.notify_one();
        Ok(())
    }

    /// Takes back what was taken by somebody who cannot work: it is its caller's next again.
    pub(crate) fn put_back(
        &self, whose: (&Arc<str>, &Arc<str>), bytes: usize, item: T, depth: &AtomicI64,
    ) {
        let mut inner = self.lock();
        inner.add(whose, bytes, |line| line.push_front((bytes, item)));
        depth.store(inner.count as i64, Relaxed);
        drop(inner);
        self.wake.notify_one();
    }

    /// Has whoever waits for items come and look, although there may be none.
    pub(crate) fn wake(&self) {
        self.lock().woken = true;
        self.wake.notify_one();
    }

    /// Waits for items and takes up to `most`, of the tenants in turn, and of the callers of each
    /// in turn; none once the queue is closed and empty.
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
            let Some(item) = inner.next() else { break };
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

impl<T> Inner<T> {
    /// Adds an item of a tenant's caller to their line.
    fn add(
        &mut self, (tenant, caller): (&Arc<str>, &Arc<str>), bytes: usize,
        place: impl FnOnce(&mut VecDeque<(usize, T)>),
    ) {
        self.count += 1;
        self.bytes += bytes;
        let lines = self.tenants.entry(Arc::clone(tenant)).or_default();
        lines.count += 1;
        lines.bytes += bytes;
        let line = lines.callers.entry(Arc::clone(caller)).or_default();
        place(line);
        if line.len() == 1 {
            lines.turns.push_back(Arc::clone(caller));
        }
        if lines.count == 1 {
            self.turns.push_back(Arc::clone(tenant));
        }
    }

    /// The next item of the tenant whose turn it is.
    fn next(&mut self) -> Option<T> {
        let tenant = self.turns.pop_front()?;
        let lines = self.tenants.get_mut(&tenant)?;
        let (bytes, item) = lines.next()?;
        if lines.count == 0 {
            self.tenants.remove(&tenant);
        } else {
            self.turns.push_back(tenant);
        }
        self.count -= 1;
        self.bytes -= bytes;
        Some(item)
    }
}

impl<T> Lines<T> {
    /// The next item of the caller whose turn it is.
    fn next(&mut self) -> Option<(usize, T)> {
        let caller = self.turns.pop_front()?;
        let line = self.callers.get_mut(&caller)?;
        let (bytes, item) = line.pop_front()?;
        if line.is_empty() {
            self.callers.remove(&caller);
        } else {
            self.turns.push_back(caller);
        }
        self.count -= 1;
        self.bytes -= bytes;
        Some((bytes, item))
    }
}

/// The part of what there is that one tenant may have: there is always room for others.
fn part(most: usize) -> usize {
    most - most / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_have_their_turn_and_in_each_its_callers() {
        let (queue, depth) = (Queue::new(16), AtomicI64::new(0));
        let put = |tenant: &str, caller: &str, item: &'static str| {
            queue.put((&tenant.into(), &caller.into()), 1, item, &depth)
        };
        for item in ["a1", "a2", "a3"] {
            put("one", "a", item).unwrap();
        }
        put("one", "b", "b1").unwrap();
        put("two", "a", "c1").unwrap();
        put("two", "a", "c2").unwrap();
        assert_eq!(queue.take(4, &depth).unwrap(), ["a1", "c1", "b1", "c2"]);
        assert_eq!(queue.take(4, &depth).unwrap(), ["a2", "a3"]);
        let full = (0..16).filter(|_| put("one", "a", "x").is_ok()).count();
        assert_eq!(full, 12, "a tenant leaves room");
        put("two", "a", "y").unwrap();
        assert_eq!(queue.take(2, &depth).unwrap(), ["x", "y"]);
    }
}
