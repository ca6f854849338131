//! How commits went: when each part of one began and ended, down to its statements. It is kept in
//! memory, of those that were made of late, and longer of those that took long. A statement is kept as
//! it is written in the code: without the values that it was run with, so that nothing is kept here of
//! what a commit was about.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stoa_kit::World;

use crate::inspect::Statement;

/// Bytes kept of the commits of late, and as many of those that took long.
const BYTES_MAX: usize = 4 << 20;
/// A commit takes long that is not durable so soon after it was asked for.
pub const SLOW: Duration = Duration::from_millis(50);
/// Spans of one commit; what comes after them is only counted.
const SPANS_MAX: usize = 256;

/// How a commit went, in uptime of the node that made it.
#[derive(Debug)]
pub struct Timeline {
    /// Whose it is.
    pub tenant: Arc<str>,
    /// Which one.
    pub position: i64,
    /// When it was asked for.
    pub asked: Duration,
    /// When it was put into the queue.
    pub queued: Duration,
    /// When it was taken out.
    pub taken: Duration,
    /// When its command began, and ended.
    pub ran: (Duration, Duration),
    /// When its record was written.
    pub recorded: Duration,
    /// When all commands had run that it shares its transaction with.
    pub sealed: Duration,
    /// When it was durable.
    pub durable: Duration,
    /// The commands of its transaction.
    pub commands: u64,
    /// The calls and statements of its command, in the order in which they began.
    pub spans: Vec<Span>,
    /// How many more there were.
    pub left_out: u64,
}

/// A call or a statement of a command.
#[derive(Debug, Clone)]
pub struct Span {
    /// What it is.
    pub what: What,
    /// How many calls it lies in.
    pub depth: u8,
    /// When it began, and ended.
    pub time: (Duration, Duration),
    /// Rows that it changed.
    pub rows: u64,
}

/// What a span is.
#[derive(Debug, Clone)]
pub enum What {
    /// A call of another method, by its path.
    Call(&'static str),
    /// A statement.
    Statement(Arc<Statement>),
}

/// Notes how a command goes, while it runs.
pub(crate) struct Recorder {
    world: Arc<dyn World>,
    began: Duration,
    spans: Vec<Span>,
    /// The calls that have not ended, by their place among the spans.
    open: Vec<Option<usize>>,
    left_out: u64,
}

/// What was noted of a command.
pub(crate) struct Recorded {
    pub ran: (Duration, Duration),
    pub spans: Vec<Span>,
    pub left_out: u64,
}

impl Recorder {
    pub(crate) fn new(world: &Arc<dyn World>) -> Self {
        let (world, began) = (Arc::clone(world), world.uptime());
        Self { world, began, spans: Vec::with_capacity(16), open: Vec::new(), left_out: 0 }
    }

    pub(crate) fn now(&self) -> Duration {
        self.world.uptime()
    }

    pub(crate) fn enter(&mut self, path: &'static str) {
        let now = self.now();
        let place = self.add(What::Call(path), (now, now), 0);
        self.open.push(place);
    }

    pub(crate) fn leave(&mut self) {
        let now = self.now();
        if let Some(span) = self.open.pop().flatten().and_then(|place| self.spans.get_mut(place)) {
            span.time.1 = now;
        }
    }

    pub(crate) fn ran(&mut self, statement: &Arc<Statement>, began: Duration, rows: u64) {
        let time = (began, self.now());
        self.add(What::Statement(Arc::clone(statement)), time, rows);
    }

    fn add(&mut self, what: What, time: (Duration, Duration), rows: u64) -> Option<usize> {
        if self.spans.len() == SPANS_MAX {
            self.left_out += 1;
            return None;
        }
        self.spans.push(Span { what, depth: self.open.len() as u8, time, rows });
        Some(self.spans.len() - 1)
    }

    pub(crate) fn done(self) -> Recorded {
        let ran = (self.began, self.world.uptime());
        Recorded { ran, spans: self.spans, left_out: self.left_out }
    }
}

/// The timelines that a node keeps.
#[derive(Default)]
pub struct Timelines(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    recent: Ring,
    slow: Ring,
}

#[derive(Default)]
struct Ring {
    all: VecDeque<Arc<Timeline>>,
    bytes: usize,
}

impl Timelines {
    /// Keeps some, and lets go of the oldest where there is no room.
    pub(crate) fn keep(&self, timelines: impl Iterator<Item = Timeline>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for timeline in timelines {
            let is_slow = timeline.durable.saturating_sub(timeline.asked) >= SLOW;
            let timeline = Arc::new(timeline);
            if is_slow {
                kept.slow.push(Arc::clone(&timeline));
            }
            kept.recent.push(timeline);
        }
    }

    /// How a commit of a tenant went, if that is still known.
    pub fn find(&self, tenant: &str, position: i64) -> Option<Arc<Timeline>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = kept.recent.all.iter().chain(&kept.slow.all);
        all.find(|one| one.position == position && *one.tenant == *tenant).cloned()
    }
}

impl Ring {
    fn push(&mut self, timeline: Arc<Timeline>) {
        self.bytes += timeline.bytes();
        self.all.push_back(timeline);
        while self.bytes > BYTES_MAX {
            let Some(oldest) = self.all.pop_front() else { return };
            self.bytes -= oldest.bytes();
        }
    }
}

impl Timeline {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.spans.capacity() * size_of::<Span>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(position: i64, took: Duration) -> Timeline {
        Timeline {
            tenant: "main".into(),
            position,
            asked: Duration::ZERO,
            queued: Duration::ZERO,
            taken: Duration::ZERO,
            ran: Default::default(),
            recorded: took,
            sealed: took,
            durable: took,
            commands: 1,
            spans: Vec::with_capacity(SPANS_MAX),
            left_out: 0,
        }
    }

    #[test]
    fn what_was_slow_is_kept_for_longer_and_what_is_kept_is_bounded() {
        let timelines = Timelines::default();
        let one = timeline(0, SLOW).bytes();
        let room = BYTES_MAX / one;
        let took = |position| if position == 1 { SLOW } else { SLOW / 2 };
        timelines.keep((0..).take(room).map(|position| timeline(position, took(position))));
        assert!(timelines.find("main", 0).is_some() && timelines.find("other", 0).is_none());
        timelines
            .keep((room as i64..).take(room).map(|position| timeline(position, took(position))));
        assert!(timelines.find("main", 0).is_none(), "there is no room for more");
        assert!(timelines.find("main", 1).is_some(), "it was slow");
        assert!(timelines.find("main", 2 * room as i64 - 1).is_some());
        let kept = timelines.0.lock().unwrap();
        assert!(kept.recent.bytes <= BYTES_MAX && kept.recent.all.len() == room);
        assert_eq!(kept.recent.bytes, kept.recent.all.len() * one);
    }
}
