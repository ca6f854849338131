//! Whoever watches is told what is, and misses nothing that lasts: watchers come and go, nodes are
//! killed, and writers go on.
//!
//! Each writer pays one unit after another into a wallet of its own, so that a wallet's balance says how
//! many of its commits a state shows. From where each of them was committed follows what a state at a
//! position must show at least, and, where positions are the order of commits, what it must be. Everything
//! comes from one account, so that a list that is no snapshot does not add up.

use std::collections::HashMap;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stoa_testkit::Engine;
use tempfile::TempDir;

use crate::http::{Answer, Request};
use crate::live::{Line, Way};
use crate::process::Node;

/// Writers, the payments of each, and how many of them are made while all is in turmoil.
const WRITERS: usize = 3;
const PAYMENTS: i64 = 60;
const TURMOIL: i64 = 45;
/// Watchers of each way.
const WATCHERS: usize = 4;
/// How often a node is killed.
const KILLS: usize = 3;
/// Of how many messages a watcher grows tired at the most, while all is in turmoil.
const MESSAGES: u64 = 6;
/// How long anything may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where everything happens.
struct Ground {
    engine: Engine,
    token: String,
    cash: String,
    wallets: Vec<String>,
    /// Where each node listens now.
    addresses: Vec<Mutex<SocketAddr>>,
    paid: AtomicUsize,
    is_calm: AtomicBool,
}

/// What a watcher was told of one query.
#[derive(Debug, Clone)]
struct Told {
    by: SocketAddr,
    position: i64,
    balances: HashMap<String, i64>,
}

/// Numbers that are the same in every run (xorshift64, Marsaglia 2003).
struct Random(u64);

impl Random {
    fn of(number: usize) -> Self {
        Self((number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn pause() {
    std::thread::park_timeout(Duration::from_millis(5));
}

fn balances<'a>(accounts: impl IntoIterator<Item = &'a Value>) -> HashMap<String, i64> {
    let balance = |account: &Value| {
        let balance = account["balance"].as_str().map_or(0, |text| text.parse().unwrap());
        (account["id"].as_str().unwrap().to_owned(), balance)
    };
    accounts.into_iter().map(balance).collect()
}

fn position(text: &str) -> i64 {
    i64::from_str_radix(&text[1..], 16).unwrap()
}

impl Ground {
    fn open(engine: Engine, nodes: &[Node], token: String) -> Self {
        let open = |kind: &str| {
            let account = json!({"currency": "EUR", "kind": kind});
            let reply = nodes[0].call(&token, "ledger", "CreateAccount", &account).ok();
            reply["account"]["id"].as_str().unwrap().to_owned()
        };
        let cash = open("ACCOUNT_KIND_ASSET");
        let wallets = (0..WRITERS).map(|_| open("ACCOUNT_KIND_LIABILITY")).collect();
        let addresses = nodes.iter().map(|node| Mutex::new(node.address)).collect();
        let (paid, is_calm) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { engine, token, cash, wallets, addresses, paid, is_calm }
    }

    fn address(&self, random: &mut Random) -> SocketAddr {
        let place = random.below(self.addresses.len() as u64) as usize;
        *self.addresses[place].lock().unwrap()
    }

    fn is_calm(&self) -> bool {
        self.is_calm.load(SeqCst)
    }

    /// Kills one node after another, each once some more was paid, and starts it again.
    fn disturb(&self, mut nodes: Vec<Node>, start: impl Fn() -> Node) -> Vec<Node> {
        let share = WRITERS * TURMOIL as usize / (KILLS + 1);
        for kill in 1..=KILLS {
            wait_for(|| self.paid.load(SeqCst) >= kill * share);
            let place = kill % nodes.len();
            drop(nodes.remove(place));
            nodes.insert(place, start());
            *self.addresses[place].lock().unwrap() = nodes[place].address;
        }
        wait_for(|| self.paid.load(SeqCst) >= WRITERS * TURMOIL as usize);
        self.is_calm.store(true, SeqCst);
        nodes
    }

    /// Pays all that a writer pays; gives where each was committed.
    fn write(&self, writer: usize) -> Vec<i64> {
        let mut random = Random::of(writer);
        let pay = |number| {
            if number == TURMOIL {
                wait_for(|| self.is_calm());
            }
            let begin = Instant::now();
            loop {
                assert!(begin.elapsed() < PATIENCE, "no node takes a payment");
                let answer = self.pay(self.address(&mut random), writer, number);
                if let Some(position) = answer.and_then(|answer| committed(&answer)) {
                    self.paid.fetch_add(1, SeqCst);
                    return position;
                }
                pause();
            }
        };
        (0..PAYMENTS).map(pay).collect()
    }

    /// Pays once, however often this is tried; nothing if the node is gone.
    fn pay(&self, address: SocketAddr, writer: usize, number: i64) -> Option<Answer> {
        let legs = json!([{"debit": self.cash, "credit": self.wallets[writer], "amount": "1"}]);
        let transfer = json!({"currency": "EUR", "legs": legs});
        let request = Request::call(&self.token, "ledger", "CreateTransfer", &transfer)
            .with("idempotency-key", &format!("{writer}-{number}"));
        let mut stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&request.bytes(request.body.len())).ok()?;
        Answer::read(stream)
    }

    /// Watches until all is told, on one connection after another; gives what was told of each query.
    fn watch(&self, watcher: usize, way: Way) -> [Vec<Told>; 2] {
        let mut random = Random::of(100 * watcher + way as usize + 7);
        let wallet = &self.wallets[watcher % WRITERS];
        let queries = [
            ("one", "GetAccount", json!({"account": wallet})),
            ("all", "ListAccounts", json!({"pageSize": 100})),
        ];
        let mut etags = [String::new(), String::new()];
        let mut all = [Vec::<Told>::new(), Vec::new()];
        let is_final = |told: &[Told]| told.last().is_some_and(|last| self.is_final(last));
        let begin = Instant::now();
        while !all.iter().all(|told| is_final(told)) {
            assert!(begin.elapsed() < 2 * PATIENCE, "the last state is never told: {all:?}");
            let watches = queries.iter().zip(&etags).map(|((id, method, request), etag)| {
                let method = format!("stoa.ledger.v1.LedgerService/{method}");
                json!({"id": id, "method": method, "request": request, "etag": etag})
            });
            let watches: Vec<Value> = watches.collect();
            let tired = (!self.is_calm()).then(|| random.below(MESSAGES));
            let address = self.address(&mut random);
            let Some(mut line) = Line::open(way, address, &self.token, &watches) else {
                pause();
                continue;
            };
            let mut heard = 0;
            while tired.is_none_or(|tired| heard < tired)
                && !all.iter().all(|told| is_final(told))
                && let Some(said) = line.next()
            {
                heard += 1;
                let id = said["id"].as_str();
                let query = queries.iter().position(|(known, ..)| id == Some(*known)).unwrap();
                match said["type"].as_str() {
                    Some("reply") => {
                        etags[query] = said["etag"].as_str().unwrap().to_owned();
                        all[query].push(self.told(address, &said));
                    }
                    Some("unchanged") => assert!(!all[query].is_empty(), "it was never told"),
                    _ => panic!("{said}"),
                }
            }
        }
        all
    }

    fn told(&self, by: SocketAddr, said: &Value) -> Told {
        let reply = &said["reply"];
        let one = reply["account"].is_object().then_some(&reply["account"]);
        let list = reply["accounts"].as_array().into_iter().flatten();
        let position = position(said["position"].as_str().unwrap());
        Told { by, position, balances: balances(one.into_iter().chain(list)) }
    }

    fn is_final(&self, told: &Told) -> bool {
        let paid = |(id, balance): (&String, &i64)| *id == self.cash || *balance == PAYMENTS;
        told.balances.iter().all(paid)
    }

    /// Holds what a watcher was told of a query against what was committed where.
    fn check(&self, told: &[Told], committed: &[Vec<i64>]) {
        for two in told.windows(2) {
            let [before, after] = two else { unreachable!() };
            let grows = |(id, balance): (&String, &i64)| *balance <= after.balances[id];
            assert!(before.balances.iter().all(grows), "{before:?} and then {after:?}");
            assert_ne!(before.balances, after.balances, "the same is told again");
        }
        // What a node knows to be settled, another may not know yet.
        let mut last = HashMap::new();
        for Told { by, position, balances } in told {
            let before = last.insert(by, position);
            assert!(before <= Some(position), "{position} after {before:?}");
            let wallets = self.wallets.iter().zip(committed);
            let shown: Vec<(i64, &Vec<i64>)> = wallets
                .filter_map(|(wallet, committed)| Some((*balances.get(wallet)?, committed)))
                .collect();
            let paid = |committed: &[i64], until: i64| {
                committed.iter().filter(|at| **at <= until).count() as i64
            };
            // It shows all up to there, and perhaps some behind it.
            for (balance, committed) in &shown {
                let due = paid(committed, *position);
                assert!(*balance >= due, "{balance} at {position}, of {committed:?}");
            }
            // Where positions are the order of commits, what it shows is what there was after one of them.
            let latest = shown.iter().filter_map(|(balance, committed)| {
                committed.iter().take(*balance as usize).next_back().copied()
            });
            let after = latest.max().unwrap_or(0).max(*position);
            for (balance, committed) in shown.iter().filter(|_| self.engine == Engine::Sqlite) {
                assert_eq!(*balance, paid(committed, after), "after {after}, of {committed:?}");
            }
            if let Some(cash) = balances.get(&self.cash) {
                let sum: i64 = self.wallets.iter().map(|wallet| balances[wallet]).sum();
                assert_eq!(*cash, sum, "at {position}");
            }
        }
        assert!(told.last().is_some_and(|last| self.is_final(last)));
    }
}

fn wait_for(is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < 2 * PATIENCE, "it never comes to that");
        pause();
    }
}

/// Where a payment was committed; nothing if it has to be tried again.
fn committed(answer: &Answer) -> Option<i64> {
    if answer.status == 503 {
        return None;
    }
    answer.ok();
    Some(position(answer.header("stoa-position").expect("a commit has a position")))
}

fn watchers_see_what_is_and_what_stays(engine: Engine, nodes: usize, more: &[&str]) {
    let directory = TempDir::new().unwrap();
    let start = || Node::start(directory.path(), more);
    let mut first = start();
    let token = first.set_up();
    let others = (1..nodes).map(|_| start());
    let nodes: Vec<Node> = std::iter::once(first).chain(others).collect();
    let ground = &Ground::open(engine, &nodes, token);
    std::thread::scope(|scope| {
        let ways = [Way::Socket, Way::Events];
        let watchers: Vec<_> = (0..WATCHERS)
            .flat_map(|watcher| ways.map(|way| (watcher, way)))
            .map(|(watcher, way)| scope.spawn(move || ground.watch(watcher, way)))
            .collect();
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| scope.spawn(move || ground.write(writer))).collect();
        let nodes = ground.disturb(nodes, start);
        let committed: Vec<_> = writers.into_iter().map(|one| one.join().unwrap()).collect();
        for watcher in watchers {
            for told in watcher.join().unwrap() {
                ground.check(&told, &committed);
            }
        }
        drop(nodes);
    });
}

mod watchers_see_what_is_and_what_stays {
    use super::*;

    #[test]
    fn sqlite() {
        super::watchers_see_what_is_and_what_stays(Engine::Sqlite, 1, &[]);
    }

    #[test]
    fn postgres() {
        let database = stoa_testkit::postgres::shared();
        let more = ["--database", database.url()];
        super::watchers_see_what_is_and_what_stays(Engine::Postgres, 2, &more);
    }
}
