//! How a database is made, brought up to date, and left alone.

use std::sync::Arc;

use stoa_kit::{Code, Error, Migration, Service};

use crate::cell::{self, ALPHA_TABLES, Cell, Home, On};

crate::on_both!(
    a_second_start_keeps_the_rows,
    a_later_migration_is_applied_once,
    a_newer_database_is_refused,
    a_newer_database_that_breaks_nothing_is_served,
    a_changed_migration_is_refused,
    a_migration_before_the_last_is_refused,
    a_database_of_somebody_else_is_refused_untouched,
    a_migration_that_fails_leaves_nothing,
    only_our_own_ddl_is_taken,
    references_hold,
);

const MORE: &str = "CREATE TABLE alpha_more (tenant TEXT NOT NULL, id TEXT NOT NULL, \
     account TEXT NOT NULL, PRIMARY KEY (tenant, id), \
     FOREIGN KEY (tenant, account) REFERENCES alpha_account (tenant, id)); \
     ALTER TABLE alpha_account ADD COLUMN limit_amount BIGINT NOT NULL DEFAULT 5;";
const EXPANDED: &[Migration] = &[ALPHA_TABLES[0], Migration::expand("0002_more", MORE)];
const CONTRACTED: &[Migration] = &[ALPHA_TABLES[0], Migration::contract("0002_more", MORE)];

/// Opens a cell of `alpha` alone.
fn open(home: &Arc<Home>, migrations: &'static [Migration]) -> stoa_kit::Result<Cell> {
    Cell::try_open(Arc::clone(home), vec![cell::alpha(migrations)], |_| {})
}

/// Opens a cell, closes it, and gives the error if there is one.
fn start(home: &Arc<Home>, migrations: &'static [Migration]) -> Option<Error> {
    match open(home, migrations) {
        Ok(cell) => {
            cell.block_on(cell.store.close());
            None
        }
        Err(error) => Some(error),
    }
}

fn a_second_start_keeps_the_rows(on: On) {
    let home = Arc::new(on.home());
    for round in 0..3 {
        let cell = open(&home, ALPHA_TABLES).unwrap();
        cell.commit(move |tx| cell::put_account(tx, &round.to_string(), 1)).unwrap();
        assert_eq!(cell.count("SELECT COUNT(*) FROM alpha_account"), round + 1);
        cell.block_on(cell.store.close());
    }
}

fn a_later_migration_is_applied_once(on: On) {
    const LIMITS: &str = "SELECT limit_amount FROM alpha_account WHERE tenant = :tenant \
         /* whole: a test reads what it wrote */";
    let home = Arc::new(on.home());
    let cell = open(&home, ALPHA_TABLES).unwrap();
    cell.commit(|tx| cell::put_account(tx, "a", 1)).unwrap();
    cell.block_on(cell.store.close());
    for _ in 0..2 {
        let cell = open(&home, EXPANDED).unwrap();
        let limits = cell.view(|view| view.rows::<(i64,)>(LIMITS, ())).unwrap();
        assert_eq!(limits, [(5,)]);
        cell.block_on(cell.store.close());
    }
}

fn a_newer_database_is_refused(on: On) {
    let home = Arc::new(on.home());
    assert!(start(&home, CONTRACTED).is_none());
    let tables = home.tables();
    let error = start(&home, ALPHA_TABLES).unwrap();
    assert_eq!((error.code(), error.reason()), (Code::FailedPrecondition, "store.newer"));
    assert_eq!(home.tables(), tables);
    assert!(start(&home, CONTRACTED).is_none());
}

fn a_newer_database_that_breaks_nothing_is_served(on: On) {
    let home = Arc::new(on.home());
    assert!(start(&home, EXPANDED).is_none());
    let cell = open(&home, ALPHA_TABLES).unwrap();
    cell.commit(|tx| cell::put_account(tx, "a", 1)).unwrap();
}

fn a_changed_migration_is_refused(on: On) {
    const EDITED: &[Migration] = &[Migration::expand(
        "0001_alpha",
        "CREATE TABLE alpha_account (tenant TEXT NOT NULL, id TEXT NOT NULL, \
         PRIMARY KEY (tenant, id))",
    )];
    let home = Arc::new(on.home());
    assert!(start(&home, ALPHA_TABLES).is_none());
    let error = start(&home, EDITED).unwrap();
    assert_eq!(error.reason(), "store.changed_migration");
    assert!(error.message().contains("0001_alpha"), "{error}");
}

fn a_migration_before_the_last_is_refused(on: On) {
    const BACK: &[Migration] =
        &[Migration::expand("0002_b", "DROP INDEX alpha_b"), ALPHA_TABLES[0]];
    assert_eq!(start(&Arc::new(on.home()), BACK).unwrap().reason(), "store.migration");
}

fn a_database_of_somebody_else_is_refused_untouched(on: On) {
    let home = Arc::new(on.home());
    home.execute("CREATE TABLE invoices (id BIGINT); INSERT INTO invoices VALUES (1);");
    let before = home.fingerprint();
    let error = start(&home, ALPHA_TABLES).unwrap();
    assert_eq!((error.code(), error.reason()), (Code::FailedPrecondition, "store.not_ours"));
    assert_eq!(home.fingerprint(), before);
    assert_eq!(home.tables(), ["invoices"]);
}

fn a_migration_that_fails_leaves_nothing(on: On) {
    const UNIQUE: &[Migration] = &[
        ALPHA_TABLES[0],
        Migration::expand(
            "0002_unique",
            "CREATE TABLE alpha_more (tenant TEXT NOT NULL, PRIMARY KEY (tenant)); \
             CREATE UNIQUE INDEX alpha_account_balance ON alpha_account (tenant, balance);",
        ),
    ];
    let home = Arc::new(on.home());
    let cell = open(&home, ALPHA_TABLES).unwrap();
    cell.commit(|tx| {
        cell::put_account(tx, "a", 1)?;
        cell::put_account(tx, "b", 1)
    })
    .unwrap();
    cell.block_on(cell.store.close());
    let tables = home.tables();
    start(&home, UNIQUE).unwrap();
    assert_eq!(home.tables(), tables);
    let cell = open(&home, ALPHA_TABLES).unwrap();
    cell.commit(|tx| cell::add(tx, "a", 1)).unwrap();
    cell.block_on(cell.store.close());
    assert!(start(&home, UNIQUE).is_none(), "it is applied once the rows allow it");
}

fn only_our_own_ddl_is_taken(on: On) {
    const REFUSED: [&[Migration]; 9] = [
        &[Migration::expand("1", "CREATE TABLE beta_x (tenant TEXT, PRIMARY KEY (tenant))")],
        &[Migration::expand("1", "CREATE TABLE alpha_x (id TEXT, PRIMARY KEY (id))")],
        &[Migration::expand(
            "1",
            "CREATE TABLE alpha_x (tenant TEXT, n INTEGER, PRIMARY KEY (tenant))",
        )],
        &[Migration::expand(
            "1",
            "CREATE TABLE alpha_x (tenant TEXT, n JSONB, PRIMARY KEY (tenant))",
        )],
        &[Migration::expand(
            "1",
            "CREATE TABLE alpha_x (tenant TEXT, text TEXT, PRIMARY KEY (tenant))",
        )],
        &[Migration::expand("1", "CREATE VIEW alpha_x AS SELECT 1")],
        &[Migration::expand("1", "CREATE TRIGGER alpha_x BEFORE INSERT ON alpha_account")],
        &[Migration::expand("1", "PRAGMA user_version = 1")],
        &[Migration::expand("1", "DROP TABLE stoa_key")],
    ];
    let home = Arc::new(on.home());
    for migrations in REFUSED {
        let error = start(&home, migrations).unwrap();
        assert_eq!(error.reason(), "store.migration", "{}", migrations[0].sql);
    }
    assert!(home.tables().is_empty());
}

fn references_hold(on: On) {
    const PUT: &str = "INSERT INTO alpha_more (tenant, id, account) VALUES (:tenant, $1, $2)";
    let home = Arc::new(on.home());
    let services: Vec<Service> = vec![cell::alpha(EXPANDED)];
    let cell = Cell::try_open(home, services, |_| {}).unwrap();
    cell.commit(|tx| cell::put_account(tx, "a", 1)).unwrap();
    cell.commit(|tx| tx.execute(PUT, ("1", "a"))).unwrap();
    let error = cell.commit(|tx| tx.execute(PUT, ("2", "nobody"))).unwrap_err();
    assert_eq!(error.code(), Code::Internal);
}
