//! The messages of [`echo`](crate::echo), written by hand: a contract that only tests know has no
//! place among the contracts. Each is a number about a subject.

use stoa_contract::{
    Check, Contract, EventType, Field, Job, Kind, Leaf, Method, Permission, Shape, Value,
};
use stoa_kit::v1::Money;
use stoa_kit::{Event, Message, Request};

/// What the service promises.
pub(crate) const CONTRACT: &Contract = &Contract {
    name: "echo",
    full_name: "stoa.echo.v1.EchoService",
    doc: "Hears what was said.",
    methods: &[
        Say::METHOD,
        Poison::METHOD,
        Taste::METHOD,
        Enqueue::METHOD,
        Work::METHOD,
        Spin::METHOD,
        Shrug::METHOD,
        Refuse::METHOD,
        Insist::METHOD,
        Whisper::METHOD,
        Relay::METHOD,
    ],
    events: &[EventType::of::<Said>()],
    descriptors: &[],
};

/// Makes a message of each name.
macro_rules! messages {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        pub(crate) struct $name(Money);

        #[allow(dead_code, reason = "not every message is read here")]
        impl $name {
            pub(crate) fn new(subject: &str, number: i64) -> Self {
                Self(Money { amount: number, currency: subject.to_owned() })
            }

            pub(crate) fn about(&self) -> (&str, i64) {
                (&self.0.currency, self.0.amount)
            }
        }

        stoa_testkit::wraps!($name);

        impl Message for $name {
            const NAME: &'static str = concat!("stoa.echo.v1.", stringify!($name));
            const SHAPE: &'static Shape = Money::SHAPE;

            fn check(&self, _: &mut Check) {}
        }
    )+};
}

messages! {
    /// Says something: a number about a subject.
    Say,
    /// It was said.
    Said,
    /// Makes a subject poisonous, in one of the ways that [`echo`](crate::echo) knows.
    Poison,
    /// Fails where a subject is poisonous.
    Taste,
    /// Enqueues a job.
    Enqueue,
    /// The job: an effect.
    Work,
    /// Keeps the thread that runs it.
    Spin,
    /// Tastes a subject, and goes on whatever comes of it.
    Shrug,
    /// Hears a number and refuses, which is remembered.
    Refuse,
    /// Has a subject refused, at once or after it said something.
    Insist,
    /// Says something, and replies with a secret.
    Whisper,
    /// An effect: whispers, waits at the gate, and says it again.
    Relay,
    /// The reply of everything.
    Done,
}

impl Event for Said {
    const TOPIC: &'static str = "echo.said";

    fn subject(&self) -> &str {
        self.about().0
    }
}

/// The shape of a reply that is not kept readable.
const SECRET: &Shape = &Shape {
    name: Money::NAME,
    fields: &[Field {
        name: "amount",
        json: "amount",
        value: Value::Leaf(Leaf::Text),
        redact: true,
        personal: false,
    }],
};

/// Makes a method of the message that asks for it.
macro_rules! method {
    ($name:ident, $kind:ident, $job:expr) => {
        method!($name, $kind, $job, Money::SHAPE);
    };
    ($name:ident, $kind:ident, $job:expr, $reply:expr) => {
        impl Request for $name {
            type Reply = Done;
            const METHOD: &'static Method = &Method {
                path: concat!("stoa.echo.v1.EchoService/", stringify!($name)),
                service: "echo",
                name: stringify!($name),
                doc: "",
                kind: Kind::$kind,
                streams: false,
                takes_stream: None,
                batch_gets: None,
                permission: Permission::Public,
                job: $job,
                prompt: false,
                price: None,
                step_up: None,
                http: &[],
                request: Money::SHAPE,
                reply: $reply,
            };
        }
    };
}

method!(Say, Command, None);
method!(Poison, Command, None);
method!(Taste, Query, None);
method!(Enqueue, Command, None);
method!(Spin, Command, None);
method!(Shrug, Command, None);
method!(Refuse, Command, None);
method!(Insist, Command, None);
method!(Whisper, Command, None, SECRET);
method!(Relay, Effect, None);
method!(Work, Effect, Some(JOB));

const JOB: Job = Job {
    max_attempts: 3,
    backoff_ms: 1_000,
    backoff_max_ms: 3_600_000,
    timeout_ms: 30_000,
    at_once: 16,
};
