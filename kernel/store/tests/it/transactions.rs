//! What a transaction is: all of it or nothing, one after another, and the same again.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stoa_kit::session::{Extent, Session};
use stoa_kit::tx::Gathered;
use stoa_kit::{Code, Error, Result, Tx};

use crate::cell::{self, Cell, Noted, On, refusal};

crate::on_both!(
    a_failed_command_leaves_nothing,
    a_swallowed_error_dooms,
    a_swallowed_error_dooms_a_session_too,
    an_attempt_undoes_only_what_it_tried,
    an_insert_is_seen_and_undone_like_every_statement,
    attempts_nest,
    an_attempt_that_begins_a_command_is_undone_with_it,
    a_panic_is_internal_and_undone,
    a_panic_in_a_query_is_internal,
    a_command_sees_what_it_wrote,
    a_query_sees_one_snapshot,
    commands_happen_one_after_another,
    slow_sql_is_interrupted,
    a_long_query_is_done,
    a_rerun_is_handed_the_same_stamp,
    a_rehearsal_finds_what_is_not_deterministic,
);

fn a_failed_command_leaves_nothing(on: On) {
    let cell = on.cell();
    let error = cell
        .commit(|tx| {
            cell::put_account(tx, "a", 1)?;
            tx.emit(&Noted::about("a"));
            Err::<(), _>(refusal("alpha.no"))
        })
        .unwrap_err();
    assert_eq!(error.reason(), "alpha.no");
    assert_eq!(cell.view(|view| cell::balance(view, "a")).unwrap(), None);
    assert_eq!(cell.count("SELECT COUNT(*) FROM stoa_event"), 0);
    assert_eq!(cell.count("SELECT COUNT(*) FROM stoa_commit"), 0);
}

/// Breaks a primary key.
fn put_twice(tx: &mut Tx) -> Result<u64> {
    cell::put_account(tx, "twice", 1)?;
    cell::put_account(tx, "twice", 2)
}

fn a_swallowed_error_dooms(on: On) {
    let cell = on.cell();
    let error = cell
        .commit(|tx| {
            cell::put_account(tx, "a", 1)?;
            let first = put_twice(tx).unwrap_err();
            let next = cell::put_account(tx, "b", 1).unwrap_err();
            assert_eq!(first.internal_cause(), next.internal_cause());
            Ok(())
        })
        .unwrap_err();
    assert_eq!(error.code(), Code::Internal);
    assert_eq!(cell.view(|view| cell::balance(view, "a")).unwrap(), None);
}

fn a_swallowed_error_dooms_a_session_too(on: On) {
    const PUT: &str = "INSERT INTO stoa_secret (tenant, name, value) VALUES (:tenant, 'a', $1)";
    let cell = on.cell();
    let twice = |session: &mut dyn Session| {
        stoa_store::kernel::execute(session, "", PUT, (b"1".as_slice(),))?;
        stoa_store::kernel::execute(session, "", PUT, (b"2".as_slice(),)).unwrap_err();
        Ok(Gathered::default())
    };
    for method in ["", Cell::header().method] {
        let header = stoa_store::Header { method, ..Cell::header() };
        assert!(cell.raw(header, twice).is_err(), "{method:?}");
    }
    assert_eq!(cell.count("SELECT COUNT(*) FROM stoa_secret"), 0);
}

fn an_attempt_undoes_only_what_it_tried(on: On) {
    let cell = on.cell();
    let done = cell
        .commit_as(Cell::header(), |tx| {
            cell::put_account(tx, "before", 1)?;
            tx.emit(&Noted::about("before"));
            let failed = tx.attempt(|tx| {
                cell::put_account(tx, "tried", 1)?;
                tx.emit(&Noted::about("tried"));
                tx.touch("account", "tried");
                put_twice(tx)
            });
            assert_eq!(failed.unwrap_err().code(), Code::Internal);
            let kept = tx.attempt(|tx| {
                tx.emit(&Noted::about("kept"));
                cell::put_account(tx, "kept", 1)
            });
            assert_eq!(kept.unwrap(), 1);
            tx.touch("account", "after");
            cell::put_account(tx, "after", 1)
        })
        .unwrap();
    let accounts = cell.view(accounts).unwrap();
    assert_eq!(accounts, ["after", "before", "kept"]);
    let events = cell.kernel(subjects).unwrap();
    assert_eq!(events, ["before", "kept"]);
    let record = cell.kernel(move |view| record(view, done.position)).unwrap();
    let (tables, touched) = record;
    let (table, rows, which) = stoa_store::kernel::changed(&tables).unwrap();
    assert_eq!((table, rows, touched.as_str()), ("alpha_account", 3, "account/after"));
    let Extent::Marks(marks) = which else { panic!("{tables}") };
    assert_eq!(marks.len(), 3, "those of what was undone are not among them");
}

fn accounts(view: &stoa_kit::View) -> Result<Vec<String>> {
    const IDS: &str = "SELECT id FROM alpha_account WHERE tenant = :tenant ORDER BY id \
         /* whole: a test reads what it wrote */";
    Ok(view.rows::<(String,)>(IDS, ())?.into_iter().map(|(id,)| id).collect())
}

fn subjects(view: &stoa_kit::View) -> Result<Vec<String>> {
    const SUBJECTS: &str = "SELECT subject FROM stoa_event ORDER BY position, ordinal";
    Ok(view.rows::<(String,)>(SUBJECTS, ())?.into_iter().map(|(subject,)| subject).collect())
}

fn record(view: &stoa_kit::View, position: i64) -> Result<(String, String)> {
    const RECORD: &str = "SELECT tables, touched FROM stoa_commit \
         WHERE tenant = :tenant AND position = $1";
    Ok(view.row(RECORD, (position,))?.unwrap())
}

/// Inserts that nobody waits for are there for whoever reads next, and fail as all others do:
/// an attempt undoes them, and a command whose last statement they are does not commit.
fn an_insert_is_seen_and_undone_like_every_statement(on: On) {
    const PUT: &str = "INSERT INTO alpha_account (tenant, id, balance) VALUES (:tenant, $1, 1)";
    let cell = on.cell();
    let done = cell.commit_as(Cell::header(), |tx| {
        tx.insert(PUT, ("first",))?;
        assert_eq!(cell::balance(tx, "first")?, Some(1));
        tx.insert(PUT, ("before",))?;
        let failed = tx.attempt(|tx| {
            tx.insert(PUT, ("tried",))?;
            tx.insert(PUT, ("first",))
        });
        assert_eq!(failed.unwrap_err().code(), Code::Internal);
        let refused = tx.attempt(|tx| {
            tx.insert(PUT, ("refused",))?;
            Err::<(), _>(refusal("alpha.no"))
        });
        assert_eq!(refused.unwrap_err().reason(), "alpha.no");
        tx.attempt(|tx| tx.insert(PUT, ("kept",)))?;
        tx.insert(PUT, ("last",))
    });
    let position = done.unwrap().position;
    let written = ["before", "first", "kept", "last"];
    assert_eq!(cell.view(accounts).unwrap(), written);
    let record = cell.kernel(move |view| record(view, position)).unwrap();
    let changed = stoa_store::kernel::changed(&record.0).unwrap();
    assert_eq!((changed.0, changed.1), ("alpha_account", 4));
    let late = cell.commit(|tx| {
        tx.insert(PUT, ("more",))?;
        tx.insert(PUT, ("last",))
    });
    assert_eq!(late.unwrap_err().code(), Code::Internal);
    assert_eq!(cell.view(accounts).unwrap(), written, "all or nothing");
}

fn attempts_nest(on: On) {
    let cell = on.cell();
    cell.commit(|tx| {
        tx.attempt(|tx| {
            cell::put_account(tx, "outer", 1)?;
            let inner = tx.attempt(|tx| {
                cell::put_account(tx, "inner", 1)?;
                Err::<(), _>(refusal("alpha.inner"))
            });
            assert_eq!(inner.unwrap_err().reason(), "alpha.inner");
            cell::put_account(tx, "beside", 1)
        })?;
        let outer = tx.attempt(|tx| {
            tx.attempt(|tx| cell::put_account(tx, "released", 1))?;
            Err::<(), _>(refusal("alpha.outer"))
        });
        assert_eq!(outer.unwrap_err().reason(), "alpha.outer");
        Ok(())
    })
    .unwrap();
    assert_eq!(cell.view(accounts).unwrap(), ["beside", "outer"]);
}

/// A command whose first write is inside of an attempt, and which fails after it: on SQLite, in
/// a batch with others, only its own savepoint can undo it.
fn an_attempt_that_begins_a_command_is_undone_with_it(on: On) {
    let cell = on.cell();
    for round in 0..3 {
        let gate = cell.hold();
        let good = cell
            .submit(Cell::header(), move |tx| cell::put_account(tx, &format!("good{round}"), 1));
        let bad = cell.submit(Cell::header(), |tx| {
            tx.attempt(|tx| cell::put_account(tx, "bad1", 1))?;
            cell::put_account(tx, "bad2", 1)?;
            Err::<(), _>(refusal("alpha.no"))
        });
        let late = cell.submit(Cell::header(), move |tx| {
            tx.attempt(|tx| cell::put_account(tx, &format!("late{round}"), 1))
        });
        gate.open(&cell);
        cell.wait(good).unwrap();
        assert_eq!(cell.wait(bad).unwrap_err().reason(), "alpha.no");
        cell.wait(late).unwrap();
    }
    let expected = ["good0", "good1", "good2", "late0", "late1", "late2"];
    assert_eq!(cell.view(accounts).unwrap(), expected);
}

fn a_panic_is_internal_and_undone(on: On) {
    let cell = on.cell();
    for attempted in [false, true] {
        let error = cell
            .commit(move |tx| -> Result<()> {
                cell::put_account(tx, "a", 1)?;
                match attempted {
                    false => panic!("one number is {}", 13),
                    true => tx.attempt(|_| panic!("one number is {}", 13)),
                }
            })
            .unwrap_err();
        assert_eq!(error.code(), Code::Internal);
        assert_eq!(error.internal_cause(), Some("panic: one number is 13"));
    }
    cell.commit(|tx| cell::put_account(tx, "b", 1)).unwrap();
    assert_eq!(cell.view(accounts).unwrap(), ["b"]);
}

fn a_panic_in_a_query_is_internal(on: On) {
    let cell = on.cell();
    let error = cell
        .view(|view| -> Result<()> {
            accounts(view)?;
            panic!("a bug")
        })
        .unwrap_err();
    assert_eq!(error.internal_cause(), Some("panic: a bug"));
    assert!(cell.view(accounts).unwrap().is_empty());
}

fn a_command_sees_what_it_wrote(on: On) {
    let cell = on.cell();
    let seen = cell
        .commit(|tx| {
            cell::put_account(tx, "a", 1)?;
            cell::add(tx, "a", 4)?;
            cell::balance(tx, "a")
        })
        .unwrap();
    assert_eq!(seen, Some(5));
}

fn a_query_sees_one_snapshot(on: On) {
    let cell = Arc::new(on.cell());
    cell.commit(|tx| cell::put_account(tx, "a", 1)).unwrap();
    let other = Arc::clone(&cell);
    let seen = cell
        .view(move |view| {
            let before = cell::balance(view, "a")?;
            let other = Arc::clone(&other);
            let add = move || other.commit(|tx| cell::add(tx, "a", 1)).map(|_| ());
            std::thread::spawn(add).join().unwrap()?;
            Ok((before, cell::balance(view, "a")?))
        })
        .unwrap();
    assert_eq!(seen.0, seen.1);
    assert!(cell.view(|view| cell::balance(view, "a")).unwrap() > seen.1);
}

/// Two accounts may not both be emptied. Each command looks at both and empties one: below
/// serializable both would find the other one full.
fn commands_happen_one_after_another(on: On) {
    const SUM: &str = "SELECT CAST(COALESCE(SUM(balance), 0) AS BIGINT) FROM alpha_account \
         WHERE tenant = :tenant AND id IN ($1, $2)";
    let cell = on.cell();
    for round in 0..20 {
        let (left, right) = (format!("left{round}"), format!("right{round}"));
        let (l, r) = (left.clone(), right.clone());
        cell.commit(move |tx| {
            cell::put_account(tx, &l, 1)?;
            cell::put_account(tx, &r, 1)
        })
        .unwrap();
        let empty = |mine: &String| {
            let (l, r, mine) = (left.clone(), right.clone(), mine.clone());
            cell.submit(Cell::header(), move |tx| {
                let (sum,) = tx.row::<(i64,)>(SUM, (&l, &r))?.unwrap();
                if sum < 2 {
                    return Err(refusal("alpha.empty"));
                }
                cell::add(tx, &mine, -1)
            })
        };
        let both = [empty(&left), empty(&right)];
        let done = both.into_iter().filter_map(|one| cell.wait(one).ok()).count();
        assert_eq!(done, 1, "round {round}");
    }
}

const SLOW: &str = "WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL \
     SELECT i + 1 FROM n WHERE i < $1) SELECT COUNT(*) FROM n WHERE :tenant <> ''";

fn slow_sql_is_interrupted(on: On) {
    let cell = on.cell_with(|options| options.command_budget = Duration::from_millis(100));
    let slow = cell.submit(Cell::header(), |tx| {
        cell::put_account(tx, "slow", 1)?;
        tx.row::<(i64,)>(SLOW, (1_000_000_000_000_i64,))
    });
    let other = cell.submit(Cell::header(), |tx| cell::put_account(tx, "other", 1));
    let error = cell.wait(slow).unwrap_err();
    assert_eq!(error.reason(), "store.too_slow", "{error:?}");
    cell.wait(other).unwrap();
    assert_eq!(cell.view(accounts).unwrap(), ["other"]);
}

fn a_long_query_is_done(on: On) {
    let cell = on.cell();
    let counted = cell.view(|view| view.row::<(i64,)>(SLOW, (300_000_i64,))).unwrap();
    assert_eq!(counted, Some((300_000,)));
}

/// What a run was handed: time, an identifier, a number.
type Handed = (i64, String, u64);

fn a_rerun_is_handed_the_same_stamp(on: On) {
    let cell = on.cell_with(|options| options.rehearse = true);
    let runs: Arc<Mutex<Vec<Handed>>> = Arc::default();
    let seen = Arc::clone(&runs);
    let done = cell
        .commit_as(Cell::header(), move |tx| {
            let handed = (tx.now().0, tx.new_id("acc"), tx.random());
            seen.lock().unwrap().push(handed.clone());
            cell::put_account(tx, &handed.1, 1)
        })
        .unwrap();
    let runs = runs.lock().unwrap();
    assert!(runs.len() >= 2);
    assert!(runs.iter().all(|run| *run == runs[0]), "{runs:?}");
    const TIME: &str = "SELECT time FROM stoa_commit WHERE tenant = :tenant AND position = $1";
    let time = cell.kernel(move |view| view.row::<(i64,)>(TIME, (done.position,))).unwrap();
    assert_eq!(time, Some((runs[0].0,)));
}

fn a_rehearsal_finds_what_is_not_deterministic(on: On) {
    let cell = on.cell_with(|options| options.rehearse = true);
    let count = AtomicU32::new(0);
    let error: Error = cell
        .commit(move |tx| cell::put_account(tx, "a", count.fetch_add(1, Ordering::Relaxed).into()))
        .unwrap_err();
    assert!(error.internal_cause().unwrap().contains("not deterministic"), "{error:?}");
    let flag = AtomicBool::new(false);
    let error = cell
        .commit(move |tx| {
            let again = flag.fetch_xor(true, Ordering::Relaxed);
            tx.emit(&Noted::about(if again { "second" } else { "first" }));
            Ok(())
        })
        .unwrap_err();
    assert!(error.internal_cause().unwrap().contains("not deterministic"), "{error:?}");
    cell.commit(|tx| cell::put_account(tx, "a", 5)).unwrap();
    assert_eq!(cell.view(|view| cell::balance(view, "a")).unwrap(), Some(5));
}
