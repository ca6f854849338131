//! Logs: JSON for machines, readable on a terminal. They go to standard error; standard output
//! is for what a person asked for. The last lines are kept in memory too, for whoever asks the node.

use std::collections::VecDeque;
use std::fmt::{self as text, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use stoa_kit::{Micros, World};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::prelude::*;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Starts logging, and keeping what is logged; `filter` is a list such as `info,stoa_store=debug`. A
/// second call changes nothing.
pub fn install(format: Format, filter: &str, logs: &Arc<Logs>) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter).with(logs.layer());
    let installed = match format {
        Format::Json => registry
            .with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr))
            .try_init(),
        Format::Text => {
            registry.with(fmt::layer().with_target(false).with_writer(std::io::stderr)).try_init()
        }
    };
    // Logging was installed before: the first choice stands.
    let _ = installed;
}

/// Bytes that are kept of what was logged; the oldest lines go first.
const BYTES_MAX: usize = 2 << 20;
/// Bytes of one line; what is longer is cut.
const LINE_MAX: usize = 4 << 10;

/// The last lines that a node logged.
pub struct Logs {
    world: Arc<dyn World>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<Arc<Line>>,
    bytes: usize,
}

/// A line.
#[derive(Debug)]
pub(crate) struct Line {
    /// When it was logged, and a little later where another one was logged then: no two lines have
    /// the same.
    pub(crate) time: Micros,
    pub(crate) level: Level,
    /// Where in the code.
    pub(crate) target: &'static str,
    /// What happened, and the rest of what was said about it: `path=… reason=…`.
    pub(crate) text: String,
    pub(crate) trace: String,
}

impl Logs {
    /// Nothing yet.
    pub fn new(world: &Arc<dyn World>) -> Arc<Self> {
        Arc::new(Self { world: Arc::clone(world), kept: Mutex::default() })
    }

    /// What a subscriber is given so that its events are kept.
    pub fn layer(self: &Arc<Self>) -> Keeping {
        Keeping(Arc::clone(self))
    }

    /// The lines that were logged before one time and after another, the youngest first.
    pub(crate) fn between(&self, after: Micros, before: Micros) -> Vec<Arc<Line>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = kept.lines.iter().rev();
        let lines = lines.skip_while(|line| line.time >= before);
        lines.take_while(|line| line.time > after).map(Arc::clone).collect()
    }

    fn keep(&self, mut line: Line) {
        line.time = self.world.now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = kept.lines.back() {
            line.time = line.time.max(Micros(last.time.0 + 1));
        }
        kept.bytes += line.bytes();
        kept.lines.push_back(Arc::new(line));
        while kept.bytes > BYTES_MAX {
            let Some(oldest) = kept.lines.pop_front() else { return };
            kept.bytes -= oldest.bytes();
        }
    }
}

impl Line {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.text.len() + self.trace.len()
    }
}

/// Keeps events.
pub struct Keeping(Arc<Logs>);

impl<S: Subscriber> Layer<S> for Keeping {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        let Said { mut text, rest, trace } = said;
        text.push_str(&rest);
        if text.len() > LINE_MAX {
            text.truncate(text.floor_char_boundary(LINE_MAX));
            text.push('…');
        }
        let metadata = event.metadata();
        let (level, target, time) = (*metadata.level(), metadata.target(), Micros(0));
        self.0.keep(Line { time, level, target, text, trace });
    }
}

/// What an event says.
#[derive(Default)]
struct Said {
    text: String,
    rest: String,
    trace: String,
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "trace" => value.clone_into(&mut self.trace),
            _ => self.record_debug(field, &format_args!("{value}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn text::Debug) {
        // A string takes whatever is written.
        let _ = match field.name() {
            "message" => write!(self.text, "{value:?}"),
            name => write!(self.rest, " {name}={value:?}"),
        };
    }
}
