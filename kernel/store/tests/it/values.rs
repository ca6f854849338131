//! Values come back as they went in, and what one engine would bend is refused on both.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use stoa_kit::{Result, Tx};

use crate::cell::{self, Cell, On};

crate::on_both!(
    every_value_comes_back,
    extremes_come_back,
    null_is_of_every_type,
    the_empty_is_not_null,
    u0000_is_refused,
    nan_is_refused,
    an_overflow_is_an_error,
    an_overflowing_sum_is_an_error,
    text_is_sorted_by_bytes,
    nulls_stand_where_they_are_told,
);

type Values = (Option<i64>, Option<String>, Option<Vec<u8>>, Option<bool>, Option<f64>);

const PUT: &str = "INSERT INTO alpha_value (tenant, id, whole, words, bytes, flag, fraction) \
     VALUES (:tenant, $1, $2, $3, $4, $5, $6) \
     ON CONFLICT (tenant, id) DO UPDATE SET whole = excluded.whole, words = excluded.words, \
     bytes = excluded.bytes, flag = excluded.flag, fraction = excluded.fraction";
const GET: &str = "SELECT whole, words, bytes, flag, fraction FROM alpha_value \
     WHERE tenant = :tenant AND id = $1";
const WORDS: &str = "SELECT words FROM alpha_value WHERE tenant = :tenant ORDER BY words, id \
         /* whole: a test reads what it wrote */";

fn put(tx: &mut Tx, id: &str, values: &Values) -> Result<u64> {
    let (whole, words, bytes, flag, fraction) = values.clone();
    tx.execute(PUT, (id, whole, words, bytes, flag, fraction))
}

/// What comes back of values, from the command that wrote them and from a later query.
fn there_and_back(cell: &Cell, values: Values) -> Values {
    let written = values.clone();
    let seen = cell
        .commit(move |tx| {
            put(tx, "v", &written)?;
            tx.row::<Values>(GET, ("v",))
        })
        .unwrap();
    let later = cell.view(|view| view.row::<Values>(GET, ("v",))).unwrap();
    assert_eq!(seen, later);
    later.unwrap()
}

fn every_value_comes_back(on: On) {
    let cell = on.cell();
    let words = proptest::collection::vec(proptest::char::range('\u{1}', '\u{10ffff}'), 0..40)
        .prop_map(|chars| chars.into_iter().collect::<String>());
    let fraction = any::<f64>().prop_filter("NaN is refused", |number| !number.is_nan());
    let values = (
        any::<Option<i64>>(),
        proptest::option::of(words),
        proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
        any::<Option<bool>>(),
        proptest::option::of(fraction),
    );
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&values, |values| {
        prop_assert_eq!(there_and_back(&cell, values.clone()), values);
        Ok(())
    });
    result.unwrap();
}

fn extremes_come_back(on: On) {
    let cell = on.cell();
    let long = "\u{10ffff}".repeat(100_000);
    let all = [
        (Some(i64::MAX), Some("\u{10ffff}".to_owned()), Some(vec![0]), Some(true), Some(f64::MAX)),
        (Some(i64::MIN), Some("\u{1}".to_owned()), Some(vec![255; 9]), Some(false), Some(f64::MIN)),
        (Some(0), Some(long), Some(vec![7; 1 << 20]), None, Some(f64::MIN_POSITIVE)),
        (Some(-1), None, None, None, Some(f64::INFINITY)),
        (Some(1), None, None, None, Some(f64::NEG_INFINITY)),
        (Some((1 << 53) + 1), None, None, None, Some(5e-324)),
    ];
    for values in all {
        assert_eq!(there_and_back(&cell, values.clone()), values);
    }
}

fn null_is_of_every_type(on: On) {
    let none = (None, None, None, None, None);
    assert_eq!(there_and_back(&on.cell(), none.clone()), none);
}

fn the_empty_is_not_null(on: On) {
    let empty = (None, Some(String::new()), Some(Vec::new()), None, None);
    assert_eq!(there_and_back(&on.cell(), empty.clone()), empty);
}

fn u0000_is_refused(on: On) {
    let values = (None, Some("a\0b".to_owned()), None, None, None);
    let error = on.cell().commit(move |tx| put(tx, "v", &values)).unwrap_err();
    assert_eq!(error.reason(), "store.value");
}

fn nan_is_refused(on: On) {
    let values = (None, None, None, None, Some(f64::NAN));
    let error = on.cell().commit(move |tx| put(tx, "v", &values)).unwrap_err();
    assert_eq!(error.reason(), "store.value");
}

fn an_overflow_is_an_error(on: On) {
    let cell = on.cell();
    cell.commit(|tx| cell::put_account(tx, "full", i64::MAX)).unwrap();
    let error = cell.commit(|tx| cell::add(tx, "full", 1)).unwrap_err();
    assert_eq!(error.reason(), "internal");
    let balance = cell.view(|view| cell::balance(view, "full")).unwrap();
    assert_eq!(balance, Some(i64::MAX));
}

fn an_overflowing_sum_is_an_error(on: On) {
    const SUM: &str = "SELECT CAST(SUM(balance) AS BIGINT) FROM alpha_account WHERE tenant = :tenant \
         /* whole: a test reads what it wrote */";
    let cell = on.cell();
    cell.commit(|tx| {
        cell::put_account(tx, "a", i64::MAX)?;
        cell::put_account(tx, "b", -7)
    })
    .unwrap();
    let sum = cell.view(|view| view.row::<(i64,)>(SUM, ())).unwrap();
    assert_eq!(sum, Some((i64::MAX - 7,)));
    cell.commit(|tx| cell::put_account(tx, "c", i64::MAX)).unwrap();
    cell.view(|view| view.row::<(i64,)>(SUM, ())).unwrap_err();
}

/// The words of every row, as a query sorts them.
fn sorted(cell: &Cell, words: &[&str]) -> Vec<String> {
    let put_all: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    cell.commit(move |tx| {
        for (index, word) in put_all.iter().enumerate() {
            put(tx, &index.to_string(), &(None, Some(word.clone()), None, None, None))?;
        }
        Ok(())
    })
    .unwrap();
    let rows = cell.view(|view| view.rows::<(String,)>(WORDS, ())).unwrap();
    rows.into_iter().map(|(word,)| word).collect()
}

fn text_is_sorted_by_bytes(on: On) {
    let words =
        ["b", "a", "B", "A", "ä", "z", "_", "10", "9", "", "a b", "a-b", "ab", "\u{10ffff}"];
    let mut expected = words.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(sorted(&on.cell(), &words), expected);
}

fn nulls_stand_where_they_are_told(on: On) {
    const FIRST: &str = "SELECT id FROM alpha_value WHERE tenant = :tenant \
         ORDER BY words NULLS FIRST \
         /* whole: a test reads what it wrote */";
    const LAST: &str = "SELECT id FROM alpha_value WHERE tenant = :tenant \
         ORDER BY words DESC NULLS LAST \
         /* whole: a test reads what it wrote */";
    let cell = on.cell();
    cell.commit(|tx| {
        put(tx, "some", &(None, Some("word".to_owned()), None, None, None))?;
        put(tx, "none", &(None, None, None, None, None))
    })
    .unwrap();
    let ids = |sql| cell.view(move |view| view.rows::<(String,)>(sql, ())).unwrap();
    assert_eq!(ids(FIRST), [("none".to_owned(),), ("some".to_owned(),)]);
    assert_eq!(ids(LAST), [("some".to_owned(),), ("none".to_owned(),)]);
}
