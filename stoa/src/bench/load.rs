//! The load: so many callers, each with a connection of its own, as fast as they are answered.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use stoa_contract::Code;
use stoa_kit::{Error, Result};
use tokio::task::JoinSet;

use super::grpc::{Grpc, Head};
use crate::demo::now;
use crate::wire::{Below, Prefix, Wire, push_number};

/// How long the load runs before it is measured.
const WARM_UP: Duration = Duration::from_millis(500);

/// Writes the body of the next request.
pub(crate) type Body = Arc<dyn Fn(&mut Random, &mut Vec<u8>) + Send + Sync>;
/// Is told what was answered, where the next request follows from it.
pub(crate) type Told = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// What callers do.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) callers: usize,
    pub(crate) way: Way,
    /// Whether each request carries a key of its own.
    pub(crate) keyed: bool,
    pub(crate) body: Body,
    pub(crate) told: Option<Told>,
}

/// How a request is sent.
#[derive(Clone)]
pub(crate) enum Way {
    Post(Prefix),
    /// What is the body of others ends its path.
    Get(Below),
    Grpc(Head),
}

/// How it went.
pub(crate) struct Outcome {
    pub(crate) per_s: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// Numbers that are random enough to spread load (xorshift64, Marsaglia 2003).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

/// Runs a case for so long; `salt` keeps its keys apart from those of every other run.
pub(crate) async fn run(
    case: &Case, address: SocketAddr, time: Duration, salt: &str,
) -> Result<Outcome> {
    let mut callers = JoinSet::new();
    for number in 0..case.callers {
        let (case, salt) = (case.clone(), format!("{salt}-{}-{number}-", case.name));
        callers.spawn(async move { call(&case, address, time, &salt, number).await });
    }
    let mut spent: Vec<u32> = Vec::new();
    while let Some(caller) = callers.join_next().await {
        spent.extend(caller.map_err(Error::internal)??);
    }
    Ok(outcome(spent, time))
}

/// What latencies in microseconds come to.
pub(crate) fn outcome(mut spent: Vec<u32>, time: Duration) -> Outcome {
    spent.sort_unstable();
    let at = |share: usize| {
        let index = (spent.len() * share / 100).min(spent.len().saturating_sub(1));
        spent.get(index).map_or(0.0, |us| f64::from(*us) / 1000.0)
    };
    Outcome { per_s: spent.len() as f64 / time.as_secs_f64(), p50_ms: at(50), p99_ms: at(99) }
}

async fn call(
    case: &Case, address: SocketAddr, time: Duration, salt: &str, number: usize,
) -> Result<Vec<u32>> {
    let lost = |error| Error::unavailable("bench.node", format!("the node is gone: {error}"));
    let mut line = Line::connect(&case.way, address).await.map_err(lost)?;
    let mut random = Random::new(number as u64 + 1);
    let (mut body, mut key, mut spent) = (Vec::new(), salt.as_bytes().to_vec(), Vec::new());
    let begin = now() + WARM_UP;
    let end = begin + time;
    let mut count = 0;
    loop {
        body.clear();
        (case.body)(&mut random, &mut body);
        key.truncate(salt.len());
        push_number(&mut key, count);
        count += 1;
        let text = std::str::from_utf8(&key).unwrap_or("");
        let start = now();
        let answer = line.ask(&case.way, case.keyed.then_some(text), &body).await;
        let stop = now();
        match answer.map_err(lost)? {
            Ok(answer) => case.told.iter().for_each(|told| told(answer)),
            Err(refusal) => {
                return Err(Error::new(Code::FailedPrecondition, "bench.refused", refusal));
            }
        }
        // What began in the warm-up or ended after the end belongs to no second that is measured.
        if start >= begin && stop < end {
            spent.push(stop.duration_since(start).as_micros() as u32);
        }
        if stop >= end {
            return Ok(spent);
        }
    }
}

/// A connection of one caller.
enum Line {
    Http(Wire),
    Grpc(Grpc),
}

impl Line {
    async fn connect(way: &Way, address: SocketAddr) -> io::Result<Self> {
        Ok(match way {
            Way::Grpc(_) => Self::Grpc(Grpc::connect(address).await?),
            Way::Post(_) | Way::Get(_) => Self::Http(Wire::connect(address).await?),
        })
    }

    /// Sends a request: what is answered, or what it is refused with. By gRPC nothing is told.
    async fn ask(
        &mut self, way: &Way, key: Option<&str>, body: &[u8],
    ) -> io::Result<std::result::Result<&[u8], String>> {
        let answer = match (self, way) {
            (Self::Grpc(grpc), Way::Grpc(head)) => {
                return Ok(grpc.ask(head, key, body).await?.map(|_| &[][..]));
            }
            (Self::Http(wire), Way::Post(prefix)) => wire.ask(prefix, key, body).await?,
            (Self::Http(wire), Way::Get(below)) => wire.get(below, body).await?,
            _ => return Err(io::Error::other("a connection of another kind")),
        };
        let refused = || Err(String::from_utf8_lossy(answer.body).into_owned());
        Ok(if answer.status == 200 && !refuses(answer.body) { Ok(answer.body) } else { refused() })
    }
}

/// Whether a success of HTTP says that the call was none: GraphQL and MCP do.
fn refuses(body: &[u8]) -> bool {
    body.starts_with(b"{\"errors\"") || body.windows(15).any(|part| part == b"\"isError\":true,")
}
