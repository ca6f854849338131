//! Whatever fails, and wherever the process dies: what was acknowledged is there, nothing is
//! there by half, and the same key again makes it whole.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use stoa_kit::{Code, Tx};
use stoa_store::{Fault, Faults};

use crate::cell::{self, Cell, Home, On};

crate::on_both!(a_failure_at_every_point_leaves_no_half, a_death_at_every_point_leaves_no_half);

const POINTS: [&str; 6] = ["begin", "command", "recorded", "ran", "commit", "committed"];

/// Moves one unit between two accounts: half of it would show in their sum.
fn transfer(tx: &mut Tx) -> stoa_kit::Result<u64> {
    cell::add(tx, "from", -1)?;
    cell::add(tx, "to", 1)
}

fn open_accounts(tx: &mut Tx) -> stoa_kit::Result<u64> {
    cell::put_account(tx, "from", 0)?;
    cell::put_account(tx, "to", 0)
}

/// How many transfers the accounts say there were.
fn transferred(cell: &Cell) -> i64 {
    let (from, to) =
        cell.view(|view| Ok((cell::balance(view, "from")?, cell::balance(view, "to")?))).unwrap();
    assert_eq!(from.unwrap() + to.unwrap(), 0, "half of a transfer is there");
    to.unwrap()
}

fn a_failure_at_every_point_leaves_no_half(on: On) {
    let armed = Arc::new(AtomicBool::new(false));
    for (index, point) in POINTS.into_iter().enumerate() {
        let trigger = Arc::clone(&armed);
        let cell = on.cell_with(|options| {
            options.faults = Faults::new(move |passed| {
                let fails = passed == point && trigger.swap(false, Ordering::SeqCst);
                fails.then_some(Fault::Fail)
            });
        });
        cell.commit(open_accounts).unwrap();
        let key = Cell::keyed(index as u8, 1);
        let mut notices = cell.store.notices();
        armed.store(true, Ordering::SeqCst);
        let first = cell.commit_as(key.clone(), transfer);
        assert!(!armed.load(Ordering::SeqCst), "{point} was passed");
        if let Err(error) = &first {
            assert_eq!(error.code(), Code::Unavailable, "{point}: {error:?}");
        }
        // An engine may have run the command again by itself.
        let there = first.is_ok() || point == "committed";
        assert_eq!(transferred(&cell), i64::from(there), "{point}");
        if there && on == On::Sqlite {
            // Whoever follows need not wait for the next one.
            assert!(notices.try_recv().is_ok(), "{point}: what is durable is told of");
        }
        let again = cell.commit_as(key, transfer).unwrap();
        assert_eq!(again.replayed.is_some(), there, "{point}");
        assert_eq!(transferred(&cell), 1, "{point}");
        cell.commit(transfer).unwrap();
        assert_eq!(transferred(&cell), 2, "{point}");
        cell.store.health().unwrap();
    }
}

/// Names the point to die at and the place of the cell, for a process that is to die.
const DIE_AT: &str = "STOA_TEST_DIE_AT";
const DIE_IN: &str = "STOA_TEST_DIE_IN";

fn a_death_at_every_point_leaves_no_half(on: On) {
    if let (Ok(point), Ok(place)) = (std::env::var(DIE_AT), std::env::var(DIE_IN)) {
        return die(on, point, place);
    }
    for point in POINTS {
        let home = Arc::new(on.home());
        let cell = Cell::open(Arc::clone(&home), |_| {});
        cell.commit(open_accounts).unwrap();
        cell.block_on(cell.store.close());
        drop(cell);
        let test = format!("faults::a_death_at_every_point_leaves_no_half::{}", on.name());
        let dead = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &test, "--nocapture", "--test-threads=1"])
            .env(DIE_AT, point)
            .env(DIE_IN, home.place())
            .stderr(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&dead.stdout);
        assert!(!dead.status.success(), "{point}: {said}");
        assert!(said.contains("first transfer acknowledged"), "{point}: {said}");
        let cell = Cell::open(home, |_| {});
        let there = transferred(&cell);
        if point == "committed" {
            assert_eq!(there, 2);
        } else {
            assert_eq!(there, 1, "{point}");
        }
        cell.commit_as(Cell::keyed(2, 1), transfer).unwrap();
        assert_eq!(transferred(&cell), 2, "{point}");
        let first = cell.commit_as(Cell::keyed(1, 1), transfer).unwrap();
        assert!(first.replayed.is_some(), "{point}");
    }
}

/// Runs in the process that dies, in its second transfer.
fn die(on: On, point: String, place: String) {
    let armed = Arc::new(AtomicBool::new(false));
    let trigger = Arc::clone(&armed);
    let cell = Cell::open(Arc::new(Home::at(on, &place)), |options| {
        options.faults = Faults::new(move |passed| {
            (passed == point && trigger.load(Ordering::SeqCst)).then_some(Fault::Die)
        });
    });
    cell.commit_as(Cell::keyed(1, 1), transfer).unwrap();
    println!("first transfer acknowledged");
    armed.store(true, Ordering::SeqCst);
    cell.commit_as(Cell::keyed(2, 1), transfer).unwrap();
}
