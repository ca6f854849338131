//! A small service of jobs that do what a test tells them to: two effects, of methods of their own,
//! and a command.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use stoa_contract::{Check, Code, Contract, Job, Kind, Method, Permission, Shape};
use stoa_kit::session::Session;
use stoa_kit::v1::Money;
use stoa_kit::{
    Error, JobOptions, MAIN, Message, Methods, Migration, Request, Result, Service, Tx,
};
use stoa_store::{Commit, Header, Outcome, kernel};
use stoa_testkit::Node;

const CONTRACT: &Contract = &Contract {
    name: "chores",
    full_name: "stoa.chores.v1.ChoresService",
    doc: "Does as it is told.",
    methods: &[Assign::METHOD, Wash::METHOD, Sweep::METHOD, Count::METHOD],
    events: &[],
    descriptors: &[],
};

const TABLES: &[Migration] = &[Migration::expand(
    "0001_chores",
    "CREATE TABLE chores_heard (tenant TEXT NOT NULL, id TEXT NOT NULL, words TEXT NOT NULL,
         PRIMARY KEY (tenant, id));",
)];

const JOB: Job = Job {
    max_attempts: 3,
    backoff_ms: 1_000,
    backoff_max_ms: 60_000,
    timeout_ms: 30_000,
    at_once: 2,
};

/// Makes a message of some words, and the method that it asks for.
macro_rules! chore {
    ($(#[$meta:meta])* $name:ident, $kind:ident, $job:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        pub(crate) struct $name(Money);

        impl $name {
            pub(crate) fn new(words: &str) -> Self {
                Self(Money { amount: 0, currency: words.to_owned() })
            }
        }

        stoa_testkit::wraps!($name);

        impl Message for $name {
            const NAME: &'static str = concat!("stoa.chores.v1.", stringify!($name));
            const SHAPE: &'static Shape = Money::SHAPE;

            fn check(&self, _: &mut Check) {}
        }

        impl Request for $name {
            type Reply = Money;
            const METHOD: &'static Method = &Method {
                path: concat!("stoa.chores.v1.ChoresService/", stringify!($name)),
                service: "chores",
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
                reply: Money::SHAPE,
            };
        }
    };
}

chore!(
    /// Enqueues a job: `wash it`, `sweep it`, `count it`, each with a lane if there is a third word.
    Assign, Command, None
);
chore!(
    /// An effect.
    Wash, Effect, Some(JOB)
);
chore!(
    /// Another one.
    Sweep, Effect, Some(Job { timeout_ms: 300_000, ..JOB })
);
chore!(
    /// A command: counts down from the number in its words, one at a time.
    Count, Command, Some(JOB)
);

/// What an effect does with its words.
pub(crate) type Hands = Arc<dyn Fn(String) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// Hands that do as a function says.
pub(crate) fn hands<F: Future<Output = Result<()>> + Send + 'static>(
    work: impl Fn(String) -> F + Send + Sync + 'static,
) -> Hands {
    Arc::new(move |words| Box::pin(work(words)))
}

/// The service. What follows an effect hears of it, and refuses to where its words say `deaf`.
pub(crate) fn service(hands: Hands) -> Service {
    let (wash, sweep) = (Arc::clone(&hands), hands);
    let methods = Methods::new(CONTRACT)
        .command(|tx, Assign(words)| assign(tx, &words.currency))
        .effect(move |_, Wash(words)| {
            let done = wash(words.currency);
            async move { done.await.map(|()| Money::default()) }
        })
        .effect(move |_, Sweep(words)| {
            let done = sweep(words.currency);
            async move { done.await.map(|()| Money::default()) }
        })
        .command(|tx, Count(words)| {
            hear(tx, "counted", &words.currency)?;
            tx.again(heard_of(tx, "counted")? < 3);
            Ok(Money::default())
        });
    Service::new(methods)
        .migrations(TABLES)
        .outcome::<Wash>(|tx, Wash(words), outcome| follow(tx, "washed", &words.currency, outcome))
        .outcome::<Sweep>(|tx, Sweep(words), outcome| follow(tx, "swept", &words.currency, outcome))
}

fn assign(tx: &mut Tx, words: &str) -> Result<Money> {
    let words: Vec<&str> = words.split_whitespace().collect();
    let lane = words.get(2).map(|lane| (*lane).to_owned());
    let options = JobOptions { lane, ..JobOptions::default() };
    match words[0] {
        "wash" => tx.enqueue(&Wash::new(words[1]), options)?,
        "sweep" => tx.enqueue(&Sweep::new(words[1]), options)?,
        _ => tx.enqueue(&Count::new(words[1]), options)?,
    };
    Ok(Money::default())
}

fn follow(tx: &mut Tx, done: &str, words: &str, outcome: Result<&Money, &Error>) -> Result<()> {
    if words.contains("deaf") {
        return Err(Error::new(Code::Unknown, "chores.deaf", "nobody hears"));
    }
    hear(tx, if outcome.is_ok() { done } else { "given up" }, words)
}

fn hear(tx: &mut Tx, what: &str, words: &str) -> Result<()> {
    const HEAR: &str = "INSERT INTO chores_heard (tenant, id, words) VALUES (:tenant, $1, $2)";
    let id = tx.new_id("heard");
    tx.insert(HEAR, (id, format!("{what} {words}")))
}

fn heard_of(tx: &Tx, what: &str) -> Result<i64> {
    const HEARD: &str = "SELECT COUNT(*) FROM chores_heard WHERE tenant = :tenant \
         AND substr(words, 1, 7) = $1 \
         /* whole: a test reads what it wrote */";
    Ok(tx.row::<(i64,)>(HEARD, (what,))?.map_or(0, |(count,)| count))
}

/// Enqueues a job, later than the one before.
pub(crate) async fn assign_to(node: &Node, words: &str) {
    node.call(&node.nobody(), Assign::new(words)).await.unwrap();
    node.pass(Duration::from_millis(1));
}

/// What was heard, sorted.
pub(crate) async fn heard(node: &Node) -> Vec<String> {
    const HEARD: &str = "SELECT words FROM chores_heard WHERE tenant = :tenant ORDER BY words \
         /* whole: a test reads what it wrote */";
    crate::echo::rows::<(String,)>(node.inner(), HEARD).await.into_iter().map(|row| row.0).collect()
}

/// Writes rows of the kernel's, as another node might.
pub(crate) async fn write(
    node: &Node, run: impl Fn(&mut dyn Session) -> Result<u64> + Send + 'static,
) {
    let header = Header {
        tenant: MAIN.into(),
        cause: String::new(),
        caller: "system".into(),
        method: "",
        trace: String::new(),
        key: None,
        asked: None,
        deadline: None,
        bytes: 64,
    };
    let run = move |session: &mut dyn Session, _| {
        run(session)?;
        Ok(Outcome { reply: None, gathered: Default::default() })
    };
    node.inner().store().commit(Commit { header, run: Box::new(run) }).await.unwrap();
}

/// Many jobs of a method that this node does not have, due before all others.
pub(crate) async fn enqueue_foreign(node: &Node, count: i64) {
    const ENQUEUE: &str = "INSERT INTO stoa_job (tenant, id, method, request, state, position, \
         run_at, priority, attempts, lease, behalf, credential, trace, depth, error, time) \
         VALUES (:tenant, $1, 'stoa.gone.v1.GoneService/Go', $2, 'ready', 1, 1, 9, 0, 0, 'system', \
         '', '', 0, '', 1)";
    write(node, move |session| {
        for number in 0..count {
            let row = (format!("job_{number}"), b"".as_slice());
            kernel::execute(session, MAIN, ENQUEUE, row)?;
        }
        Ok(0)
    })
    .await;
}
