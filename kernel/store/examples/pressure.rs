//! How many commands a second a store makes durable, where they collide and where they do not:
//! `cargo run --release -p stoa-store --example pressure -- [sqlite|postgres] [callers] [seconds]`
//!
//! PostgreSQL is the server that `STOA_TEST_POSTGRES` names: the one that tests start for
//! themselves does not flush to disk.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "it is no service"
)]
#![allow(dead_code, reason = "the tests use more of it")]

#[path = "../tests/it/cell.rs"]
mod cell;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use cell::{Cell, On};
use stoa_kit::{Result, Tx};

const ACCOUNTS: u64 = 10_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let on = match arguments.next().as_deref() {
        None | Some("sqlite") => On::Sqlite,
        Some(_) => On::Postgres,
    };
    let callers = arguments.next().map_or(64, |number| number.parse().unwrap());
    let seconds = arguments.next().map_or(5, |number| number.parse().unwrap());
    let pool = std::env::var("STOA_POOL").map_or(12, |number| number.parse().unwrap());
    let cell = Arc::new(on.cell_with(|options| options.pool = pool));
    for part in 0..ACCOUNTS / 100 {
        let put = move |tx: &mut Tx| {
            (0..100).try_for_each(|one| {
                cell::put_account(tx, &format!("{}", part * 100 + one), 0).map(|_| ())
            })
        };
        cell.commit(put).unwrap();
    }
    let length = Duration::from_secs(seconds);
    println!("{on:?}, {callers} callers, {pool} connections");
    press(&cell, callers, length, "a new row each", |tx, _| {
        let id = tx.new_id("acc");
        cell::put_account(tx, &id, 1)
    });
    press(&cell, callers, length, "a transfer among 10,000", |tx, chance| {
        cell::add(tx, &(chance % ACCOUNTS).to_string(), -1)?;
        cell::add(tx, &(chance / ACCOUNTS % ACCOUNTS).to_string(), 1)
    });
    press(&cell, callers, length, "one hot row", |tx, _| cell::add(tx, "0", 1));
    press(&cell, callers, length, "one hot row, read first", |tx, _| {
        cell::balance(tx, "0")?;
        cell::add(tx, "0", 1)
    });
}

/// Callers that each send a command, wait for it, and send the next.
fn press(
    cell: &Arc<Cell>, callers: u64, length: Duration, what: &str,
    command: fn(&mut Tx, u64) -> Result<u64>,
) {
    let metrics = cell.store.metrics();
    let (retries, next) = (metrics.retries.load(Relaxed), Arc::new(AtomicU64::new(0)));
    let method: &'static str = String::leak(what.replace(' ', "_"));
    let start = Instant::now();
    let done: Vec<(u64, u64)> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..callers)
            .map(|caller| {
                let next = Arc::clone(&next);
                scope.spawn(move || {
                    let (mut done, mut failed) = (0, 0);
                    while start.elapsed() < length {
                        let number = next.fetch_add(1, Relaxed);
                        let chance = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
                        let mut header = Cell::keyed(0, 0);
                        header.caller = format!("user:{caller}").into();
                        header.method = method;
                        let key = header.key.as_mut().unwrap();
                        key.hash[..8].copy_from_slice(&(chance << 16).to_be_bytes());
                        key.hash[8..].copy_from_slice(&(method.as_ptr() as u64).to_be_bytes());
                        match cell.commit_as(header, move |tx| command(tx, chance)) {
                            Ok(_) => done += 1,
                            Err(_) => failed += 1,
                        }
                    }
                    (done, failed)
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    let rate = |count: u64| count as f64 / start.elapsed().as_secs_f64();
    println!(
        "{what:28} {:8.0} commits/s  {:7.0} retries/s  {} failed",
        rate(done.iter().map(|one| one.0).sum()),
        rate(metrics.retries.load(Relaxed) - retries),
        done.iter().map(|one| one.1).sum::<u64>(),
    );
}
