//! A small service that hears what was said: by a subscription to its own events, and by a job.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use stoa_contract::Format;
use stoa_kit::{
    Code, Ctx, Error, JobOptions, Methods, Migration, Result, Service, Start, Tx, View,
};
use stoa_node::{Body, Position};
use stoa_testkit::Node;
use tokio::sync::watch;

use crate::messages::{
    CONTRACT, Done, Enqueue, Insist, Poison, Refuse, Relay, Said, Say, Shrug, Spin, Taste, Whisper,
    Work,
};

const TABLES: &[Migration] = &[Migration::expand(
    "0001_echo",
    "CREATE TABLE echo_heard (tenant TEXT NOT NULL, subject TEXT NOT NULL, place BIGINT NOT NULL,
         number BIGINT NOT NULL, PRIMARY KEY (tenant, subject, place));
     CREATE TABLE echo_poison (tenant TEXT NOT NULL, subject TEXT NOT NULL, kind BIGINT NOT NULL,
         PRIMARY KEY (tenant, subject));",
)];

/// The subject is good.
pub(crate) const CURED: i64 = 0;
/// Handling the subject is an error.
pub(crate) const BITTER: i64 = 1;
/// Handling the subject takes longer than any command may.
pub(crate) const SLOW: i64 = 2;
/// Handling the subject panics.
pub(crate) const EXPLOSIVE: i64 = 3;

/// The store cannot take what handling the subject would do, for now.
pub(crate) const BUSY: i64 = 4;

/// Who insists does so first of all.
pub(crate) const AT_ONCE: i64 = 1;
/// Who insists has said something before.
pub(crate) const LATER: i64 = 2;
/// Who insists can live with a refusal.
pub(crate) const TRYING: i64 = 3;

/// A job about this subject says its number once it is done.
pub(crate) const ECHOED: &str = "echoed";

/// Lets attempts of jobs begin, and go on when the test says so.
pub(crate) struct Gate {
    begun: watch::Sender<i64>,
    open: watch::Sender<i64>,
}

impl Gate {
    /// A gate that lets so many attempts through.
    pub(crate) fn new(open: i64) -> Arc<Self> {
        Arc::new(Self { begun: watch::Sender::new(0), open: watch::Sender::new(open) })
    }

    /// Lets so many attempts through.
    pub(crate) fn open(&self, attempts: i64) {
        self.open.send_replace(attempts);
    }

    /// Waits until so many attempts have begun.
    pub(crate) async fn reached(&self, attempts: i64) {
        let mut begun = self.begun.subscribe();
        let reached = begun.wait_for(|begun| *begun >= attempts);
        tokio::time::timeout(Duration::from_secs(60), reached).await.expect("it begins").unwrap();
    }

    fn begin(&self) -> i64 {
        let mut attempt = 0;
        self.begun.send_modify(|begun| {
            *begun += 1;
            attempt = *begun;
        });
        attempt
    }

    /// Keeps the thread until the gate is open.
    fn spin(&self) {
        self.begin();
        while *self.open.borrow() == 0 {
            std::thread::yield_now();
        }
    }

    /// Begins an attempt: its number.
    async fn pass(&self) -> i64 {
        let attempt = self.begin();
        self.open.subscribe().wait_for(|open| *open >= attempt).await.unwrap();
        attempt
    }
}

/// The service, whose jobs never wait.
pub(crate) fn service() -> Service {
    gated(Gate::new(i64::MAX))
}

/// The service, as it hears in so many partitions.
pub(crate) fn hearing(start: Start, partitions: u16) -> Service {
    hears(deaf(Gate::new(i64::MAX)), "hear", start, partitions)
}

/// The service, and another ear of it.
pub(crate) fn hears(
    service: Service, name: &'static str, start: Start, partitions: u16,
) -> Service {
    service.on::<Said>(name, start, partitions, |tx, said| {
        let (subject, number) = said.about();
        taste_it(tx, subject)?;
        hear(tx, subject, number)
    })
}

/// The service, whose jobs reply with the number of the attempt once the gate lets them.
pub(crate) fn gated(gate: Arc<Gate>) -> Service {
    hears(deaf(gate), "hear", Start::Oldest, 2)
}

/// The service as [`gated`], which hears nothing.
pub(crate) fn deaf(gate: Arc<Gate>) -> Service {
    let (spun, passed) = (Arc::clone(&gate), Arc::clone(&gate));
    let methods = Methods::new(CONTRACT)
        .command(|tx, said: Say| Ok(say(tx, said.about())))
        .command(|tx, said: Whisper| Ok(say(tx, said.about())))
        .command(poison)
        .query(|view, taste: Taste| {
            taste_it(view, taste.about().0)?;
            Ok(Done::default())
        })
        .command(|tx, job: Enqueue| {
            let (subject, number) = job.about();
            tx.enqueue(&Work::new(subject, number), JobOptions::default())?;
            Ok(Done::default())
        })
        .command(|tx, shrug: Shrug| {
            let (subject, number) = shrug.about();
            hear(tx, subject, number)?;
            let _ = tx.call(Taste::new(subject, 0));
            Ok(Done::default())
        })
        .command(|tx, refuse: Refuse| -> Result<Done> {
            let (subject, number) = refuse.about();
            hear(tx, subject, number)?;
            Err(Error::new(Code::Unknown, "echo.refused", "no").remembered())
        })
        .command(|tx, insist: Insist| match insist.about() {
            (subject, AT_ONCE) => tx.call(Refuse::new(subject, AT_ONCE)),
            (subject, LATER) => {
                say(tx, (subject, LATER));
                tx.call(Refuse::new(subject, LATER))
            }
            (subject, number) => {
                let _ = tx.attempt(|tx| tx.call(Refuse::new(subject, number)));
                Ok(say(tx, (subject, number)))
            }
        })
        .command(move |_, _: Spin| {
            spun.spin();
            Ok(Done::default())
        })
        .effect(move |ctx, relay: Relay| {
            let gate = Arc::clone(&passed);
            async move { self::relay(&ctx, relay.about(), &gate).await }
        })
        .effect(move |ctx, work: Work| {
            let gate = Arc::clone(&gate);
            async move {
                let attempt = gate.pass().await;
                ctx.call(Taste::new(work.about().0, 0)).await?;
                Ok(Done::new("", attempt))
            }
        });
    Service::new(methods).migrations(TABLES).outcome::<Work>(|tx, work, outcome| match outcome {
        Ok(done) => {
            let (subject, number) = work.about();
            if subject == ECHOED {
                tx.emit(&Said::new(subject, number));
            }
            hear(tx, &format!("job {subject}"), done.about().1)
        }
        Err(_) => hear(tx, "given up", work.about().1),
    })
}

fn say(tx: &mut Tx, (subject, number): (&str, i64)) -> Done {
    tx.emit(&Said::new(subject, number));
    Done::new(subject, number)
}

/// Says a secret number twice, before the gate and behind it; replies with it.
async fn relay(ctx: &Ctx, (subject, kind): (&str, i64), gate: &Gate) -> Result<Done> {
    assert!(kind != EXPLOSIVE, "{subject} explodes");
    let number = i64::from(u32::from_le_bytes(ctx.secret("number")));
    let whispered = ctx.call(Whisper::new(subject, number)).await?;
    gate.pass().await;
    ctx.call(Say::new(subject, whispered.about().1)).await
}

/// Puts a number behind those that were heard of its subject.
pub(crate) fn hear(tx: &mut Tx, subject: &str, number: i64) -> Result<()> {
    const LAST: &str = "SELECT place FROM echo_heard WHERE tenant = :tenant AND subject = $1 \
         ORDER BY place DESC LIMIT 1";
    const HEAR: &str = "INSERT INTO echo_heard (tenant, subject, place, number) \
         VALUES (:tenant, $1, $2, $3)";
    let last = tx.row::<(i64,)>(LAST, (subject,))?.map_or(0, |(place,)| place);
    tx.execute(HEAR, (subject, last + 1, number)).map(|_| ())
}

fn poison(tx: &mut Tx, poison: Poison) -> Result<Done> {
    const POISON: &str = "INSERT INTO echo_poison (tenant, subject, kind) \
         VALUES (:tenant, $1, $2) ON CONFLICT (tenant, subject) DO UPDATE SET kind = excluded.kind";
    tx.execute(POISON, poison.about())?;
    Ok(Done::default())
}

pub(crate) fn taste_it(view: &View, subject: &str) -> Result<()> {
    const KIND: &str = "SELECT kind FROM echo_poison WHERE tenant = :tenant AND subject = $1";
    const FOR_EVER: &str = "WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL \
         SELECT i + 1 FROM n WHERE i < $1) SELECT COUNT(*) FROM n WHERE :tenant <> ''";
    match view.row::<(i64,)>(KIND, (subject,))?.map_or(CURED, |(kind,)| kind) {
        BITTER => Err(Error::new(Code::Unknown, "echo.bitter", format!("{subject} is bitter"))),
        SLOW => view.row::<(i64,)>(FOR_EVER, (1_000_000_000_000_i64,)).map(|_| ()),
        BUSY => Err(Error::unavailable("store.test", format!("{subject} has to wait"))),
        EXPLOSIVE => panic!("{subject} explodes"),
        _ => Ok(()),
    }
}

/// What was heard of a subject, in order.
pub(crate) async fn heard(node: &Node, subject: &str) -> Vec<i64> {
    let heard = all_heard(node.inner()).await;
    heard.into_iter().filter(|(of, _)| of == subject).map(|(_, number)| number).collect()
}

/// All that was heard: numbers in order, by subject.
pub(crate) async fn all_heard(node: &stoa_node::Node) -> Vec<(String, i64)> {
    const HEARD: &str = "SELECT subject, number FROM echo_heard WHERE tenant = :tenant \
         ORDER BY subject, place \
         /* whole: a test reads what it wrote */";
    rows(node, HEARD).await
}

/// All that was said: numbers in order, by subject.
pub(crate) async fn all_said(node: &stoa_node::Node) -> Vec<(String, i64)> {
    const SAID: &str = "SELECT subject, payload FROM stoa_event WHERE tenant = :tenant \
         ORDER BY subject, position, ordinal \
         /* whole: a test reads what it wrote */";
    let events: Vec<(String, Vec<u8>)> = rows(node, SAID).await;
    let number =
        |payload: &[u8]| stoa_contract::decode::<Said>(payload, Format::Binary).unwrap().about().1;
    events.into_iter().map(|(subject, payload)| (subject, number(&payload))).collect()
}

pub(crate) async fn rows<T: stoa_kit::value::FromRow + Send + 'static>(
    node: &stoa_node::Node, sql: &'static str,
) -> Vec<T> {
    rows_of(node, stoa_kit::MAIN, sql).await
}

/// The same of a tenant.
pub(crate) async fn rows_of<T: stoa_kit::value::FromRow + Send + 'static>(
    node: &stoa_node::Node, tenant: &'static str, sql: &'static str,
) -> Vec<T> {
    let (send, receive) = std::sync::mpsc::channel();
    let read: stoa_store::Read<()> = Box::new(move |session, _| {
        // A receiver that is gone is this function's, which has failed.
        let _ = send.send(stoa_store::kernel::rows(session, tenant, sql, ())?);
        Ok(())
    });
    node.store().read(None, read).await.unwrap();
    receive.try_iter().last().unwrap()
}

/// Asks the node about itself, as `stoa system <method>` does.
pub(crate) async fn system(node: &Node, method: &str, request: Value) -> Result<Value> {
    Ok(told(node, method, request).await?.0)
}

/// The same, and where the commit stands.
pub(crate) async fn told(
    node: &Node, method: &str, request: Value,
) -> Result<(Value, Option<Position>)> {
    let path = format!("stoa.system.v1.SystemService/{method}");
    let registry = Arc::clone(node.inner().registry());
    let bound = registry.method(&path).expect("the node's own contract has it");
    let request = bound.decode_request(request.to_string().as_bytes(), Format::Json)?;
    let answer = node.dispatch(&path, &node.admin(), "127.0.0.1", None, request).await?;
    let Body::Message(reply) = answer.body else { panic!("{method} streams") };
    let reply = serde_json::from_slice(&reply.encode(Format::Json)?).unwrap();
    Ok((reply, answer.position.map(Position)))
}
