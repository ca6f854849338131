//! Watches: how soon whoever watches is told of a commit, and what that costs whoever commits.
//!
//! Ten thousand rows are watched at once, or one row by a thousand watchers, each on a connection of
//! its own; the load commits at a steady rate. Each commit moves one unit, so that a balance says how
//! many commits a state shows: the `n`th commit that was answered has been delivered once every watcher
//! of its row was told of `n` of them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use stoa_kit::{Error, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::load::{self, Random, outcome};
use super::say;
use super::work::{HOT, Work, leg};
use crate::child::Child;
use crate::demo::now;
use crate::setup::pause;
use crate::wire::Wire;

/// By how many connections ten thousand rows are watched.
const ROW_CONNECTIONS: usize = 100;
/// Watchers of one row, each on a connection of its own.
const WATCHERS: usize = 1_000;
/// Commits a second, by so many callers.
const RATE: usize = 1_000;
const CALLERS: usize = 64;
/// How long the last of what was committed may take to be told.
const DRAIN: Duration = Duration::from_secs(10);

/// Measures, and says how it went.
pub(crate) async fn run(work: &Work, child: &Child, time: Duration) -> Result<()> {
    let rows = Arc::<[String]>::from(work.more_accounts(child).await?);
    let (case, address) = (work.transfers(64), work.address()?);
    let transfers = async |salt| load::run(&case, address, time, salt).await;
    let before = transfers("before").await?.per_s;
    let once = rows.iter().map(|row| (row.clone(), 1)).collect();
    let watchers = Watchers::open(work, once, ROW_CONNECTIONS).await?;
    let watched = transfers("watched").await?.per_s;
    watchers.measure(work, "watch_rows", &rows, time, |row| row).await?;
    watchers.close().await;
    let after = transfers("after").await?.per_s;
    let alone = f64::midpoint(before, after);
    say(&format!(
        "bench transfer_watched engine={} callers=64 watches={} per_s={watched:.0}",
        work.engine,
        rows.len(),
    ))?;
    let ratio = watched / alone.max(1.0);
    say(&format!("ratio transfer_watched engine={} watched/alone={ratio:.2}", work.engine))?;
    let hot = vec![(work.hot_account(child).await?, WATCHERS)];
    let watchers = Watchers::open(work, hot, WATCHERS).await?;
    watchers.measure(work, "watch_one", &rows, time, |_| 0).await?;
    watchers.close().await;
    Ok(())
}

/// What a watch was told, and when.
#[derive(Clone, Copy)]
struct Told {
    watch: usize,
    balance: i64,
    at: Instant,
}

type Telling = Arc<Mutex<Vec<Told>>>;

/// Everybody who watches.
struct Watchers {
    /// The row that each watch is about.
    rows: Vec<usize>,
    /// What each was told at first.
    first: Vec<i64>,
    told: Telling,
    lines: JoinSet<Result<()>>,
}

impl Watchers {
    /// Watches accounts, each by so many, on so many connections; waits until all are told.
    async fn open(work: &Work, accounts: Vec<(String, usize)>, connections: usize) -> Result<Self> {
        let (address, told) = (work.address()?, Telling::default());
        let mut bodies = vec![Vec::new(); connections];
        let mut rows = Vec::new();
        for (row, (account, times)) in accounts.iter().enumerate() {
            for _ in 0..*times {
                let watch = json!({
                    "id": rows.len().to_string(),
                    "method": "stoa.ledger.v1.LedgerService/GetAccount",
                    "request": {"account": account},
                });
                bodies[rows.len() % connections].push(watch);
                rows.push(row);
            }
        }
        let mut lines = JoinSet::new();
        for watches in bodies {
            let body = json!({"watches": watches}).to_string();
            let (head, told) = (head(work.token(), body.len()), Arc::clone(&told));
            lines.spawn(async move { listen(address, head + &body, &told).await });
        }
        let mut watchers = Self { first: vec![0; rows.len()], rows, told, lines };
        let begin = now();
        while taken(&watchers.told, |told| told.len()) < watchers.rows.len() {
            watchers.check(begin)?;
            pause(Duration::from_millis(5)).await;
        }
        for told in taken(&watchers.told, std::mem::take) {
            watchers.first[told.watch] = told.balance;
        }
        Ok(watchers)
    }

    fn check(&mut self, begin: Instant) -> Result<()> {
        if let Some(ended) = self.lines.try_join_next() {
            ended.map_err(Error::internal)??;
            return Err(lost("a connection on which is watched ended"));
        }
        let late = begin.elapsed() > DRAIN * 6;
        if late { Err(lost("not all who watch are told")) } else { Ok(()) }
    }

    /// Commits at a steady rate, and says how late the last watcher was told of each commit.
    async fn measure(
        &self, work: &Work, name: &str, accounts: &Arc<[String]>, time: Duration,
        row: impl Fn(usize) -> usize,
    ) -> Result<()> {
        let mut acks = vec![Vec::new(); self.first.len()];
        let begin = now();
        for (account, at) in pay(work, name, accounts, time).await? {
            acks[row(account)].push(at);
        }
        let calls: usize = acks.iter().map(Vec::len).sum();
        let took = begin.elapsed().as_secs_f64();
        let begin = now();
        let (mut spent, mut undelivered) = self.delays(&mut acks);
        while undelivered > 0 && begin.elapsed() < DRAIN {
            pause(Duration::from_millis(100)).await;
            (spent, undelivered) = self.delays(&mut acks);
        }
        let told = taken(&self.told, std::mem::take).len();
        let went = outcome(spent, time);
        say(&format!(
            "bench {name} engine={} watches={} commits_per_s={:.0} told_per_s={:.0} p50_ms={:.2} p99_ms={:.2} undelivered={undelivered} rss_mb={:.0}",
            work.engine,
            self.rows.len(),
            calls as f64 / took,
            told as f64 / took,
            went.p50_ms,
            went.p99_ms,
            work.resident_mb(),
        ))
    }

    /// Of each commit how long after its answer the last who watch its row were told, in
    /// microseconds; and how many were not told to all.
    fn delays(&self, acks: &mut [Vec<Instant>]) -> (Vec<u32>, usize) {
        let mut told = vec![Vec::new(); self.rows.len()];
        for one in taken(&self.told, |told| told.clone()) {
            let seen = one.balance.abs_diff(self.first[one.watch]);
            told[one.watch].push((seen as usize, one.at));
        }
        acks.iter_mut().for_each(|acks| acks.sort_unstable());
        let mut last: Vec<Vec<Option<Instant>>> =
            acks.iter().map(|acks| acks.iter().copied().map(Some).collect()).collect();
        for (row, told) in self.rows.iter().zip(&told) {
            for (number, last) in last[*row].iter_mut().enumerate() {
                let first = told.partition_point(|(seen, _)| *seen <= number);
                let delivered = told.get(first).map(|(_, at)| *at);
                *last = delivered.zip(*last).map(|(one, other)| one.max(other));
            }
        }
        let (acks, last) = (acks.iter().flatten(), last.iter().flatten());
        let delay = |(ack, last): (&Instant, &Option<Instant>)| {
            last.map(|last| last.duration_since(*ack).as_micros() as u32)
        };
        let all: Vec<Option<u32>> = acks.zip(last).map(delay).collect();
        let undelivered = all.iter().filter(|delay| delay.is_none()).count();
        (all.into_iter().flatten().collect(), undelivered)
    }

    async fn close(mut self) {
        self.lines.shutdown().await;
    }
}

fn taken<T>(told: &Telling, take: impl FnOnce(&mut Vec<Told>) -> T) -> T {
    take(&mut told.lock().unwrap_or_else(PoisonError::into_inner))
}

fn head(token: &str, length: usize) -> String {
    format!(
        "POST /live HTTP/1.1\r\nhost: stoa\r\ncontent-type: application/json\r\n\
         authorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n"
    )
}

/// Reads what is told on a connection, until it is lost.
async fn listen(address: SocketAddr, request: String, told: &Telling) -> Result<()> {
    let mut stream = TcpStream::connect(address).await.map_err(lost)?;
    stream.write_all(request.as_bytes()).await.map_err(lost)?;
    let mut came = Vec::with_capacity(1 << 16);
    while stream.read_buf(&mut came).await.map_err(lost)? > 0 {
        let at = now();
        let end = came.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in came[..end].split(|byte| *byte == b'\n') {
            if let Some(said) = line.strip_prefix(b"data: ") {
                let said = std::str::from_utf8(said).map_err(lost)?;
                let Some(watch) = number(said, "\"id\":\"") else { return Err(lost(said)) };
                let balance = number(said, "\"balance\":\"").unwrap_or(0);
                taken(told, |told| told.push(Told { watch: watch as usize, balance, at }));
            }
        }
        came.drain(..end);
    }
    Ok(())
}

/// The number behind a text.
fn number(said: &str, before: &str) -> Option<i64> {
    let (_, rest) = said.split_once(before)?;
    rest.split('"').next()?.parse().ok()
}

/// Pays at a steady rate from accounts chosen at random; gives which, and when that was answered.
async fn pay(
    work: &Work, name: &str, accounts: &Arc<[String]>, time: Duration,
) -> Result<Vec<(usize, Instant)>> {
    let mut callers = JoinSet::new();
    let (begin, calls) = (now(), RATE * time.as_secs() as usize);
    for number in 0..CALLERS {
        let (accounts, address, salt) = (Arc::clone(accounts), work.address()?, format!("{name}-"));
        let prefix = work.transfer();
        callers.spawn(async move {
            let mut wire = Wire::connect(address).await.map_err(lost)?;
            let (mut random, mut body, mut paid) =
                (Random::new(number as u64 + 1), Vec::new(), Vec::new());
            for call in (number..calls).step_by(CALLERS) {
                let due = Duration::from_secs(1) * call as u32 / RATE as u32;
                pause(due.saturating_sub(begin.elapsed())).await;
                let account = random.below(accounts.len());
                body.clear();
                leg(&mut body, &accounts[account], HOT);
                let key = format!("{salt}{call}");
                let answer = wire.ask(&prefix, Some(&key), &body).await.map_err(lost)?;
                if answer.status != 200 {
                    return Err(lost(String::from_utf8_lossy(answer.body)));
                }
                paid.push((account, now()));
            }
            Ok(paid)
        });
    }
    let mut all = Vec::new();
    while let Some(paid) = callers.join_next().await {
        all.extend(paid.map_err(Error::internal)??);
    }
    Ok(all)
}

fn lost(error: impl std::fmt::Display) -> Error {
    Error::unavailable("bench.watch", format!("what is watched is lost: {error}"))
}
