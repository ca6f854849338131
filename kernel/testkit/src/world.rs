//! A world whose time of day is the test's.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use futures::future::BoxFuture;
use stoa_kit::world::{Real, Thread};
use stoa_kit::{Micros, Result, World};

/// 2026-01-01 00:00 UTC, where every test begins.
const START: i64 = 1_767_225_600_000_000;

/// The real world, but for the time of day and for the time that a frozen process misses.
pub struct TestWorld {
    real: Arc<Real>,
    now: AtomicI64,
    frozen_ms: AtomicU64,
}

impl TestWorld {
    /// A world at the beginning of 2026.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            real: Real::new(),
            now: AtomicI64::new(START),
            frozen_ms: AtomicU64::new(0),
        })
    }

    /// Lets uptime go on without anybody who waits being woken, as for a process that was stopped.
    pub fn freeze(&self, by: Duration) {
        self.frozen_ms.fetch_add(by.as_millis() as u64, SeqCst);
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.now.fetch_add(i64::try_from(by.as_micros()).unwrap(), SeqCst);
    }

    /// Sets the clock back, as whoever corrects one does.
    pub fn set_back(&self, by: Duration) {
        self.now.fetch_sub(i64::try_from(by.as_micros()).unwrap(), SeqCst);
    }
}

impl World for TestWorld {
    fn now(&self) -> Micros {
        Micros(self.now.load(SeqCst))
    }

    fn uptime(&self) -> Duration {
        self.real.uptime() + Duration::from_millis(self.frozen_ms.load(SeqCst))
    }

    fn entropy(&self, buffer: &mut [u8]) {
        self.real.entropy(buffer);
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()> {
        self.real.sleep(wait)
    }

    fn thread(&self, name: &str, body: Box<dyn FnOnce() + Send>) -> Result<Thread> {
        self.real.thread(name, body)
    }

    fn listen(&self, address: SocketAddr) -> Result<TcpListener> {
        self.real.listen(address)
    }
}
