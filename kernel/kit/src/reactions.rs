//! How a service reacts: to events, and to what its jobs come to.

use stoa_contract::{AnyMessage, Code};

use crate::{Error, Micros, Result, Tx, View};

/// Where a new subscription starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// With what happens after it is first registered.
    #[default]
    Now,
    /// With the oldest event that the log still holds.
    Oldest,
}

/// An event on its way to whoever subscribes, as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Its identifier: its commit's position, and its place among the events of that commit.
    pub id: String,
    /// Its topic.
    pub topic: String,
    /// The full name of its message.
    pub message: String,
    /// What it is about.
    pub subject: String,
    /// The message, canonical; what is personal in it is sealed.
    pub payload: Vec<u8>,
    /// How many reactions in a row led to it, jobs between them or not: 0 where a caller did.
    pub depth: i64,
}

impl Delivered {
    /// The message as JSON, for whoever does not know its type.
    ///
    /// # Errors
    /// `event.unknown` where no service of this node declares it.
    pub fn json(&self, view: &View) -> Result<String> {
        let Some(event) = view.registry().event(&self.message) else {
            let message = format!("no service of this node declares {}", self.message);
            return Err(Error::new(Code::FailedPrecondition, "event.unknown", message)
                .help("Run the service that emitted it, then release the event, or drop it."));
        };
        (event.json)(&view.open_message(&self.message, &self.payload)?)
    }
}

/// A command triggered by an event. Its cursor advances in the commit that it causes, so its
/// effect is exactly once.
pub struct Subscription {
    /// Its name, unique in the service.
    pub name: &'static str,
    /// The topic it listens to; none for all of them.
    pub topic: Option<&'static str>,
    /// In how many partitions its subjects are handled, each independent of the others.
    pub partitions: u16,
    /// Where it starts when it is new.
    pub start: Start,
    pub(crate) run: Box<Handle>,
    pub(crate) fill: Option<Box<Fill>>,
}

pub(crate) type Handle = dyn Fn(&mut Tx, &Delivered) -> Result<()> + Send + Sync;
pub(crate) type Fill = dyn Fn(&mut Tx, &str) -> Result<String> + Send + Sync;

impl Subscription {
    /// Handles one event.
    ///
    /// # Errors
    /// What the handler returns, or `protobuf.malformed`.
    pub fn run(&self, tx: &mut Tx, event: &Delivered) -> Result<()> {
        (self.run)(tx, event)
    }

    /// Whether what it feeds is filled from a list before its first event.
    pub fn is_filled(&self) -> bool {
        self.fill.is_some()
    }

    /// Fills a page of what it feeds; gives the token of the next, empty after the last.
    ///
    /// # Errors
    /// What the service's function returns, or `internal` where the page is its own next.
    pub fn fill(&self, tx: &mut Tx, token: &str) -> Result<String> {
        let next = self.fill.as_ref().map_or(Ok(String::new()), |fill| fill(tx, token))?;
        if !next.is_empty() && next == token {
            return Err(Error::internal(format!(
                "a page of `{}` is followed by itself",
                self.name
            )));
        }
        Ok(next)
    }
}

/// What the record of a commit says: who did what, why and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its position, as a reply carried it.
    pub position: String,
    /// When it was made.
    pub time: Micros,
    /// Why: `request`, `event:…`, `job:…`, `timer:…`.
    pub cause: String,
    /// Who asked.
    pub caller: String,
    /// The path of the method; the name of the reaction, where there was none.
    pub method: String,
    /// The W3C trace it belongs to.
    pub trace: String,
    /// The tables that it wrote, each with how many rows.
    pub tables: Vec<(String, u64)>,
    /// What it changed by name, as `type/id`.
    pub touched: Vec<String>,
}

/// Takes records of commits in their order: the first of those that it is handed, as many as it says.
pub type Take = fn(&mut Tx, &[Recorded]) -> Result<usize>;

/// Who takes the records of commits, each once and none left out.
#[derive(Debug, Clone, Copy)]
pub struct Records {
    /// Its name, unique in the service.
    pub name: &'static str,
    /// What takes them.
    pub take: Take,
}

pub(crate) type Follow =
    dyn Fn(&mut Tx, &dyn AnyMessage, Result<&dyn AnyMessage, &Error>) -> Result<()> + Send + Sync;

/// What follows a job: runs in the commit that completes it.
pub struct Outcome {
    /// The path of the job's method.
    pub method: &'static str,
    pub(crate) run: Box<Follow>,
}

impl Outcome {
    /// Records what the job came to; `Err` only once no attempt is left.
    ///
    /// # Errors
    /// What the service's function returns.
    pub fn run(
        &self, tx: &mut Tx, request: &dyn AnyMessage, outcome: Result<&dyn AnyMessage, &Error>,
    ) -> Result<()> {
        (self.run)(tx, request, outcome)
    }
}
