//! Which statements may run, and what they give.

use stoa_kit::blobs::{Blobs, Named};
use stoa_kit::{Code, Error, Migration, Service};
use stoa_store::inspect::Inspector;
use stoa_store::schema::Schema;

use crate::cell::{self, Cell, On};

crate::on_both!(
    a_conflict_returns_what_is_there,
    changed_rows_are_counted,
    rows_of_another_service_are_refused,
    granted_rows_are_readable_and_not_writable,
    parts_of_a_statement_may_have_names,
    a_statement_names_its_tenant,
    a_statement_that_stays_with_its_tenant_is_taken,
    another_tenant_is_invisible,
    a_row_stays_with_its_tenant,
    words_of_one_engine_are_refused,
    the_number_of_parameters_is_checked,
    parameters_bind_by_number,
    a_query_does_not_write,
    a_reader_of_the_wrong_type_is_an_error,
    a_statement_is_bounded_by_more_than_its_tenant,
    a_list_is_one_parameter,
);

const TAKE: &str = "INSERT INTO alpha_account (tenant, id, balance) VALUES (:tenant, $1, $2) \
     ON CONFLICT (tenant, id) DO UPDATE SET balance = alpha_account.balance + excluded.balance \
     RETURNING balance";
const TAKE_NEW: &str = "INSERT INTO alpha_account (tenant, id, balance) \
     VALUES (:tenant, $1, $2) ON CONFLICT (tenant, id) DO NOTHING RETURNING id";

fn a_conflict_returns_what_is_there(on: On) {
    let cell = on.cell();
    let seen = cell
        .commit(|tx| {
            let first = tx.row::<(i64,)>(TAKE, ("a", 3_i64))?;
            let second = tx.row::<(i64,)>(TAKE, ("a", 4_i64))?;
            let known = tx.row::<(String,)>(TAKE_NEW, ("a", 5_i64))?;
            let new = tx.row::<(String,)>(TAKE_NEW, ("b", 6_i64))?;
            Ok((first, second, known, new))
        })
        .unwrap();
    assert_eq!(seen, (Some((3,)), Some((7,)), None, Some(("b".to_owned(),))));
    assert_eq!(cell.view(|view| cell::balance(view, "a")).unwrap(), Some(7));
}

fn changed_rows_are_counted(on: On) {
    const RAISE: &str = "UPDATE alpha_account SET balance = balance + 1 \
         WHERE tenant = :tenant AND balance > $1 \
         /* whole: a test reads what it wrote */";
    const DROP: &str = "DELETE FROM alpha_account WHERE tenant = :tenant AND balance > $1 \
         /* whole: a test reads what it wrote */";
    let counts = on
        .cell()
        .commit(|tx| {
            let mut counts = vec![];
            for (id, balance) in [("a", 1), ("b", 2), ("c", 3)] {
                counts.push(cell::put_account(tx, id, balance)?);
            }
            counts.push(tx.execute(RAISE, (1_i64,))?);
            counts.push(tx.execute(RAISE, (9_i64,))?);
            counts.push(tx.execute(TAKE_NEW, ("a", 1_i64))?);
            counts.push(tx.execute(DROP, (0_i64,))?);
            Ok(counts)
        })
        .unwrap();
    assert_eq!(counts, [1, 1, 1, 2, 0, 0, 3]);
}

/// The error that a statement of `alpha` meets in a command.
fn refused(cell: &Cell, sql: &'static str) -> Error {
    let error = cell.commit(move |tx| tx.execute(sql, ())).unwrap_err();
    assert_eq!(error.code(), Code::Internal, "{sql}");
    error
}

fn says(error: &Error, what: &str) {
    let cause = error.internal_cause().unwrap_or_default();
    assert!(cause.contains(what), "{cause} does not say {what}");
}

fn rows_of_another_service_are_refused(on: On) {
    let cell = on.cell();
    for sql in [
        "SELECT words FROM beta_note WHERE tenant = :tenant",
        "DELETE FROM beta_note WHERE tenant = :tenant",
        "INSERT INTO beta_note (tenant, id, words) VALUES (:tenant, 'a', 'b')",
        "SELECT balance FROM alpha_account WHERE tenant = :tenant AND id IN \
             (SELECT id FROM beta_note WHERE tenant = :tenant)",
        "SELECT reply FROM stoa_key WHERE tenant = :tenant",
        "DELETE FROM stoa_commit WHERE tenant = :tenant",
        "INSERT INTO alpha_account (tenant, id, balance) \
             SELECT :tenant, id, 1 FROM beta_note WHERE tenant = :tenant",
    ] {
        says(&refused(&cell, sql), "belongs to another service");
    }
    // A function that gives rows is no part of the dialect.
    refused(&cell, "SELECT value FROM json_each('[1]') WHERE :tenant = :tenant");
    // Each engine's own catalogue is no service's either.
    refused(&cell, "SELECT name FROM sqlite_schema WHERE :tenant = :tenant");
    refused(&cell, "SELECT relname FROM pg_class WHERE :tenant = :tenant");
}

fn granted_rows_are_readable_and_not_writable(on: On) {
    const GRANTS: &str = "SELECT id FROM stoa_grant WHERE tenant = :tenant AND type = $1";
    let cell = on.cell();
    cell.home
        .execute("INSERT INTO stoa_grant VALUES ('main', 'alpha.account', 'a', 'usr_1', 'viewer')");
    let rows = cell.view(|view| view.rows::<(String,)>(GRANTS, ("alpha.account",))).unwrap();
    assert_eq!(rows, [("a".to_owned(),)]);
    let error = refused(&cell, "DELETE FROM stoa_grant WHERE tenant = :tenant");
    says(&error, "belongs to another service");
}

fn parts_of_a_statement_may_have_names(on: On) {
    const PARTS: &str = "WITH rich AS (SELECT id FROM alpha_account \
             WHERE tenant = :tenant AND balance > $1) \
         SELECT COUNT(*) FROM rich UNION ALL SELECT COUNT(*) FROM (SELECT id FROM rich) few \
         /* whole: a test reads what it wrote */";
    let cell = on.cell();
    cell.commit(|tx| cell::put_account(tx, "a", 7)).unwrap();
    let counts = cell.view(|view| view.rows::<(i64,)>(PARTS, (5_i64,))).unwrap();
    assert_eq!(counts, [(1,), (1,)]);
}

fn a_statement_names_its_tenant(on: On) {
    let cell = on.cell();
    for sql in [
        "SELECT balance FROM alpha_account",
        "UPDATE alpha_account SET balance = 0",
        "DELETE FROM alpha_account WHERE id = 'a'",
        "SELECT a.balance FROM alpha_account a JOIN alpha_entry e ON e.account = a.id \
             WHERE a.tenant = :tenant",
        "SELECT balance FROM alpha_account WHERE tenant = :tenant OR id = $1",
        "SELECT balance FROM alpha_account WHERE (tenant = :tenant OR id = $1) AND id <> ''",
        "SELECT balance FROM alpha_account WHERE tenant <> :tenant",
        "SELECT balance FROM alpha_account WHERE tenant = $1 AND :tenant <> ''",
        "SELECT balance FROM alpha_account WHERE NOT tenant = :tenant",
        "SELECT balance FROM alpha_account WHERE tenant = :tenant UNION ALL \
             SELECT balance FROM alpha_account WHERE id = :tenant",
        "SELECT a.id FROM alpha_account a, alpha_account b WHERE a.tenant = :tenant",
        "SELECT a.id FROM alpha_account a LEFT JOIN alpha_entry e ON a.tenant = :tenant \
             AND e.tenant = a.tenant",
        "SELECT id FROM alpha_account WHERE tenant = :tenant AND id IN \
             (SELECT account FROM alpha_entry WHERE account <> '')",
        "UPDATE alpha_account SET balance = 0 WHERE tenant = :tenant OR balance = 1",
        "DELETE FROM alpha_account WHERE id BETWEEN $1 AND tenant = :tenant",
        "INSERT INTO alpha_account (tenant, id, balance) VALUES ($1, :tenant, 1)",
        "INSERT INTO alpha_account (tenant, id, balance) VALUES (:tenant, 'a', 1), ('b', 'a', 1)",
        "INSERT INTO alpha_account (tenant, id, balance) SELECT id, :tenant, balance \
             FROM alpha_account WHERE tenant = :tenant",
        "INSERT INTO alpha_account VALUES (:tenant, 'a', 1)",
    ] {
        says(&refused(&cell, sql), "tenant");
    }
}

fn a_statement_that_stays_with_its_tenant_is_taken(on: On) {
    let cell = on.cell();
    for sql in [
        "SELECT e.id FROM alpha_account a JOIN alpha_entry AS e ON e.tenant = a.tenant \
             AND e.account = a.id WHERE a.tenant = :tenant AND (a.id = 'a' OR a.id = 'b') \
         /* whole: a test reads what it wrote */",
        "SELECT a.id FROM alpha_account a LEFT JOIN alpha_entry e ON e.tenant = :tenant \
             AND e.account = a.id WHERE a.id BETWEEN 'a' AND 'b' AND :tenant = a.tenant \
         /* whole: a test reads what it wrote */",
        "SELECT id FROM alpha_account a WHERE tenant = :tenant AND EXISTS \
             (SELECT 1 FROM alpha_entry e WHERE e.tenant = a.tenant AND e.account = a.id) \
         /* whole: a test reads what it wrote */",
        "WITH rich AS (SELECT tenant, id FROM alpha_account WHERE tenant = :tenant) \
             SELECT e.id FROM rich JOIN alpha_entry e ON e.tenant = rich.tenant \
         /* whole: a test reads what it wrote */",
        "SELECT balance / 10 + balance % NULLIF(balance, 0) FROM alpha_account \
             WHERE tenant = :tenant \
         /* whole: a test reads what it wrote */",
    ] {
        cell.view(move |view| view.rows::<()>(sql, ())).unwrap();
    }
    for sql in [
        "INSERT INTO alpha_account (tenant, id, balance) VALUES (:tenant, 'a', 1), (:tenant, 'b', 2) \
             ON CONFLICT (tenant, id) DO UPDATE SET balance = alpha_account.balance + 1 \
             WHERE alpha_account.balance < 5",
        "INSERT INTO alpha_entry (id, tenant, account, amount) SELECT a.id, a.tenant, a.id, 1 \
             FROM alpha_account a WHERE a.tenant = :tenant \
         /* whole: a test reads what it wrote */",
        "UPDATE alpha_account SET balance = 0 WHERE tenant = :tenant AND id = 'a'",
        "DELETE FROM alpha_entry WHERE tenant = :tenant AND account IN \
             (SELECT id FROM alpha_account WHERE tenant = :tenant) \
         /* whole: a test reads what it wrote */",
    ] {
        cell.commit(move |tx| tx.execute(sql, ())).unwrap();
    }
}

fn another_tenant_is_invisible(on: On) {
    let cell = on.cell();
    let header = |tenant: &str| stoa_store::Header { tenant: tenant.into(), ..Cell::header() };
    for (tenant, balance) in [("one", 1), ("two", 2)] {
        cell.commit_as(header(tenant), move |tx| cell::put_account(tx, "a", balance)).unwrap();
    }
    cell.commit_as(header("two"), |tx| cell::add(tx, "a", 10)).unwrap();
    for (tenant, balance) in [("one", Some(1)), ("two", Some(12)), ("three", None)] {
        let seen = cell.view_as(("alpha", tenant), None, |view| cell::balance(view, "a")).unwrap();
        assert_eq!(seen, balance, "{tenant}");
    }
}

fn a_row_stays_with_its_tenant(on: On) {
    let sql = "UPDATE alpha_account SET tenant = 'other' WHERE tenant = :tenant";
    says(&refused(&on.cell(), sql), "another tenant");
}

fn words_of_one_engine_are_refused(on: On) {
    let cell = on.cell();
    for sql in [
        "SELECT id FROM alpha_value WHERE tenant = :tenant AND words LIKE 'a%'",
        "SELECT lower(words) FROM alpha_value WHERE tenant = :tenant",
        "SELECT SUM(whole) FROM alpha_value WHERE tenant = :tenant",
        "SELECT random() FROM alpha_value WHERE tenant = :tenant",
        "SELECT current_timestamp FROM alpha_value WHERE tenant = :tenant",
        "SELECT json_extract(words, 'a') FROM alpha_value WHERE tenant = :tenant",
        "SELECT id FROM alpha_value WHERE tenant = :tenant; DELETE FROM alpha_value",
        "INSERT OR REPLACE INTO alpha_account (tenant, id, balance) VALUES (:tenant, 'a', 1)",
        "SELECT whole / whole FROM alpha_value WHERE tenant = :tenant",
        "PRAGMA user_version",
        "CREATE TABLE alpha_more (tenant TEXT)",
        "DROP TABLE alpha_account",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "",
    ] {
        refused(&cell, sql);
    }
}

fn the_number_of_parameters_is_checked(on: On) {
    let cell = on.cell();
    let few = cell.commit(|tx| tx.execute(cell::PUT_ACCOUNT, ("a",))).unwrap_err();
    says(&few, "takes 2 parameters and is given 1");
    let many = cell.commit(|tx| tx.execute(cell::PUT_ACCOUNT, ("a", 1_i64, 2_i64))).unwrap_err();
    says(&many, "takes 2 parameters and is given 3");
}

fn parameters_bind_by_number(on: On) {
    const PUT: &str = "INSERT INTO alpha_entry (tenant, id, account, amount) \
         VALUES (:tenant, $3, $1, $2)";
    const GET: &str = "SELECT account, amount FROM alpha_entry \
         WHERE amount = $2 AND id = $1 AND tenant = :tenant";
    let cell = on.cell();
    cell.commit(|tx| tx.execute(PUT, ("account", 5_i64, "id"))).unwrap();
    let row = cell.view(|view| view.row::<(String, i64)>(GET, ("id", 5_i64))).unwrap();
    assert_eq!(row, Some(("account".to_owned(), 5)));
}

fn a_query_does_not_write(on: On) {
    let cell = on.cell();
    cell.commit(|tx| cell::put_account(tx, "a", 1)).unwrap();
    let write = |view: &stoa_kit::View| view.rows::<(i64,)>(TAKE, ("a", 1_i64));
    says(&cell.view(write).unwrap_err(), "a query writes");
    assert_eq!(cell.view(|view| cell::balance(view, "a")).unwrap(), Some(1));
}

fn a_reader_of_the_wrong_type_is_an_error(on: On) {
    let cell = on.cell();
    cell.commit(|tx| cell::put_account(tx, "a", 1)).unwrap();
    cell.view(|view| view.row::<(String,)>(cell::BALANCE, ("a",))).unwrap_err();
    cell.view(|view| view.row::<(i64, i64)>(cell::BALANCE, ("a",))).unwrap_err();
}

fn a_statement_is_bounded_by_more_than_its_tenant(on: On) {
    let cell = on.cell();
    for sql in [
        "SELECT id FROM alpha_account WHERE tenant = :tenant",
        "SELECT id FROM alpha_account WHERE tenant = :tenant ORDER BY balance LIMIT 9",
        "SELECT id FROM alpha_account WHERE tenant = :tenant AND balance = 1 ORDER BY id LIMIT 9",
        "SELECT COUNT(*) FROM alpha_account WHERE tenant = :tenant LIMIT 1",
        "SELECT DISTINCT balance FROM alpha_account WHERE tenant = :tenant LIMIT 1",
        "SELECT MAX(balance) FROM alpha_account WHERE tenant = :tenant",
        "SELECT MIN(id) FROM alpha_account WHERE tenant = :tenant AND balance = 1",
        "SELECT a.id FROM alpha_account a JOIN alpha_entry e ON e.tenant = a.tenant \
             AND e.account = a.id WHERE a.tenant = :tenant AND a.id = 'a'",
        "SELECT id FROM alpha_account WHERE tenant = :tenant AND id = 'a' AND balance > \
             (SELECT CAST(SUM(amount) AS BIGINT) FROM alpha_entry WHERE tenant = :tenant)",
        "SELECT id FROM alpha_account WHERE tenant = :tenant AND id IN \
             (SELECT account FROM alpha_entry WHERE tenant = :tenant ORDER BY amount LIMIT 3)",
        "UPDATE alpha_account SET balance = 0 WHERE tenant = :tenant AND balance = 1",
        "DELETE FROM alpha_account WHERE tenant = :tenant",
        "SELECT id FROM alpha_account WHERE tenant = :tenant AND (id = 'a' OR balance = 1)",
    ] {
        says(&refused(&cell, sql), "it reads the whole of `alpha_");
    }
    for sql in [
        "SELECT id FROM alpha_account WHERE tenant = :tenant AND id > 'a'",
        "SELECT id FROM alpha_account WHERE tenant = :tenant ORDER BY id LIMIT 9",
        "SELECT MAX(id) FROM alpha_account WHERE tenant = :tenant",
        "SELECT id FROM (SELECT * FROM alpha_account WHERE tenant = :tenant ORDER BY id LIMIT 9) few \
             ORDER BY balance",
        "SELECT id FROM alpha_account WHERE tenant = :tenant AND (id = 'a' OR id = 'b')",
        "SELECT balance FROM alpha_account WHERE tenant = :tenant /* whole: a test has few */",
    ] {
        cell.view(move |view| view.rows::<()>(sql, ())).unwrap();
    }
    let few = "SELECT balance FROM alpha_account WHERE tenant = :tenant AND id = 'a' \
         /* whole: a test has few */";
    says(&refused(&cell, few), "says so");
    let why = "SELECT balance FROM alpha_account WHERE tenant = :tenant /* whole: */";
    says(&refused(&cell, why), "not why");
}

fn a_list_is_one_parameter(on: On) {
    const AMONG: &str =
        "SELECT id FROM alpha_account WHERE tenant = :tenant AND id = ANY ($1) ORDER BY id";
    const HELD: &str = "SELECT id FROM alpha_account WHERE tenant = :tenant AND id >= $2 \
         AND balance = ANY ($1) ORDER BY id";
    let cell = on.cell();
    let odd = "a \"quoted\", {b}\\ 'å' \u{10ffff}";
    cell.commit(move |tx| {
        for (id, balance) in [("a", 1), ("b", i64::MAX), (odd, i64::MIN), ("1", 4)] {
            cell::put_account(tx, id, balance)?;
        }
        Ok(())
    })
    .unwrap();
    let among = |ids: &[&str]| {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        cell.view(move |view| view.rows::<(String,)>(AMONG, (&ids,))).unwrap()
    };
    let ids = |ids: &[&str]| ids.iter().map(|id| ((*id).to_owned(),)).collect::<Vec<_>>();
    assert_eq!(among(&["b", odd, "none", "b"]), ids(&[odd, "b"]));
    assert_eq!(among(&["1"]), ids(&["1"]), "a text that looks like a number is none");
    assert_eq!(among(&[]), []);
    let held = |held: Vec<i64>| cell.view(move |view| view.rows::<(String,)>(HELD, (&held, "")));
    assert_eq!(held(vec![i64::MAX, i64::MIN, 2]).unwrap(), ids(&[odd, "b"]));
    let many = held(vec![1; 10_001]).unwrap_err();
    assert_eq!((many.code(), many.reason()), (Code::InvalidArgument, "store.value"));
    let nul = vec!["a\0".to_owned()];
    let nul = cell.view(move |view| view.rows::<(String,)>(AMONG, (&nul,))).unwrap_err();
    assert_eq!(nul.reason(), "store.value");
}

#[test]
fn rows_that_hold_blobs_are_written_by_the_words_for_it() {
    const ADD: &str =
        "INSERT INTO alpha_film (tenant, id, file, seen) VALUES (:tenant, $1, $2, $3)";
    const SAVE: &str =
        "UPDATE alpha_film SET file = $2, seen = $3 WHERE tenant = :tenant AND id = $1";
    const DELETE: &str = "DELETE FROM alpha_film WHERE tenant = :tenant AND id = $1";
    static FILMS: Blobs = Blobs {
        table: "alpha_film",
        key: &[0],
        fields: &[Named { place: 1, column: "file", subject: None }],
        words: &[ADD, SAVE, DELETE],
    };
    const TABLES: &[Migration] = &[Migration::expand(
        "0001_film",
        "CREATE TABLE alpha_film (tenant TEXT NOT NULL, id TEXT NOT NULL, file TEXT NOT NULL,
             seen BIGINT NOT NULL, more BIGINT, PRIMARY KEY (tenant, id))",
    )];
    let mut alpha = cell::alpha(TABLES);
    alpha.blobs.push(&FILMS);
    let services: [Service; 2] = [cell::kernel(), alpha];
    let inspector = Inspector::new(&Schema::of(&services).unwrap()).unwrap();
    let look = |sql: &'static str| inspector.inspect(1, sql.into()).map(drop);
    for sql in [
        ADD,
        SAVE,
        DELETE,
        "INSERT INTO alpha_film (tenant, id, file, seen) VALUES (:tenant, $1, $2, $3) \
         ON CONFLICT (tenant, id) DO NOTHING",
        "INSERT INTO alpha_film (tenant, id, file, seen, more) VALUES (:tenant, $1, $2, $3, $4)",
        "UPDATE alpha_film SET more = $4, file = $2, seen = $3 WHERE tenant = :tenant AND id = $1",
        "UPDATE alpha_film SET seen = seen + 1 WHERE tenant = :tenant AND id = $1",
        "SELECT file FROM alpha_film WHERE tenant = :tenant AND id = $1",
    ] {
        look(sql).unwrap_or_else(|error| panic!("{error:?}"));
    }
    for sql in [
        "DELETE FROM alpha_film WHERE tenant = :tenant AND id = $1 AND seen < $2",
        "UPDATE alpha_film SET file = $2 WHERE tenant = :tenant AND id = $1",
        "INSERT INTO alpha_film (tenant, id, seen, file) VALUES (:tenant, $1, $2, $3)",
    ] {
        says(&look(sql).unwrap_err(), "hold blobs");
    }
}
