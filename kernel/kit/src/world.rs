//! The world outside: clock, entropy, threads, disk and network. The kernel reaches them only
//! here, so that a test, and later a simulation, can put another world in place.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::{Error, Micros, Result};

/// A world as the kernel sees it.
pub trait World: Send + Sync + 'static {
    /// The time of day. It may jump; nothing is ordered by it.
    fn now(&self) -> Micros;

    /// Time that never goes back, since some instant; for durations and deadlines.
    fn uptime(&self) -> Duration;

    /// Fills a buffer with unpredictable bytes.
    fn entropy(&self, buffer: &mut [u8]);

    /// Waits.
    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()>;

    /// Runs `body` on a thread of its own.
    ///
    /// # Errors
    /// `unavailable` where the machine gives no thread.
    fn thread(&self, name: &str, body: Box<dyn FnOnce() + Send>) -> Result<Thread>;

    /// The SQLite VFS that the embedded engine writes through; the default one if none.
    fn vfs(&self) -> Option<&str> {
        None
    }

    /// Listens on an address.
    ///
    /// # Errors
    /// `unavailable` where the address is taken or not ours.
    fn listen(&self, address: SocketAddr) -> Result<TcpListener>;

    /// Bytes of memory that the process has from the machine; 0 where it does not say.
    fn memory(&self) -> u64 {
        0
    }
}

/// A thread that can be waited for.
pub struct Thread(std::thread::JoinHandle<()>);

impl Thread {
    /// Waits for its end; false if it panicked.
    pub fn join(self) -> bool {
        self.0.join().is_ok()
    }
}

/// What an operator does where the machine gives a process no threads or no descriptors.
pub const NO_ROOM: &str = "Raise the limits of this process and start it again: open files \
     (`ulimit -n`, LimitNOFILE) and threads (`ulimit -u`, TasksMax).";

/// The world of a real machine.
pub struct Real {
    start: std::time::Instant,
}

impl Real {
    /// The world as it is.
    #[allow(clippy::disallowed_methods, reason = "this is where the real clock enters")]
    pub fn new() -> Arc<Self> {
        Arc::new(Self { start: std::time::Instant::now() })
    }
}

impl World for Real {
    #[allow(clippy::disallowed_methods, reason = "this is where the real clock enters")]
    fn now(&self) -> Micros {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn uptime(&self) -> Duration {
        self.start.elapsed()
    }

    #[allow(clippy::disallowed_methods, reason = "this is where real entropy enters")]
    fn entropy(&self, buffer: &mut [u8]) {
        if getrandom::fill(buffer).is_err() {
            // Without entropy no key and no token can be made; going on would be unsafe.
            std::process::abort();
        }
    }

    #[allow(clippy::disallowed_methods, reason = "this is where real timers enter")]
    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(wait))
    }

    #[allow(clippy::disallowed_methods, reason = "this is where real threads enter")]
    fn thread(&self, name: &str, body: Box<dyn FnOnce() + Send>) -> Result<Thread> {
        std::thread::Builder::new()
            .name(name.to_owned())
            .stack_size(4 << 20)
            .spawn(body)
            .map(Thread)
            .map_err(|error| {
                let what = format!("the machine gives no thread: {error}");
                Error::unavailable("node.no_thread", what).help(NO_ROOM)
            })
    }

    fn listen(&self, address: SocketAddr) -> Result<TcpListener> {
        TcpListener::bind(address).map_err(|error| {
            Error::unavailable("node.listen", format!("cannot listen on {address}: {error}"))
                .help("Choose another address with --listen.")
        })
    }

    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kibibytes.unwrap_or(0) << 10
    }
}
