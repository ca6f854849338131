//! One connection: it connects by itself, keeps its prepared statements, and sends in one round
//! trip what need not wait for an answer.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::task::Poll;
use std::time::Duration;

use futures::future::{Either, LocalBoxFuture, join, select, try_join3};
use futures::{FutureExt, TryFutureExt, TryStreamExt, pin_mut};
use stoa_kit::session::{Origin, Sql};
use stoa_kit::value::{Row, Value};
use stoa_kit::{Error, Micros, Result};
use tokio::runtime::Runtime;
use tokio_postgres::types::Type as PgType;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::dial::{self, Place, Role};
use super::trouble::{Fault, refused, translate};
use super::wire::{Encoded, PgRow, encode, type_of};
use super::{CLOCK, Shared};
use crate::inspect::Statement;
use crate::known::Known;

/// The longest wait between two attempts to connect.
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// A statement of a service that this connection has prepared.
pub(super) struct Prepared {
    pub inspected: Arc<Statement>,
    prepared: tokio_postgres::Statement,
}

/// Something to send in a pipeline.
pub(super) enum Step {
    /// Statements without parameters, whose rows do not matter.
    Plain(String),
    /// A statement of a service.
    Bound(Arc<Prepared>, Vec<Encoded>),
    /// Asks for the transaction's identifier and the time, unless it is known already, and bounds
    /// what follows.
    Identify([Encoded; 1]),
    /// The same, and claims a key: the time, tenant, hash, fingerprint, how long it lives.
    Claim([Encoded; 5]),
    /// Writes position and reply under the key that was claimed: its place, position, reply.
    Remember([Encoded; 3]),
}

impl Step {
    pub(super) fn plain(sql: &str) -> Self {
        Self::Plain(sql.to_owned())
    }
}

/// What a step gave.
pub(super) type Answer = Result<Given, tokio_postgres::Error>;

/// What a step gave: the transaction's identifier, its time, and where the key is that it claimed.
#[derive(Default)]
pub(super) struct Given {
    pub identifier: i64,
    pub now: Micros,
    pub claimed: Option<String>,
}

/// The kernel's own statements that no other engine has.
struct Own {
    identify: tokio_postgres::Statement,
    claim: tokio_postgres::Statement,
    remember: tokio_postgres::Statement,
}

impl Own {
    async fn prepare(client: &Client, budget: Duration) -> Result<Self, tokio_postgres::Error> {
        let budget = budget.as_millis();
        let bounds = format!(
            "set_config('statement_timeout', '{budget}', true), \
             set_config('lock_timeout', '{}', true)",
            budget * 4 / 5
        );
        let begun = format!("pg_current_xact_id()::text::bigint, now, {bounds}");
        let clock = format!("WITH clock AS (SELECT COALESCE($1::bigint, {CLOCK}) AS now)");
        let identify = format!("{clock} SELECT {begun}, NULL::text FROM clock");
        let claim = format!(
            "{clock}, claimed AS (INSERT INTO stoa_key \
                 (tenant, hash, fingerprint, position, reply, expires) \
                 SELECT $2, $3, $4, 0, '', now + $5 FROM clock \
                 ON CONFLICT (tenant, hash) DO NOTHING RETURNING ctid::text AS place) \
             SELECT {begun}, (SELECT place FROM claimed) FROM clock"
        );
        let claims = [PgType::INT8, PgType::TEXT, PgType::BYTEA, PgType::BYTEA, PgType::INT8];
        // By its place and not by its key: to look a key up is to read its page of the index,
        // and every command that claims another key on that page would be in the way.
        let remember = "UPDATE stoa_key SET position = $2, reply = $3 WHERE ctid = $1::text::tid";
        let (identify, claim, remember) = try_join3(
            client.prepare(&identify),
            client.prepare_typed(&claim, &claims),
            client.prepare_typed(remember, &[PgType::TEXT, PgType::INT8, PgType::BYTEA]),
        )
        .await?;
        Ok(Self { identify, claim, remember })
    }
}

/// A connection and the thread's own runtime that drives it.
pub(super) struct Link {
    shared: Arc<Shared>,
    role: Role,
    runtime: Runtime,
    open: Option<Open>,
    /// The last attempt to connect, if it failed.
    failed: Option<Failed>,
    /// What goes out with the next statement.
    lead: Vec<Step>,
    /// Whether a key was there twice in this transaction.
    pub duplicate: bool,
    /// Whether a snapshot has to be ended before the next.
    pub snapshot: bool,
}

/// An attempt to connect that failed.
struct Failed {
    error: Error,
    /// How many have since the last that succeeded.
    times: u32,
    /// Uptime at which to try again.
    again: Duration,
}

struct Open {
    client: Client,
    own: Option<Own>,
    known: Known<Prepared>,
    _place: Place,
}

impl Link {
    pub(super) fn new(shared: Arc<Shared>, role: Role) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(
            |error| {
                let what = format!("the machine gives no descriptors: {error}");
                Error::unavailable("node.no_thread", what).help(stoa_kit::world::NO_ROOM)
            },
        )?;
        let (open, failed, lead) = (None, None, Vec::new());
        Ok(Self { shared, role, runtime, open, failed, lead, duplicate: false, snapshot: false })
    }

    /// Connects, if it is not connected. After a failure it does not try again at once.
    pub(super) fn connect(&mut self) -> Result<()> {
        if self.open.as_ref().is_some_and(|open| !open.client.is_closed()) {
            return Ok(());
        }
        self.reset();
        let uptime = self.shared.world.uptime();
        if let Some(failed) = self.failed.as_ref().filter(|failed| uptime < failed.again) {
            return Err(failed.error.clone());
        }
        match self.dial() {
            Ok(open) => {
                self.open = Some(open);
                self.failed = None;
                Ok(())
            }
            Err(error) => {
                let times = self.failed.as_ref().map_or(0, |failed| failed.times);
                let wait = Duration::from_millis(25 << times.min(7)).min(BACKOFF_MAX);
                let again = self.shared.world.uptime() + wait;
                self.failed = Some(Failed { error: error.clone(), times: times + 1, again });
                if !is_crowded(&error) {
                    self.shared.down.store(true, Release);
                }
                Err(error)
            }
        }
    }

    /// Whether the database has no room for this connection while others of its role have theirs, or
    /// are about to: what could not be done is for them.
    pub(super) fn is_left_out(&mut self) -> bool {
        self.connect().is_err_and(|error| is_crowded(&error))
            && self.shared.places[self.role as usize].load(Acquire) > 0
    }

    /// Waits until it is time to connect again. False when the store closes.
    pub(super) fn rest(&self) -> bool {
        let again = self.failed.as_ref().map_or(Duration::ZERO, |failed| failed.again);
        let wait = again.saturating_sub(self.shared.world.uptime());
        let mut closing = self.shared.closing.subscribe();
        let world = Arc::clone(&self.shared.world);
        self.wait(async move {
            let (wait, closed) = (world.sleep(wait), closing.wait_for(|closing| *closing));
            pin_mut!(wait, closed);
            matches!(select(wait, closed).await, Either::Left(_))
        })
    }

    fn dial(&self) -> Result<Open> {
        let place = Place::take(&self.shared, self.role);
        self.runtime.block_on(async {
            let client = dial::dial(&self.shared.candidates, self.role).await?;
            let own = match self.role {
                Role::Write => {
                    let own = Own::prepare(&client, self.shared.options.command_budget).await;
                    Some(own.map_err(|error| refused(&error))?)
                }
                Role::Read | Role::Keep => None,
            };
            Ok(Open { client, own, known: Known::default(), _place: place })
        })
    }

    /// Drops the connection; the server undoes what it had open.
    pub(super) fn reset(&mut self) {
        self.open = None;
        self.lead.clear();
    }

    /// Sends something in front of the next statement, in the same round trip.
    pub(super) fn lead(&mut self, step: Step) {
        self.lead.push(step);
    }

    /// Sends what waits to be sent.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.lead.is_empty() {
            return Ok(());
        }
        for answer in self.send(Vec::new())? {
            answer.map_err(|error| self.failed(&error, "statements sent together"))?;
        }
        Ok(())
    }

    /// Forgets the inserts that wait to be sent.
    pub(super) fn forget_inserts(&mut self) {
        self.lead.retain(|step| !matches!(step, Step::Bound(..)));
    }

    /// Forgets what waits to be sent; false if nothing did.
    pub(super) fn forget_lead(&mut self) -> bool {
        let waits = !self.lead.is_empty();
        self.lead.clear();
        waits
    }

    /// A statement of a service, inspected, prepared and fit for these parameters.
    pub(super) fn statement(
        &mut self, origin: Origin<'_>, sql: Sql<'_>, params: &[Value<'_>],
    ) -> Result<Arc<Prepared>> {
        let open = self.open.as_ref();
        if let Some(known) = open.and_then(|open| open.known.get(origin.service, sql)) {
            known.inspected.check(origin, params)?;
            return Ok(known);
        }
        let inspected = self.shared.inspector.inspect(origin.service, sql)?;
        inspected.check(origin, params)?;
        let mut types: Vec<_> = inspected.tenant.then_some(PgType::TEXT).into_iter().collect();
        types.extend(params.iter().map(|value| type_of(value.kind())));
        let lead = std::mem::take(&mut self.lead);
        let Some(open) = &self.open else { return Err(lost()) };
        let prepare = open.client.prepare_typed(&inspected.postgres, &types);
        let prepared = self.runtime.block_on(open.led(&lead, prepare));
        let prepared = prepared.map_err(|error| self.failed(&error, sql.text()))?;
        let known = Arc::new(Prepared { inspected, prepared });
        if let Some(open) = &mut self.open {
            open.known.put(origin.service, sql, &known);
        }
        Ok(known)
    }

    /// The parameters of a statement as they are sent, the tenant first where it is named.
    ///
    /// # Errors
    /// `internal` where they are of other types than when the statement was prepared: it must
    /// be noticed before anything of a pipeline is sent, or the rest of it would be committed.
    pub(super) fn encode(
        known: &Prepared, tenant: &str, params: &[Value<'_>],
    ) -> Result<Vec<Encoded>> {
        let (wanted, named) = (known.prepared.params(), known.inspected.tenant);
        if wanted.len() != params.len() + usize::from(named) {
            return Err(Error::internal(format!("PostgreSQL sees {} parameters", wanted.len())));
        }
        let mut encoded: Vec<_> = named.then(|| encode(Value::Text(tenant))).into_iter().collect();
        for (value, wanted) in params.iter().zip(&wanted[usize::from(named)..]) {
            if type_of(value.kind()) != *wanted {
                return Err(Error::internal(format!(
                    "a parameter was {wanted} before and is {:?} now: {}",
                    value.kind(),
                    known.inspected.postgres
                )));
            }
            encoded.push(encode(*value));
        }
        Ok(encoded)
    }

    /// Runs a statement and shows its rows.
    pub(super) fn query(
        &mut self, known: &Prepared, params: &[Encoded],
        each: &mut dyn FnMut(&dyn Row) -> Result<bool>,
    ) -> Result<u64> {
        let lead = std::mem::take(&mut self.lead);
        let Some(open) = &self.open else { return Err(lost()) };
        let mut shown = Ok(true);
        let rows = async {
            let rows = open.client.query_raw(&known.prepared, params).await?;
            pin_mut!(rows);
            // Also rows that nobody wants are taken: an error in a later one ends the
            // transaction, and must not go unseen.
            while let Some(row) = rows.try_next().await? {
                if matches!(shown, Ok(true)) {
                    shown = each(&PgRow(&row));
                }
            }
            Ok(rows.rows_affected().unwrap_or(0))
        };
        let rows = self.runtime.block_on(open.led(&lead, rows));
        let rows = rows.map_err(|error| self.failed(&error, &known.inspected.postgres))?;
        shown.map(|_| rows)
    }

    /// Sends every step before it waits for the first answer. PostgreSQL takes them in order;
    /// after one that fails inside of a transaction, the rest of the transaction fails too.
    pub(super) fn send(&mut self, steps: Vec<Step>) -> Result<Vec<Answer>> {
        let mut all = std::mem::take(&mut self.lead);
        all.extend(steps);
        let Some(open) = &self.open else { return Err(lost()) };
        Ok(self.runtime.block_on(open.send(&all)))
    }

    /// Runs statements whose rows do not matter.
    pub(super) fn plain(&mut self, sql: &str) -> Result<()> {
        let answers = self.send(vec![Step::plain(sql)])?;
        for answer in answers {
            answer.map_err(|error| self.failed(&error, sql))?;
        }
        Ok(())
    }

    /// The rows of a statement without parameters, as text.
    pub(super) fn rows(&mut self, sql: &str) -> Result<Vec<Vec<String>>> {
        let lead = std::mem::take(&mut self.lead);
        let Some(open) = &self.open else { return Err(lost()) };
        let messages = self.runtime.block_on(open.led(&lead, open.client.simple_query(sql)));
        let messages = messages.map_err(|error| self.failed(&error, sql))?;
        Ok(Self::texts(&messages))
    }

    /// The same, from a server that answers soon; one that does not loses the connection: its
    /// other end may have stopped for ever.
    pub(super) fn rows_within(&mut self, wait: Duration, sql: &str) -> Result<Vec<Vec<String>>> {
        let Some(open) = &self.open else { return Err(lost()) };
        let world = &self.shared.world;
        let asked = async {
            let late = world.sleep(wait);
            let asked = open.client.simple_query(sql);
            pin_mut!(asked);
            match select(asked, late).await {
                Either::Left((messages, _)) => Some(messages),
                Either::Right(_) => None,
            }
        };
        match self.runtime.block_on(asked) {
            Some(Ok(messages)) => Ok(Self::texts(&messages)),
            Some(Err(error)) => Err(self.failed(&error, sql)),
            None => {
                self.reset();
                Err(super::gone("the database does not answer in time"))
            }
        }
    }

    fn texts(messages: &[SimpleQueryMessage]) -> Vec<Vec<String>> {
        let row = |row: &tokio_postgres::SimpleQueryRow| {
            (0..row.len()).map(|column| row.get(column).unwrap_or_default().to_owned()).collect()
        };
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(found) => Some(row(found)),
            _ => None,
        });
        rows.collect()
    }

    /// The one number that a statement gives.
    pub(super) fn number(&mut self, sql: &str) -> Result<i64> {
        let rows = self.rows(sql)?;
        let number = rows.first().and_then(|row| row.first()?.parse().ok());
        number.ok_or_else(|| Error::internal(format!("no number: {sql}")))
    }

    /// The server's time. Inside of a transaction, the snapshot is there before it is told.
    pub(super) fn clock(&mut self) -> Result<Micros> {
        self.number(&format!("SELECT {CLOCK}")).map(Micros)
    }

    /// Waits while the connection stays alive.
    pub(super) fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// What an error of the connection means.
    pub(super) fn failed(&mut self, error: &tokio_postgres::Error, sql: &str) -> Error {
        match Fault::of(error) {
            Fault::Lost => self.reset(),
            Fault::Duplicate => self.duplicate = true,
            Fault::Conflict | Fault::Other => {}
        }
        translate(error, sql)
    }
}

impl Open {
    /// Sends steps in their order, and gives their answers in the same.
    async fn send(&self, steps: &[Step]) -> Vec<Answer> {
        in_order(steps.iter().map(|step| self.step(step)).collect()).await
    }

    /// Sends steps in front of something, in the same round trip.
    async fn led<T>(
        &self, lead: &[Step], then: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, tokio_postgres::Error> {
        if lead.is_empty() {
            return then.await;
        }
        let (first, second) = join(self.send(lead), then).await;
        first.into_iter().try_for_each(|answer| answer.map(|_| ()))?;
        second
    }

    fn step<'a>(&'a self, step: &'a Step) -> LocalBoxFuture<'a, Answer> {
        let plain = |sql| self.client.batch_execute(sql).map_ok(|()| Given::default());
        match (step, &self.own) {
            (Step::Plain(sql), _) => plain(sql).boxed_local(),
            (Step::Bound(known, params), _) => self.change(&known.prepared, params).boxed_local(),
            (Step::Remember(params), Some(own)) => self.change(&own.remember, params).boxed_local(),
            (Step::Claim(params), Some(own)) => self.begin(&own.claim, params).boxed_local(),
            (Step::Identify(params), Some(own)) => self.begin(&own.identify, params).boxed_local(),
            // Only connections for commands begin any; the server says so.
            (_, None) => plain("a connection that does not write").boxed_local(),
        }
    }

    async fn change(&self, sql: &tokio_postgres::Statement, params: &[Encoded]) -> Answer {
        let rows = self.client.query_raw(sql, params).await?;
        pin_mut!(rows);
        while rows.try_next().await?.is_some() {}
        Ok(Given::default())
    }

    async fn begin(&self, sql: &tokio_postgres::Statement, params: &[Encoded]) -> Answer {
        let rows = self.client.query_raw(sql, params).await?;
        pin_mut!(rows);
        let mut given = Given::default();
        while let Some(row) = rows.try_next().await? {
            let now = Micros(row.try_get(1)?);
            given = Given { identifier: row.try_get(0)?, now, claimed: row.try_get(4)? };
        }
        Ok(given)
    }
}

/// Whether the database has no room for a connection more.
pub(super) fn is_crowded(error: &Error) -> bool {
    error.reason() == "store.busy"
}

/// The connection is not there.
pub(super) fn lost() -> Error {
    Error::unavailable("store.lost", "the connection to the database was lost")
}

/// An error and what is behind it. What the server says of one row, in its DETAIL, stays out: it
/// quotes values.
pub(super) fn cause(error: &tokio_postgres::Error) -> String {
    if let Some(refused) = error.as_db_error() {
        let of = refused.constraint().map(|name| format!(" ({name})")).unwrap_or_default();
        return format!("{} {}{of}", refused.code().code(), refused.message());
    }
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Waits for all, polling in order: what is polled first is sent first.
async fn in_order<T>(mut futures: Vec<LocalBoxFuture<'_, T>>) -> Vec<T> {
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, slot) in futures.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *slot = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}
