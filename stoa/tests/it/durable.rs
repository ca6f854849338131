//! No success is told before it is on the disk, as the kernel of the machine sees it.
//!
//! A node runs under `strace`. Each account that is made has an id of its own, which appears in
//! what is written to the write-ahead log and in the reply. Between the two, a sync of the log
//! must have begun and returned.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::process::Node;

const CALLERS: usize = 8;
const CALLS: usize = 12;

#[test]
fn no_success_is_told_before_its_batch_is_synced() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("trace");
    // `-D` leaves the node our own child; `-s` shows whole pages.
    let strace = ["strace", "-D", "-f", "-yy", "-s", "70000", "-o", file.to_str().unwrap()];
    let calls = ["-e", "trace=write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync"];
    let data = directory.path().join("data");
    let mut node = Node::start_under(&[&strace[..], &calls].concat(), &data, &[]);
    let token = node.set_up();
    let ids = create_accounts(&node, &token);
    node.signal("-TERM");
    assert!(node.wait().0.success());
    let trace = Trace::read(&file);
    for id in &ids {
        trace.check(id);
    }
    assert_eq!(ids.len(), CALLERS * CALLS);
}

/// Makes accounts, several at a time so that they share batches: their ids.
fn create_accounts(node: &Node, token: &str) -> Vec<String> {
    let create = || {
        let account = json!({"currency": "EUR", "kind": "ACCOUNT_KIND_ASSET"});
        let reply = node.call(token, "ledger", "CreateAccount", &account).ok();
        reply["account"]["id"].as_str().unwrap().to_owned()
    };
    let calls = || (0..CALLS).map(|_| create()).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(calls)).collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    })
}

/// A system call: the places in the trace where it began and where it returned.
struct Call {
    name: String,
    arguments: String,
    begun: usize,
    returned: usize,
    succeeded: bool,
}

impl Call {
    fn writes(&self, to: &str, what: &str) -> bool {
        !self.syncs("") && self.target().contains(to) && self.arguments.contains(what)
    }

    fn syncs(&self, file: &str) -> bool {
        ["fsync", "fdatasync"].contains(&self.name.as_str()) && self.target().contains(file)
    }

    /// What the descriptor stands for: the first argument, as `9</tmp/data/stoa.db-wal>`.
    fn target(&self) -> &str {
        let end = self.arguments.find(|c| [',', '"'].contains(&c)).unwrap_or(self.arguments.len());
        &self.arguments[..end]
    }
}

struct Trace(Vec<Call>);

impl Trace {
    /// Reads a trace once the tracer has ended it.
    fn read(file: &Path) -> Self {
        let deadline = Instant::now() + Duration::from_secs(60);
        let ended = |text: &str| text.trim_end().ends_with("+++ exited with 0 +++");
        let text = loop {
            let text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
            if ended(&text) {
                break text;
            }
            assert!(Instant::now() < deadline, "the trace does not end");
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut open: HashMap<&str, Call> = HashMap::new();
        let mut calls = Vec::new();
        for (place, line) in text.lines().enumerate() {
            let Some((thread, event)) = line.split_once(' ') else { continue };
            let event = event.trim_start();
            if let Some((_, rest)) = event.split_once(" resumed>") {
                let Some(mut call) = open.remove(thread) else { continue };
                (call.returned, call.succeeded) = (place, succeeded(rest));
                calls.push(call);
            } else if let Some((name, arguments)) = event.split_once('(') {
                let succeeded = succeeded(event);
                let (name, arguments) = (name.to_owned(), arguments.to_owned());
                let call = Call { name, arguments, begun: place, returned: place, succeeded };
                match event.ends_with("<unfinished ...>") {
                    true => drop(open.insert(thread, call)),
                    false => calls.push(call),
                }
            }
        }
        Self(calls)
    }

    /// Whether what was written about an id was synced before anybody was told.
    fn check(&self, id: &str) {
        let wal = "/stoa.db-wal>";
        let first = |found: &mut dyn Iterator<Item = &Call>| found.map(|call| call.returned).min();
        let written = first(&mut self.0.iter().filter(|call| call.writes(wal, id)));
        let written = written.unwrap_or_else(|| panic!("{id} was never written to the log"));
        let after = |call: &&Call| call.begun > written && call.succeeded && call.syncs(wal);
        let synced = first(&mut self.0.iter().filter(after));
        let synced = synced.unwrap_or_else(|| panic!("{id} was never synced"));
        let told = self.0.iter().filter(|call| call.writes("<TCP", id)).map(|call| call.begun);
        let told = told.min().unwrap_or_else(|| panic!("{id} was told to nobody"));
        assert!(synced < told, "{id}: written {written}, synced {synced}, told {told}");
    }
}

/// Whether the end of a line says that a call returned without an error.
fn succeeded(line: &str) -> bool {
    line.rsplit_once(" = ").is_some_and(|(_, result)| !result.trim_start().starts_with('-'))
}
