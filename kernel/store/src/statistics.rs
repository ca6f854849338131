//! What SQLite is told of tables: nothing that it found in them, but what is expected.
//!
//! Without statistics SQLite takes ten rows for the yield of any first column of an index, also where
//! that column is the tenant, and so reads everything that a tenant has rather than look up what a
//! second column names. With statistics of its own its plans would change with the rows. Told the same
//! of every table, that a tenant has many rows and that each further column names few of them, it
//! plans the same everywhere and for ever, and goes by the index that leads furthest.

use std::fmt::Write as _;

use rusqlite::Connection;

/// Rows that a tenant has in a table.
const ROWS: u64 = 1_000_000;
/// Of so many rows one has what a further column names.
const DISTINCT: u64 = 1_000;
/// Of so many rows one is in an index of some rows only.
const PARTIAL: u64 = 100;

/// Tells SQLite what to expect of every table and index that a database has.
pub(crate) fn tell(connection: &Connection) -> rusqlite::Result<()> {
    // This makes the table, and looks at no rows.
    connection.execute_batch("ANALYZE sqlite_schema; DELETE FROM sqlite_stat1")?;
    let mut indexes = connection.prepare(
        "SELECT m.name, l.name, l.\"unique\", l.origin, l.partial, \
         (SELECT COUNT(*) FROM pragma_index_info(l.name)), \
         (SELECT i.name = 'tenant' FROM pragma_index_info(l.name) i WHERE i.seqno = 0) \
         FROM sqlite_schema m, pragma_index_list(m.name) l WHERE m.type = 'table'",
    )?;
    let mut rows = indexes.query([])?;
    while let Some(row) = rows.next()? {
        let (table, index): (String, String) = (row.get(0)?, row.get(1)?);
        let (unique, origin, partial): (bool, String, bool) =
            (row.get(2)?, row.get(3)?, row.get(4)?);
        let index = if origin == "pk" { &table } else { &index };
        let expected = expected(row.get(5)?, (unique, partial), row.get(6)?);
        connection
            .execute("INSERT INTO sqlite_stat1 VALUES (?1, ?2, ?3)", (&table, index, expected))?;
    }
    connection.execute_batch("ANALYZE sqlite_schema")
}

/// How many rows an index of so many columns has, and how many of them for values of its first
/// column, its first two, and so on. What an index of the whole cell begins with is no tenant, and names
/// few.
fn expected(columns: u32, (unique, partial): (bool, bool), by_tenant: bool) -> String {
    let rows = if partial { ROWS / PARTIAL } else { ROWS };
    let mut text = rows.to_string();
    for column in 0..columns {
        let one = unique && column + 1 == columns;
        let left =
            if one { 1 } else { (rows / DISTINCT.pow(column + u32::from(!by_tenant))).max(1) };
        let _ = write!(text, " {left}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenant_names_everything_and_each_further_column_little_of_it() {
        assert_eq!(expected(2, (true, false), true), "1000000 1000000 1");
        assert_eq!(expected(4, (false, false), true), "1000000 1000000 1000 1 1");
        assert_eq!(expected(3, (false, true), true), "10000 10000 10 1");
        assert_eq!(expected(3, (false, false), false), "1000000 1000 1 1");
    }
}
