//! Commands that run together: one that fails takes no other with it.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use stoa_kit::{Result, Tx};
use stoa_store::{Fault, Faults};

use crate::cell::{self, Cell, On, Pending, refusal};

crate::on_both!(
    one_of_many_fails_after_it_wrote,
    one_of_many_panics,
    one_of_many_is_interrupted,
    one_of_many_is_interrupted_as_it_writes,
    one_of_many_meets_an_error_of_the_engine,
    every_other_one_fails,
    the_same_row_is_changed_by_all,
);

/// Where in a batch the culprit is.
const PLACES: [usize; 5] = [0, 1, 31, 62, 63];

/// What becomes of one of many commands.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Fate {
    Commits,
    Fails,
    Panics,
    /// It reads for longer than its budget.
    ReadsForEver,
    /// It writes for longer than its budget.
    WritesForEver,
    /// The engine fails when it has run.
    MeetsAnError,
    /// It writes more than there is room for.
    Fills,
}

/// Set by a command that the engine is to fail.
static ERROR_IS_DUE: AtomicBool = AtomicBool::new(false);

fn meet(fate: Fate, tx: &mut Tx, place: usize) -> Result<()> {
    const READ: &str = "WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL \
         SELECT i + 1 FROM n WHERE i < $1) SELECT COUNT(*) FROM n WHERE :tenant <> ''";
    const WRITE: &str = "INSERT INTO alpha_account (tenant, id, balance) \
         SELECT a.tenant, 'all ' || a.id || b.id || c.id, 1 \
         FROM alpha_account a, alpha_account b, alpha_account c \
         WHERE a.tenant = :tenant AND b.tenant = :tenant AND c.tenant = :tenant \
         /* whole: to take for ever is the point */";
    const FILL: &str = "INSERT INTO alpha_value (tenant, id, bytes) VALUES (:tenant, $1, $2)";
    const FOR_EVER: i64 = 1_000_000_000_000;
    match fate {
        Fate::Commits => Ok(()),
        Fate::Fails => Err(refusal("alpha.no")),
        Fate::Panics => panic!("at {place}"),
        Fate::ReadsForEver => tx.row::<(i64,)>(READ, (FOR_EVER,)).map(|_| ()),
        Fate::WritesForEver => tx.execute(WRITE, ()).map(|_| ()),
        Fate::MeetsAnError => {
            ERROR_IS_DUE.store(true, SeqCst);
            Ok(())
        }
        // More than the engine keeps in memory, so that it is written before the commit.
        Fate::Fills => tx.execute(FILL, ("big", vec![7_u8; 48 << 20])).map(|_| ()),
    }
}

/// Submits 64 commands that wait together, each with its fate; gives the errors by place.
fn together(cell: &Cell, round: usize, fate: impl Fn(usize) -> Fate) -> Vec<Option<String>> {
    let gate = cell.hold();
    let all: Vec<Pending<()>> = (0..64)
        .map(|place| {
            let fate = fate(place);
            cell.submit(Cell::header(), move |tx| {
                cell::put_account(tx, &format!("{round}-{place}"), 1)?;
                meet(fate, tx, place)
            })
        })
        .collect();
    gate.open(cell);
    let reason = |one| cell.wait(one).err().map(|error| error.reason().to_owned());
    all.into_iter().map(reason).collect()
}

/// One of 64 commands fails for a reason, wherever it stands: the others are right.
pub(crate) fn one_fails_alone(cell: &Cell, fate: Fate, reason: &str) {
    for (round, culprit) in PLACES.into_iter().enumerate() {
        let fates = |place| if place == culprit { fate } else { Fate::Commits };
        let errors = together(cell, round, fates);
        assert_eq!(errors[culprit].as_deref(), Some(reason));
        assert_eq!(errors.iter().flatten().count(), 1, "{errors:?}");
        check(cell, round, &errors);
    }
}

/// The rows of a round are those of the commands that were told that they are durable.
fn check(cell: &Cell, round: usize, errors: &[Option<String>]) {
    let rows = cell.view(move |view| ids(view, &format!("{round}-"))).unwrap();
    let expected: Vec<String> = (0..64)
        .filter(|place| errors[*place].is_none())
        .map(|place| format!("{round}-{place}"))
        .collect();
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    assert_eq!(sorted(rows), sorted(expected));
}

fn ids(view: &stoa_kit::View, prefix: &str) -> Result<Vec<String>> {
    const IDS: &str = "SELECT id FROM alpha_account WHERE tenant = :tenant \
         /* whole: a test reads what it wrote */";
    let rows = view.rows::<(String,)>(IDS, ())?;
    Ok(rows.into_iter().map(|(id,)| id).filter(|id| id.starts_with(prefix)).collect())
}

fn one_of_many_fails_after_it_wrote(on: On) {
    one_fails_alone(&on.cell(), Fate::Fails, "alpha.no");
}

fn one_of_many_panics(on: On) {
    one_fails_alone(&on.cell(), Fate::Panics, "internal");
}

/// Whoever goes on for ever is found soon, and nobody else takes as long, however busy the machine.
fn impatient(options: &mut stoa_store::Options) {
    options.command_budget = Duration::from_millis(200);
}

fn one_of_many_is_interrupted(on: On) {
    one_fails_alone(&on.cell_with(impatient), Fate::ReadsForEver, "store.too_slow");
}

/// SQLite gives up the whole transaction then, savepoints included.
fn one_of_many_is_interrupted_as_it_writes(on: On) {
    const FILL: &str = "INSERT INTO alpha_account (tenant, id, balance) \
         WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL \
         SELECT i + 1 FROM n WHERE i < 300) \
         SELECT :tenant, 'filler ' || CAST(i AS TEXT), 1 FROM n";
    let cell = on.cell_with(impatient);
    cell.commit(|tx| tx.execute(FILL, ())).unwrap();
    one_fails_alone(&cell, Fate::WritesForEver, "store.too_slow");
}

fn one_of_many_meets_an_error_of_the_engine(on: On) {
    let cell = on.cell_with(|options| {
        options.faults = Faults::new(|point| {
            let due = point == "command" && ERROR_IS_DUE.swap(false, SeqCst);
            due.then_some(Fault::Fail)
        });
        options.pool = 1;
    });
    one_fails_alone(&cell, Fate::MeetsAnError, "store.fault");
}

fn every_other_one_fails(on: On) {
    let cell = on.cell();
    let errors = together(&cell, 0, |place| match place % 4 {
        0 => Fate::Fails,
        2 => Fate::Panics,
        _ => Fate::Commits,
    });
    assert_eq!(errors.iter().flatten().count(), 32);
    check(&cell, 0, &errors);
}

fn the_same_row_is_changed_by_all(on: On) {
    let cell = on.cell();
    cell.commit(|tx| cell::put_account(tx, "hot", 0)).unwrap();
    let gate = cell.hold();
    let all: Vec<_> = (0..200)
        .map(|_| {
            cell.submit(Cell::header(), |tx| {
                let before = cell::balance(tx, "hot")?.unwrap();
                cell::add(tx, "hot", 1)?;
                Ok(before)
            })
        })
        .collect();
    gate.open(&cell);
    let mut before: Vec<_> =
        all.into_iter().map(|one| cell.wait(one).unwrap().value.unwrap()).collect();
    before.sort_unstable();
    assert_eq!(before, (0..200).collect::<Vec<_>>(), "each saw another one's result");
    assert_eq!(cell.view(|view| cell::balance(view, "hot")).unwrap(), Some(200));
}
