//! A world whose time of day is the test's.

use std::net::{SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use stoa_kit::world::{Real, Thread};
use stoa_kit::{Micros, Result, World};
use tokio::sync::watch;

/// 2026-01-01 00:00 UTC, where every test begins.
const START: i64 = 1_767_225_600_000_000;

/// The real world, but for the time of day, for time that is skipped, and for what a process misses
/// that is frozen.
pub struct TestWorld {
    real: Arc<Real>,
    now: AtomicI64,
    passed: watch::Sender<Passed>,
    frozen_ms: AtomicU64,
    asleep: Arc<Mutex<Vec<Duration>>>,
}

/// Somebody who sleeps, until this is dropped.
struct Asleep(Arc<Mutex<Vec<Duration>>>, Duration);

impl Drop for Asleep {
    fn drop(&mut self) {
        let mut asleep = self.0.lock().unwrap();
        let place = asleep.iter().position(|wait| *wait == self.1);
        asleep.swap_remove(place.unwrap());
    }
}

/// Time that passed otherwise than by itself.
#[derive(Debug, Default, Clone, Copy)]
struct Passed {
    skipped: Duration,
    /// Since when nothing passes by itself.
    stopped: Option<Duration>,
}

impl Passed {
    fn uptime(self, real: &Real) -> Duration {
        self.stopped.unwrap_or_else(|| real.uptime()) + self.skipped
    }
}

impl TestWorld {
    /// A world at the beginning of 2026.
    pub fn new() -> Arc<Self> {
        let (now, passed) = (AtomicI64::new(START), watch::Sender::new(Passed::default()));
        let (real, frozen_ms, asleep) = (Real::new(), AtomicU64::new(0), Arc::default());
        Arc::new(Self { real, now, passed, frozen_ms, asleep })
    }

    /// Lets uptime go on without anybody who waits being woken, as for a process that was stopped.
    pub fn freeze(&self, by: Duration) {
        self.frozen_ms.fetch_add(by.as_millis() as u64, SeqCst);
    }

    /// How many sleep who wanted to sleep about so long.
    pub fn asleep(&self, about: &RangeInclusive<Duration>) -> usize {
        self.asleep.lock().unwrap().iter().filter(|wait| about.contains(wait)).count()
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.now.fetch_add(i64::try_from(by.as_micros()).unwrap(), SeqCst);
    }

    /// Lets time pass also for what is at work: the time of day, uptime, and whoever sleeps.
    pub fn skip(&self, by: Duration) {
        self.advance(by);
        self.passed.send_modify(|passed| passed.skipped += by);
    }

    /// Lets no time pass any more, but what is skipped: who sleeps wakes by that alone.
    pub fn stop(&self) {
        let now = self.real.uptime();
        self.passed.send_modify(|passed| passed.stopped = Some(now));
    }

    /// Sets the clock back, as whoever corrects one does.
    pub fn set_back(&self, by: Duration) {
        self.now.fetch_sub(i64::try_from(by.as_micros()).unwrap(), SeqCst);
    }
}

impl World for TestWorld {
    /// As with every clock, time has passed when somebody looks again.
    fn now(&self) -> Micros {
        Micros(self.now.fetch_add(1, SeqCst))
    }

    fn uptime(&self) -> Duration {
        let frozen = Duration::from_millis(self.frozen_ms.load(SeqCst));
        self.passed.borrow().uptime(&self.real) + frozen
    }

    fn entropy(&self, buffer: &mut [u8]) {
        self.real.entropy(buffer);
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()> {
        let (real, mut passed) = (Arc::clone(&self.real), self.passed.subscribe());
        let end = passed.borrow_and_update().uptime(&real) + wait;
        self.asleep.lock().unwrap().push(wait);
        let asleep = Asleep(Arc::clone(&self.asleep), wait);
        Box::pin(async move {
            let _asleep = asleep;
            loop {
                let known = *passed.borrow_and_update();
                let left = end.saturating_sub(known.uptime(&real));
                tokio::select! {
                    () = real.sleep(left), if left.is_zero() || known.stopped.is_none() => return,
                    Ok(()) = passed.changed() => {}
                    else => std::future::pending().await,
                }
            }
        })
    }

    fn thread(&self, name: &str, body: Box<dyn FnOnce() + Send>) -> Result<Thread> {
        self.real.thread(name, body)
    }

    fn listen(&self, address: SocketAddr) -> Result<TcpListener> {
        self.real.listen(address)
    }

    fn memory(&self) -> u64 {
        self.real.memory()
    }
}
