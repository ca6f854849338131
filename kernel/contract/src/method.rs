//! Methods: what kind of work each is, who may call it, which messages it takes and gives.

use std::time::Duration;

use crate::message::{Event, Message, Shape, Value};
use crate::v1::{HttpRequest, HttpResponse, Money};
use crate::{Error, Format, Result};

/// A service as its contract describes it.
#[derive(Debug)]
pub struct Contract {
    /// The short name: `ledger`.
    pub name: &'static str,
    /// The full name: `stoa.ledger.v1.LedgerService`.
    pub full_name: &'static str,
    /// What the contract says the service is for.
    pub doc: &'static str,
    /// Its methods, in the order of the contract.
    pub methods: &'static [&'static Method],
    /// The events it declares.
    pub events: &'static [EventType],
    /// The encoded `FileDescriptorSet` of its own files, comments included; what they import is
    /// [`IMPORTS`](crate::IMPORTS).
    pub descriptors: &'static [u8],
}

/// An event as its contract declares it, for whoever does not know its type.
#[derive(Debug, Clone, Copy)]
pub struct EventType {
    /// The full name of its message.
    pub message: &'static str,
    /// Its topic.
    pub topic: &'static str,
    /// Writes a message, which is given in binary, as JSON.
    pub json: fn(&[u8]) -> Result<String>,
}

impl EventType {
    /// The type of an event.
    pub const fn of<E: Event>() -> Self {
        Self { message: E::NAME, topic: E::TOPIC, json: json::<E> }
    }
}

fn json<E: Event>(message: &[u8]) -> Result<String> {
    let message = crate::decode::<E>(message, Format::Binary)?;
    String::from_utf8(crate::json::encode(&message)?).map_err(Error::internal)
}

/// A method as its contract describes it.
#[derive(Debug)]
pub struct Method {
    /// The path it is served under, without the leading slash.
    pub path: &'static str,
    /// The short name of its service: `ledger`.
    pub service: &'static str,
    /// Its name: `CreateTransfer`.
    pub name: &'static str,
    /// The first paragraph of its comment.
    pub doc: &'static str,
    /// What kind of work it is.
    pub kind: Kind,
    /// Whether its reply is a stream.
    pub streams: bool,
    /// How much its request may come to, where that is a stream: whoever has but one message asks with
    /// that.
    pub takes_stream: Option<Total>,
    /// The type of the resources that it gets by their identifiers, many at once: whoever needs
    /// several asks this method, instead of another one for each.
    pub batch_gets: Option<&'static str>,
    /// Who may call it.
    pub permission: Permission,
    /// How it is tried when run as a job.
    pub job: Option<Job>,
    /// Whether its reply is what somebody asks a language model for them: a query that takes single
    /// scalars and gives [`Content`](crate::v1::Content).
    pub prompt: bool,
    /// What one call costs whoever runs the node.
    pub price: Option<Price>,
    /// How long ago its caller may have proved last who they are.
    pub step_up: Option<Duration>,
    /// Where REST serves it. No request could ask for two methods of a service, and paths begin
    /// with `/v1/<service>`.
    pub http: &'static [Binding],
    /// What it takes.
    pub request: &'static Shape,
    /// What it gives.
    pub reply: &'static Shape,
}

impl Method {
    /// What people call it: `ledger.CreateTransfer`.
    pub fn short_name(&self) -> String {
        format!("{}.{}", self.service, self.name)
    }

    /// What a scope of a credential calls it: `ledger.create_transfer`.
    pub fn scope(&self) -> String {
        let mut scope = format!("{}.", self.service);
        for (place, letter) in self.name.chars().enumerate() {
            if letter.is_ascii_uppercase() && place > 0 {
                scope.push('_');
            }
            scope.push(letter.to_ascii_lowercase());
        }
        scope
    }

    /// Whether it takes HTTP as it comes: it is asked for on a path of its own.
    pub fn is_raw(&self) -> bool {
        self.request.fields.iter().any(|field| {
            matches!(field.value, Value::Message(shape) if shape.name == "stoa.v1.HttpRequest")
        })
    }
}

/// One way to ask for a method over REST, by `google.api.http`.
#[derive(Debug)]
pub struct Binding {
    /// `GET`, `PUT`, `POST`, `DELETE` or `PATCH`.
    pub http_method: &'static str,
    /// The path's template, as the contract writes it: `/v1/orders/{id}:cancel`.
    pub template: &'static str,
    /// The same, segment by segment.
    pub segments: &'static [Segment],
    /// What follows the last segment after a colon: `cancel`.
    pub verb: &'static str,
    /// The fields that are written in the path.
    pub variables: &'static [Variable],
    /// The field that is the body; `*` for all that stand nowhere else, empty for no body.
    pub body: &'static str,
    /// The field of the reply that is the body of the response; empty for the whole reply.
    pub response_body: &'static str,
}

/// What a segment of a path may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment {
    /// This word.
    Word(&'static str),
    /// One that is not empty.
    One,
    /// All that are left. It is the last one.
    Rest,
}

/// A field that is written in a path.
#[derive(Debug)]
pub struct Variable {
    /// Its path: `id`, `order.id`.
    pub field: &'static str,
    /// The first of the segments that it is written in.
    pub start: usize,
    /// The segment behind them.
    pub end: usize,
}

/// What a method may do; each kind has its own signature in Rust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Reads one consistent snapshot.
    Query,
    /// Reads and changes the store, in one commit.
    Command,
    /// Talks to the outside, streams, or needs the processor for long.
    Effect,
}

/// Who may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Anybody.
    Public,
    /// Anybody who signed in.
    Authenticated,
    /// Services, jobs, subscriptions and timers; absent from every face.
    Internal,
    /// Whoever has been granted this permission.
    Named(&'static str),
}

/// How much a stream of requests may come to, all its messages together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// Bytes of the messages, as protobuf writes them.
    pub bytes_max: u64,
    /// How long it may be open, in seconds.
    pub seconds_max: u32,
}

/// How a job is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// Attempts before it is parked as dead.
    pub max_attempts: u32,
    /// Wait before the second attempt in milliseconds, doubled for each later one.
    pub backoff_ms: u32,
    /// The longest wait between two attempts, in milliseconds.
    pub backoff_max_ms: u32,
    /// How long one attempt may run before another worker takes it, in milliseconds.
    pub timeout_ms: u32,
    /// Attempts that one node runs at once, of all jobs of the method.
    pub at_once: u32,
}

/// What one call of a method costs, as [`Money`](crate::v1::Money) that is known when it is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// The amount, in the minor unit of the currency.
    pub amount: i64,
    /// The ISO 4217 code.
    pub currency: &'static str,
}

impl From<Price> for Money {
    fn from(price: Price) -> Self {
        Self { amount: price.amount, currency: price.currency.to_owned() }
    }
}

/// A message that asks for one method; the type of the request finds the method.
pub trait Request: Message {
    /// What is given in return.
    type Reply: Message;
    /// The method.
    const METHOD: &'static Method;
}

/// A request that reads and changes the store.
pub trait Command: Request {}

/// A request that reads one snapshot.
pub trait Query: Request {}

/// A request that reaches outside.
pub trait Effect: Request {}

/// A request of HTTP as it came, which a manifest mounts on a path: one whose only field is
/// `stoa.v1.HttpRequest http`, and the only one of its reply `stoa.v1.HttpResponse http`.
pub trait Raw: Effect {
    /// The request, of what came.
    fn of(http: HttpRequest) -> Self;
    /// What is answered, of the reply.
    fn answer(reply: Self::Reply) -> HttpResponse;
}
