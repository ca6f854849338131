//! Commands that run together: one that fails takes no other with it.

use stoa_kit::Result;

use crate::cell::{self, Cell, On, Pending, refusal};

crate::on_both!(
    one_of_many_fails_after_it_wrote,
    one_of_many_panics,
    every_other_one_fails,
    the_same_row_is_changed_by_all,
);

/// What becomes of one of many commands.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Commits,
    Fails,
    Panics,
}

/// Submits 64 commands that wait together, each with its fate; gives the errors by place.
fn together(cell: &Cell, round: usize, fate: impl Fn(usize) -> Fate) -> Vec<Option<String>> {
    let gate = cell.hold();
    let all: Vec<Pending<()>> = (0..64)
        .map(|place| {
            let fate = fate(place);
            cell.submit(Cell::header(), move |tx| {
                cell::put_account(tx, &format!("{round}-{place}"), 1)?;
                match fate {
                    Fate::Commits => Ok(()),
                    Fate::Fails => Err(refusal("alpha.no")),
                    Fate::Panics => panic!("at {place}"),
                }
            })
        })
        .collect();
    gate.open(cell);
    let reason = |one| cell.wait(one).err().map(|error| error.reason().to_owned());
    all.into_iter().map(reason).collect()
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

fn ids(view: &stoa_kit::View<'_>, prefix: &str) -> Result<Vec<String>> {
    const IDS: &str = "SELECT id FROM alpha_account WHERE tenant = :tenant";
    let rows = view.rows::<(String,)>(IDS, ())?;
    Ok(rows.into_iter().map(|(id,)| id).filter(|id| id.starts_with(prefix)).collect())
}

fn one_of_many_fails_after_it_wrote(on: On) {
    let cell = on.cell();
    for (round, culprit) in [0, 1, 31, 62, 63].into_iter().enumerate() {
        let errors =
            together(
                &cell,
                round,
                |place| {
                    if place == culprit { Fate::Fails } else { Fate::Commits }
                },
            );
        assert_eq!(errors[culprit].as_deref(), Some("alpha.no"));
        assert_eq!(errors.iter().flatten().count(), 1, "{errors:?}");
        check(&cell, round, &errors);
    }
}

fn one_of_many_panics(on: On) {
    let cell = on.cell();
    for (round, culprit) in [0, 40, 63].into_iter().enumerate() {
        let errors =
            together(
                &cell,
                round,
                |place| {
                    if place == culprit { Fate::Panics } else { Fate::Commits }
                },
            );
        assert_eq!(errors[culprit].as_deref(), Some("internal"));
        assert_eq!(errors.iter().flatten().count(), 1, "{errors:?}");
        check(&cell, round, &errors);
    }
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
