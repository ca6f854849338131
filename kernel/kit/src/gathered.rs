//! What a command leaves behind besides its rows.

use crate::Micros;

/// What a command leaves for the commit record, in the order in which it happened.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Gathered {
    /// Events to append to the log.
    pub events: Vec<Emitted>,
    /// Jobs to enqueue.
    pub jobs: Vec<Enqueued>,
    /// Keys that were touched, as `type/id`.
    pub touched: Vec<String>,
    /// Whether the reply is not remembered under the key that the command came with.
    pub forgets_key: bool,
    /// Whether it left work of its own kind that waits for nothing.
    pub again: bool,
}

/// An event on its way into the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emitted {
    /// Its topic.
    pub topic: &'static str,
    /// The full name of its message.
    pub message: &'static str,
    /// What it is about.
    pub subject: String,
    /// The message, canonical.
    pub payload: Vec<u8>,
    /// How many reactions in a row led to it.
    pub depth: i64,
}

/// A job on its way into the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enqueued {
    /// Its identifier, which stays the same over all attempts.
    pub id: String,
    /// The method it runs.
    pub method: &'static str,
    /// The request, canonical.
    pub request: Vec<u8>,
    /// When, and how.
    pub options: JobOptions,
    /// On whose behalf it runs, by their subject.
    pub behalf: String,
    /// What they came with; empty where they are named by the service.
    pub credential: String,
    /// How many reactions in a row led to it.
    pub depth: i64,
}

/// When and how a job runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobOptions {
    /// Not before this time; at once if none.
    pub at: Option<Micros>,
    /// A job of the same method and the same key that still waits makes this one superfluous.
    pub dedupe: Option<String>,
    /// Of the jobs of one method, higher ones first. Methods take turns.
    pub priority: i64,
    /// Jobs with the same key run one after another.
    pub lane: Option<String>,
    /// On whose behalf it runs, by their subject; on the caller's if none.
    pub on_behalf: Option<String>,
}
