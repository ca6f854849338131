//! Many requests at once, each with its key, until the node has answered every one of them.
//!
//! A request whose reply was lost is sent again under the same key: the node says what it said,
//! or does what it did not. So the node may die as often as it likes.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use stoa_contract::Code;
use stoa_kit::{Error, Result};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::child::{Child, State};
use crate::setup::{entropy, pause};
use crate::wire::{Prefix, Wire, header};

/// How often in a row one request may fail before the run gives up.
const ATTEMPTS_MAX: u32 = 2_000;
/// How long to wait before a request is sent again.
const PAUSE: Duration = Duration::from_millis(10);
/// How often progress is shown.
const SHOW: Duration = Duration::from_millis(200);
/// What is tried again: nothing became of it, or nobody knows what did.
const AGAIN: [&str; 4] = ["unavailable", "aborted", "resource_exhausted", "deadline_exceeded"];

/// One request.
pub(crate) struct Item {
    pub(crate) key: String,
    pub(crate) body: Vec<u8>,
}

/// What a load has come to.
struct Progress {
    done: AtomicUsize,
    /// After how many requests the node is killed, the last one first.
    kills: std::sync::Mutex<Vec<usize>>,
}

/// Sends what the lanes hold, each in its order and all lanes at once; gives the position of the
/// last commit of some lane.
pub(crate) async fn send(
    child: &Child, prefix: &Prefix, lanes: Vec<Vec<Item>>, (title, kills): (&str, usize),
) -> Result<Option<String>> {
    let total: usize = lanes.iter().map(Vec::len).sum();
    let kills = std::sync::Mutex::new(moments(total, kills)?);
    let progress = Arc::new(Progress { done: AtomicUsize::new(0), kills });
    let mut running = JoinSet::new();
    for items in lanes.into_iter().filter(|items| !items.is_empty()) {
        let (state, prefix, progress) = (child.state(), prefix.clone(), Arc::clone(&progress));
        running.spawn(async move { lane(state, &prefix, items, &progress).await });
    }
    let start = now();
    let mut position = None;
    while !running.is_empty() {
        tokio::select! {
            Some(ended) = running.join_next() => {
                position = ended.map_err(Error::internal)??.or(position);
            }
            () = pause(if progress.armed() { Duration::from_millis(1) } else { SHOW }) => {}
        }
        if progress.due() {
            child.kill();
        }
        show(title, progress.done.load(Relaxed), total, start);
    }
    if total > 0 && io::stderr().is_terminal() {
        tell(&format!(
            "\r{title:<10}{total} done in {:.1} s{:30}\n",
            start.elapsed().as_secs_f64(),
            ""
        ));
    }
    Ok(position)
}

impl Progress {
    fn armed(&self) -> bool {
        !self.kills.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_empty()
    }

    /// Whether the next moment to kill the node has come.
    fn due(&self) -> bool {
        let mut kills = self.kills.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let due = kills.last().is_some_and(|after| *after <= self.done.load(Relaxed));
        if due {
            kills.pop();
        }
        due
    }
}

async fn lane(
    state: watch::Receiver<State>, prefix: &Prefix, items: Vec<Item>, progress: &Progress,
) -> Result<Option<String>> {
    let mut wire = None;
    let mut position = None;
    for item in items {
        let mut left = ATTEMPTS_MAX;
        loop {
            let outcome = attempt(&mut wire, &state, prefix, &item).await;
            left -= 1;
            match outcome {
                Ok(Ok(found)) => {
                    position = found.or(position);
                    break;
                }
                Ok(Err(refused)) => return Err(refused),
                Err(error) if left == 0 => {
                    return Err(Error::unavailable("demo.node", format!("gave up: {error}")));
                }
                Err(_) => {
                    wire = None;
                    pause(PAUSE).await;
                }
            }
        }
        progress.done.fetch_add(1, Relaxed);
    }
    Ok(position)
}

/// Sends a request once. The outer error is one to try again after, the inner one is the node's
/// last word.
async fn attempt(
    wire: &mut Option<Wire>, state: &watch::Receiver<State>, prefix: &Prefix, item: &Item,
) -> io::Result<Result<Option<String>>> {
    let wire = match wire {
        Some(wire) => wire,
        None => {
            let address = state.borrow().address;
            let address = address.ok_or_else(|| io::Error::other("the node does not start"))?;
            wire.insert(Wire::connect(address).await?)
        }
    };
    let answer = wire.ask(prefix, Some(&item.key), &item.body).await?;
    if answer.status == 200 {
        return Ok(Ok(header(answer.head, "stoa-position").map(str::to_owned)));
    }
    let text = String::from_utf8_lossy(answer.body).into_owned();
    let body: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    if AGAIN.iter().any(|code| body["code"] == *code) {
        return Err(io::Error::other(text));
    }
    let message = format!("`{}` was refused: {text}", item.key);
    Ok(Err(Error::new(Code::FailedPrecondition, "demo.refused", message)))
}

/// Random moments to kill the node at, counted in requests, the last one first.
fn moments(total: usize, count: usize) -> Result<Vec<usize>> {
    let mut moments = Vec::with_capacity(count);
    for _ in 0..count {
        let mut bytes = [0u8; 8];
        entropy(&mut bytes)?;
        moments.push(u64::from_le_bytes(bytes) as usize % total.max(1));
    }
    moments.sort_unstable_by(|a, b| b.cmp(a));
    Ok(moments)
}

#[allow(clippy::disallowed_methods, reason = "a person waits on the real clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

fn show(title: &str, done: usize, total: usize, start: Instant) {
    if !io::stderr().is_terminal() || total == 0 {
        return;
    }
    let rate = done as f64 / start.elapsed().as_secs_f64().max(0.001);
    let left = (total - done) as f64 / rate.max(1.0);
    let width = 24 * done / total;
    let (full, rest) = ("#".repeat(width), ".".repeat(24 - width));
    tell(&format!("\r{title:<10}[{full}{rest}] {done}/{total} {rate:.0}/s, {left:.0} s left    "));
}

fn tell(text: &str) {
    // Who does not see how far it is misses nothing else.
    let _ = write!(io::stderr().lock(), "{text}");
}
