//! A node is killed at random, again and again, while a subscription counts what is said: in the
//! end everything that was said was heard, in order and once.

use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use stoa_kit::ports::Ports;
use stoa_kit::{Caller, Cause, MAIN, Request, Root, World, world};
use stoa_node::{Background, Call, Logs, Node, Parts, RootKey};
use stoa_store::{Options, Place};
use stoa_testkit::{postgres, settled};
use tokio::sync::watch;

use crate::echo::{self, all_heard, all_said};
use crate::messages::Say;

/// Names the place of the cell, for a process that is to be killed, and where its numbers begin.
const LIVE_IN: &str = "STOA_TEST_LIVE_IN";
const COUNT_FROM: &str = "STOA_TEST_COUNT_FROM";

const SUBJECTS: [&str; 4] = ["a", "b", "c", "d"];

mod random_kills_lose_and_repeat_nothing {
    use super::*;

    #[test]
    fn sqlite() {
        let directory = tempfile::tempdir().unwrap();
        survive(200, Place::Directory(directory.path().to_owned()), "sqlite");
    }

    /// To connect takes longer than to open a file, and fewer kills find what many do.
    #[test]
    fn postgres() {
        let database = postgres::shared();
        survive(40, Place::Url(database.url().to_owned()), "postgres");
    }
}

fn survive(kills: i64, place: Place, engine: &str) {
    if let (Ok(place), Ok(from)) = (std::env::var(LIVE_IN), std::env::var(COUNT_FROM)) {
        return live(&place, from.parse().unwrap());
    }
    let mut acknowledged = Vec::new();
    for round in 0..kills {
        let node = start(&place, engine, round * 1_000_000);
        acknowledged.extend(kill_at_random(node));
    }
    runtime().block_on(async {
        let node = open(place).await;
        let mut background = Background::new(&node).await.unwrap();
        settled(&node).await;
        while background.step().await.unwrap() {
            settled(&node).await;
        }
        let said = all_said(&node).await;
        assert!(acknowledged.len() >= kills as usize, "{} acknowledged", acknowledged.len());
        assert!(
            acknowledged.iter().all(|one| said.contains(one)),
            "what was acknowledged is there"
        );
        assert_eq!(all_heard(&node).await, said);
        node.close().await;
    });
}

fn start(place: &Place, engine: &str, from: i64) -> Child {
    let test = format!("kills::random_kills_lose_and_repeat_nothing::{engine}");
    let place = match place {
        Place::Directory(directory) => directory.display().to_string(),
        Place::Url(url) => url.clone(),
    };
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &test, "--nocapture", "--test-threads=1"])
        .env(LIVE_IN, place)
        .env(COUNT_FROM, from.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills a node some moments after it acknowledged something, one in four before that: what it
/// acknowledged.
fn kill_at_random(mut node: Child) -> Vec<(String, i64)> {
    let chance = RandomState::new().hash_one(0);
    let mut lines = BufReader::new(node.stdout.take().unwrap()).lines().map(Result::unwrap);
    let acknowledgement = |line: String| {
        let (subject, number) = line.strip_prefix("said ")?.split_once(' ')?;
        Some((subject.to_owned(), number.parse().unwrap()))
    };
    let first = match chance % 4 {
        0 => None,
        _ => lines.by_ref().find_map(acknowledgement),
    };
    std::thread::sleep(Duration::from_micros(chance >> 32 & 0x3fff));
    node.kill().unwrap();
    node.wait().unwrap();
    // The last line may be half of one, and no acknowledgement then: it is not ended.
    first.into_iter().chain(lines.filter_map(acknowledgement)).collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

async fn open(place: Place) -> Arc<Node> {
    let mut store = Options::at(place);
    store.pool = 2;
    let world: Arc<dyn World> = world::Real::new();
    let parts = Parts {
        name: "the one".into(),
        services: vec![echo::service()],
        store,
        settings: Vec::new(),
        root: RootKey::Given(Root::new([7; 32])),
        configuration: Vec::new(),
        logs: Logs::new(&world),
        world,
        ports: Ports::default(),
        log_kept: i64::MAX / 2,
        commits_kept: Duration::MAX,
        calls_per_second: 0,
        anonymous_per_second: 0,
    };
    Node::open(parts).await.unwrap()
}

/// Runs in the process that is killed: says numbers for ever, and which of them were accepted.
fn live(place: &str, from: i64) {
    let place = match place.contains("://") {
        true => Place::Url(place.to_owned()),
        false => Place::Directory(place.into()),
    };
    runtime().block_on(async {
        let node = open(place).await;
        let (_go_on, stop) = watch::channel(false);
        for work in Background::new(&node).await.unwrap().run(stop) {
            tokio::spawn(work);
        }
        let speakers = SUBJECTS.map(|subject| speak(&node, subject, from));
        futures::future::join_all(speakers).await;
    });
}

async fn speak(node: &Arc<Node>, subject: &str, from: i64) {
    for number in from.. {
        let call = Call {
            method: Say::METHOD.path.to_owned(),
            caller: Caller::system(MAIN),
            request: Box::new(Say::new(subject, number)),
            key: None,
            fence: None,
            trace: String::new(),
            deadline: None,
            cause: Cause::Request,
            address: String::new(),
            position: None,
            dry_run: false,
        };
        node.call(call).await.unwrap();
        // In one write: a line is there as a whole, or not.
        std::io::stdout().write_all(format!("said {subject} {number}\n").as_bytes()).unwrap();
    }
}
